import DNS
import Logging
import MailModel
import NIOPosix
import Storage

/// A domain's new DKIM keys in two steps: they are published, and sign once the world sees them. The old ones stay in the
/// DNS while mail that they signed is under way.
///
/// The table of keys says how far each rotation is, so that whoever runs next goes on with it.
struct DKIMRotation: Sendable {
    let store: DKIMKeyStore
    let domains: DomainStore
    let keys: DKIMKeys
    let dns: DNSProvisioning
    let resolver: DNSClient
    /// How long the record of a key that signs no more stays.
    let retention: Duration
    let logger: Logger

    /// Begins a rotation; the rest comes by itself.
    /// - Throws: `Failure`: `notFound`, `conflict` `rotation_in_progress`.
    func begin(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws {
        let domain = try await domains.find(id, scope: scope)
        let name = try DomainName(domain.domain)
        let known = try await store.list(domainID: id, scope: scope)
        guard !known.contains(where: { $0.state == .published }) else { throw DKIMKeyStore.inProgress }
        let selector = Self.newSelector(taken: Set(known.map(\.selector)), now: Timestamp.now())
        let made = try await NIOThreadPool.singleton.runIfActive {
            try keys.make(for: name, rsa: selector, ed25519: selector + "-ed")
        }
        try await store.publish(made, domainID: id, scope: scope, by: origin)
        try await dns.provision(domains.provisioning(id))
        try await activateIfVisible(id)
    }

    /// One round over the rotations that wait for the DNS, and over the keys whose time is over.
    func goOn() async throws {
        for id in try await store.awaitingActivation() {
            await logger.attempt("the rotation of domain \(id)") { try await activateIfVisible(id) }
        }
        try await store.withdraw(retiredBefore: Timestamp.now() - retention.components.seconds * 1000)
    }

    /// `mail20261126`, and with a letter behind it what comes on the same day.
    static func newSelector(taken: Set<String>, now: Int64) -> String {
        let date = Timestamp.rfc3339(milliseconds: now).prefix(10).filter { $0 != "-" }
        let candidates = [""] + (2...99).map { "-\($0)" }
        return candidates.map { "mail\(date)\($0)" }.first { !taken.contains($0) && !taken.contains($0 + "-ed") }
            ?? "mail\(now)"
    }

    /// Removes key files that no domain has: of a creation or rotation that was cut short, or withdrawn.
    func removeStrays() async throws {
        try await NIOThreadPool.singleton.runIfActive { try keys.removeOldReserves(olderThan: 86_400) }
        let files = try await NIOThreadPool.singleton.runIfActive { try keys.oldFiles(olderThan: 600) }
        for start in stride(from: 0, to: files.count, by: 500) {
            let batch = files[start..<min(start + 500, files.count)]
            let known = try await store.known(domains: batch.map(\.domain))
            for file in batch where !known.contains("\(file.domain).\(file.selector)") {
                logger.notice("Key without a domain removed", metadata: ["domain": "\(file.domain)"])
                keys.remove(domain: file.domain, selector: file.selector)
            }
        }
    }

    private func activateIfVisible(_ id: Int64) async throws {
        let domain = try await domains.provisioning(id)
        let new = domain.keys.filter { $0.state == .published }
        guard !new.isEmpty, await isVisible(new, of: domain.domain) else { return }
        try keys.sign(domain.domain, with: new.map(\.selector))
        try await store.activate(domainID: id)
        logger.info("DKIM keys rotated", metadata: ["domain": "\(domain.domain)"])
    }

    private func isVisible(_ new: [DKIMKey], of domain: DomainName) async -> Bool {
        let names = Set(new.map { "\($0.selector)._domainkey.\(domain)" })
        for record in dns.template.records(for: domain, keys: new) where names.contains(record.name) {
            guard let found = try? await resolver.values(record.name, .txt), found.contains(where: record.isSame) else {
                return false
            }
        }
        return true
    }
}
