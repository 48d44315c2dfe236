import Logging
import MailModel
import Storage

/// What is due by itself: records still to be written, keys that wait for the DNS, mailboxes to be moved, domains and
/// mailboxes whose time is over.
///
/// What is to be done stands in the tables, and each step may be done twice: whoever dies, here or in another replica,
/// somebody goes on.
struct Caretaker: Sendable {
    let database: Database
    let dns: DNSProvisioning
    let rotation: DKIMRotation
    let keys: DKIMKeys
    let folders: MailFolders
    let logger: Logger

    /// How long after a round the next one comes.
    static let pause = Duration.seconds(2)

    func run() async throws {
        var round = 0
        while !Task.isCancelled {
            await attempt("DNS") { try await dns.provisionPending() }
            await attempt("rotations") { try await rotation.goOn() }
            await attempt("moves") { try await finishMoves() }
            await attempt("mailboxes to purge") { try await purgeAccounts() }
            await attempt("domains to purge") { try await purgeDomains() }
            if round.isMultiple(of: 300) {
                await attempt("leftovers") {
                    try await rotation.removeStrays()
                    try await folders.removeLeftovers()
                }
            }
            round += 1
            try await Task.sleep(for: Self.pause)
        }
    }

    /// Moves the homes of renamed mailboxes to where their addresses say.
    func finishMoves() async throws {
        for move in try await database.accounts.awaitingMove() {
            try await folders.move(from: move.from, to: move.to)
            try await database.accounts.endMove(move)
        }
    }

    /// Ends a domain whose time is over: its records, its mail, its keys, and last its row, which says that there is
    /// something to do.
    /// - Returns: False while the DNS server is away.
    @discardableResult
    func purge(domain id: Int64) async throws -> Bool {
        let domain = try await database.domains.provisioning(id)
        guard try await dns.withdraw(domain) else { return false }
        try await folders.remove(domain.domain.description)
        try keys.remove(domain.domain, selectors: domain.keys.map(\.selector))
        try await database.domains.remove(id)
        return true
    }

    func purge(_ account: AccountStore.Purge) async throws {
        try await folders.remove(account.home)
        try await database.accounts.remove(account)
    }

    func purgeAccounts() async throws {
        for account in try await database.accounts.awaitingPurge() { try await purge(account) }
    }

    private func purgeDomains() async throws {
        for id in try await database.domains.awaitingPurge() {
            guard try await purge(domain: id) else { return }
        }
    }

    /// What does not work now is tried again in the next round.
    private func attempt(_ what: String, _ work: () async throws -> Void) async {
        do { try await work() } catch {
            // What is away comes back; anything else somebody should know of.
            let isAway =
                (error as? Failure).map { [.unavailable, .timeout].contains($0.kind) } ?? (error is CancellationError)
            logger.log(
                level: isAway ? .debug : .warning, "Put off", metadata: ["work": "\(what)", "error": "\(error)"])
        }
    }
}
