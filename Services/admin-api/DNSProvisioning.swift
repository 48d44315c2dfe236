import Logging
import MailModel
import ServiceLifecycle
import Storage

/// Writes the records of domains, at once when one is made and again until it works.
///
/// The domains table is the queue (`dns_status = 'pending'`), so nothing is forgotten over a restart; writing twice,
/// here or on another replica, ends in the same records. Within this process one at a time changes those of a domain: what
/// is written while the domain ends would outlive it, if the process died before it looked whether it must go again.
struct DNSProvisioning: Sendable {
    let domains: DomainStore
    let template: DNSTemplate
    /// nil where all DNS is kept by hand.
    let publisher: (any DNSPublisher)?
    let outcomes = DNSOutcomes()
    private let turns = Turns()
    let logger: Logger

    /// One attempt for one domain; its outcome is in the table when this returns.
    /// - Returns: `pending` while the DNS server is away, `failed` when it refused or others have something in the way.
    /// - Throws: `Failure.notFound` for a domain that ends.
    @discardableResult
    func provision(_ domain: DomainStore.Provisioning) async throws -> Domain.DNS {
        guard let dns = try await provisionUnlessEnding(domain) else { throw Failure.notFound("This domain") }
        return dns
    }

    /// - Returns: nil for a domain that ends.
    private func provisionUnlessEnding(_ known: DomainStore.Provisioning) async throws -> Domain.DNS? {
        try await turns.take(known.domain.description) {
            // As it is now, not as it was before others had their turn.
            guard let domain = try await domains.provisioningUnlessEnding(known.id) else { return nil }
            let dns = try await attempt(domain)
            try await keep(domain, dns)
            return dns
        }
    }

    /// The first attempt for a domain that is being made: the DNS server is called meanwhile, and told what to change when
    /// the domain is there. Its outcome is for `outcomes`.
    ///
    /// - Parameters:
    ///   - isManual: Nothing is written.
    ///   - goAhead: That the domain is there.
    /// - Returns: All records that it wants, as `records(of:)`.
    /// - Throws: `GoAhead.Refused`.
    func provision(
        new domain: DomainName, keys: [DKIMKey], isManual: Bool, takesZones: Bool, after goAhead: GoAhead
    ) async throws -> (records: [DNSRecord], dns: Domain.DNS) {
        let records = template.records(for: domain, keys: keys)
        guard let publisher, !isManual else { return (records, .init(status: .manual, checkedAt: nil)) }
        let change = DNSChange(
            domain: domain, wanted: records.filter { $0.isWithin(domain) }, isNew: true, takesZones: takesZones)
        let dns = try await turns.take(domain.description) {
            try await carryOut(change, publisher, after: goAhead)
        }
        return (records, dns)
    }

    /// Writes the outcomes of what was quick into the table, as they come.
    func flushOutcomes() async throws { try await outcomes.run(logger, keepInTurn) }

    /// Writes those that wait, once.
    func flushOutcomesNow() async { await outcomes.flush(logger, keepInTurn) }

    private func keepInTurn(_ domain: DomainStore.Provisioning, _ dns: Domain.DNS) async throws {
        try await turns.take(domain.domain.description) { try await keep(domain, dns) }
    }

    /// Puts an outcome into the table. Of a domain that ended while its records were written they are taken out again.
    private func keep(_ domain: DomainStore.Provisioning, _ dns: Domain.DNS) async throws {
        switch try await domains.setDNS(domain, status: dns.status, detail: dns.detail) {
        case .kept: return
        case .succeeded(let id): try await domains.requireDNS(id)
        case .gone:
            if try await !remove(domain) {
                logger.warning("Records outlive their domain", metadata: ["domain": "\(domain.domain)"])
            }
            // Nobody has the right to the name just now: who got it meanwhile may have lost records to that.
            if let next = try await domains.id(of: domain.domain, scope: .everything) {
                try await domains.requireDNS(next)
            }
        }
    }

    private func attempt(_ domain: DomainStore.Provisioning) async throws -> Domain.DNS {
        guard let publisher, !domain.isManual else { return .init(status: .manual, checkedAt: nil) }
        let change = DNSChange(
            domain: domain.domain,
            wanted: ownRecords(of: domain).filter { !domain.isOfKeysOnly || $0.isOfKey },
            unwanted: template.withdrawn(for: domain.domain, keys: domain.keys), isNew: domain.isNew,
            isPartial: domain.isOfKeysOnly, takesZones: domain.takesZones)
        return try await carryOut(change, publisher, after: .given)
    }

    private func carryOut(
        _ change: DNSChange, _ publisher: any DNSPublisher, after goAhead: GoAhead
    ) async throws -> Domain.DNS {
        let (status, detail) = try await outcome { try await publisher.publish(change, after: goAhead) }
        if status != .ok {
            logger.warning(
                "DNS not written", metadata: ["domain": "\(change.domain)", "status": "\(status.rawValue)"])
        }
        return .init(
            status: status, checkedAt: Timestamp.rfc3339(milliseconds: Timestamp.now()), detail: detail)
    }

    /// Takes the records of a domain that ends out of the DNS.
    /// - Returns: Whether that is done; false while the DNS server is away.
    func withdraw(_ domain: DomainStore.Provisioning) async throws -> Bool {
        try await turns.take(domain.domain.description) { try await remove(domain) }
    }

    private func remove(_ domain: DomainStore.Provisioning) async throws -> Bool {
        guard let publisher, !domain.isManual else { return true }
        let gone = ownRecords(of: domain) + template.withdrawn(for: domain.domain, keys: domain.keys)
        let change = DNSChange(domain: domain.domain, wanted: [], unwanted: gone, takesZones: domain.takesZones)
        let (status, detail) = try await outcome { try await publisher.publish(change) }
        // A server that refuses will do so tomorrow; the domain must not wait for it.
        if status == .failed {
            logger.warning(
                "DNS records not withdrawn, and left where they are",
                metadata: ["domain": "\(domain.domain)", "reason": "\(detail ?? "")"])
        }
        return status != .pending
    }

    /// All that mail for the domain needs in the DNS, also what is to stand in the zone of the host that receives it.
    func records(of domain: DomainStore.Provisioning) -> [DNSRecord] {
        template.records(for: domain.domain, keys: domain.keys)
    }

    /// Those that are written with the domain; what belongs into the zone of the mail host is its operator's.
    private func ownRecords(of domain: DomainStore.Provisioning) -> [DNSRecord] {
        records(of: domain).filter { $0.isWithin(domain.domain) }
    }

    /// One round over the domains whose records are still to be written.
    func provisionPending() async throws {
        for id in try await domains.awaitingDNS() {
            // As it is now, not as it was before the others were written.
            guard let domain = try await domains.pendingDNS(id),
                let dns = try await provisionUnlessEnding(domain)
            else { continue }
            // One that is away is away for all: try again later.
            guard dns.status != .pending else { return }
        }
    }

    private func outcome(
        _ publish: () async throws -> [String]
    ) async throws -> (status: Domain.DNS.Status, detail: String?) {
        do {
            let notes = try await publish()
            return notes.isEmpty ? (.ok, nil) : (.failed, notes.joined(separator: " "))
        } catch DNSFailure.refused(let reason) { return (.failed, reason) } catch DNSFailure.away {
            return (.pending, "The DNS server cannot be reached or does not let us in; it is tried again by itself.")
        }
    }
}
