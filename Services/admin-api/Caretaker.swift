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
    /// How long a DNS server may be at work for one that is not there any more.
    private static let afterthought = Duration.seconds(1)

    func run() async throws {
        var round = 0
        while !Task.isCancelled {
            await logger.attempt("DNS") { try await dns.provisionPending() }
            await logger.attempt("rotations") { try await rotation.goOn() }
            await logger.attempt("moves") { try await finishMoves() }
            await logger.attempt("mailboxes to purge") { try await purgeAccounts() }
            await logger.attempt("domains to purge") { try await purgeDomains() }
            if round.isMultiple(of: 300) {
                await logger.attempt("leftovers") {
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
            await logger.attempt("the move of \(move.from)") {
                guard try await database.accounts.awaits(move) else { return }
                try await folders.move(from: move.from, to: move.to)
                try await database.accounts.endMove(move)
            }
        }
    }

    /// Ends a domain whose time is over: its records, its mail, its keys, and last its row, which says that there is
    /// something to do.
    ///
    /// The right to do so is asked for again before each thing that bears the domain's name: once the row is gone, that is
    /// another's name.
    /// - Returns: False while the DNS server is away, or when another replica goes on.
    @discardableResult
    func end(_ purge: DomainStore.Purge) async throws -> Bool {
        let domains = database.domains
        let domain = try await domains.provisioning(purge.id)
        guard try await dns.withdraw(domain) else {
            try await domains.release(purge)
            return false
        }
        if domain.isPending {
            // What a process asked of the DNS server that died before the answer may be done behind the withdrawal.
            try await Task.sleep(for: Self.afterthought)
            guard try await dns.withdraw(domain) else { return false }
        }
        guard let held = try await domains.renew(purge) else { return false }
        try await folders.remove(domain.domain.description)
        guard let last = try await domains.renew(held) else { return false }
        try keys.remove(domain.domain, selectors: domain.keys.map(\.selector))
        return try await domains.remove(last)
    }

    /// Ends a mailbox whose time is over.
    func end(_ purge: AccountStore.Purge) async throws {
        try await folders.remove(purge.home)
        // To remove much takes its time, and the names may be another's when the right to them has ended meanwhile.
        guard let held = try await database.accounts.renew(purge) else { return }
        // Of one that is being moved the mail may be there already, and the next of that name must not get it.
        if held.target != held.home { try await folders.remove(held.target) }
        try await database.accounts.remove(held)
    }

    private func purgeAccounts() async throws {
        for id in try await database.accounts.awaitingPurge() {
            await logger.attempt("the end of mailbox \(id)") {
                if let purge = try await database.accounts.claimPurge(id) { try await end(purge) }
            }
        }
    }

    private func purgeDomains() async throws {
        for id in try await database.domains.awaitingPurge() {
            var isDone = true
            await logger.attempt("the end of domain \(id)") {
                if let purge = try await database.domains.claimPurge(id) { isDone = try await end(purge) }
            }
            // A DNS server that is away is away for all.
            guard isDone else { return }
        }
    }
}

extension Logger {
    /// Does what is done again in the next round when it does not work now; one thing of many does not keep the others.
    func attempt(_ what: String, _ work: () async throws -> Void) async {
        do { try await work() } catch {
            // What is away comes back; anything else somebody should know of.
            let isAway =
                (error as? Failure).map { [.unavailable, .timeout].contains($0.kind) } ?? (error is CancellationError)
            log(level: isAway ? .debug : .warning, "Put off", metadata: ["work": "\(what)", "error": "\(error)"])
        }
    }
}
