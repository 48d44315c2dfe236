import Credentials
import MailModel
import Storage

/// Makes many mailboxes and aliases: what is there already stays as it is, what is wrong is told by its line, the rest is
/// made, some at a time.
struct Importer: Sendable {
    /// What became of a row.
    struct Outcome: Encodable, Sendable, Equatable {
        enum Status: String, Encodable, Sendable {
            case created
            /// It was there already, or would be made by an earlier row.
            case unchanged
            case failed
            /// Of a dry run: nothing is wrong with it.
            case valid
        }

        let line: Int
        let email: String
        let status: Status
        var id: Int64?
        var errors: [Fault]?
    }

    struct Fault: Encodable, Sendable, Equatable {
        let field: String
        let code: String
        let message: String
    }

    /// How many rows are made in one transaction, and their passwords hashed before.
    static let batch = 50

    let database: Database
    let passwords: PasswordHash
    let scope: Scope
    let origin: AuditStore.Origin

    /// - Parameter report: Called with each row's outcome, in order of the batches.
    func run(_ rows: [ImportRow], dryRun: Bool, _ report: (Outcome) async throws -> Void) async throws {
        var seen: Set<String> = []
        var domains: [DomainName: Int64] = [:]
        for start in stride(from: 0, to: rows.count, by: Self.batch) {
            var items: [Item] = []
            for row in rows[start..<min(start + Self.batch, rows.count)] {
                do {
                    let work = try row.work()
                    guard seen.insert(row.email.lowercased()).inserted else {
                        throw Failure.invalid("email", code: "duplicate", "stands in the file twice")
                    }
                    let id = try await domainID(work.domain, &domains)
                    items.append((row, work, id))
                } catch let failure as Failure { try await report(Self.failed(row, failure)) }
            }
            for outcome in try await outcomes(items, dryRun: dryRun) { try await report(outcome) }
        }
    }

    private typealias Item = (row: ImportRow, work: ImportRow.Work, domainID: Int64)

    /// What becomes of a batch. Where it cannot be made at all, because the database is away, say, its rows have failed and
    /// the next batch is tried.
    private func outcomes(_ items: [Item], dryRun: Bool) async throws -> [Outcome] {
        do {
            // What is there needs no password, and no hash of one.
            let existing = try await database.accounts.existing(emails: items.compactMap(\.work.address))
            var outcomes: [Outcome] = [], ready: [Item] = []
            for item in items {
                if let address = item.work.address, existing.contains(address) {
                    outcomes.append(Outcome(line: item.row.line, email: item.row.email, status: .unchanged))
                } else if item.work.isComplete {
                    ready.append(item)
                } else {
                    let missing = Failure.invalid(
                        "password", code: "required", "a password or a password_hash is required")
                    outcomes.append(Self.failed(item.row, missing))
                }
            }
            return outcomes + (try await dryRun ? dryRunOutcomes(ready) : make(ready))
        } catch let failure as Failure { return items.map { Self.failed($0.row, failure) } }
    }

    private func domainID(_ name: DomainName, _ known: inout [DomainName: Int64]) async throws -> Int64 {
        if let id = known[name] { return id }
        guard let id = try await database.domains.id(of: name, scope: scope) else {
            throw Failure.invalid("email", code: "unknown_domain", "is at a domain that is not yours here")
        }
        known[name] = id
        return id
    }

    private func dryRunOutcomes(_ ready: [Item]) async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        for item in ready {
            let email = item.row.email.lowercased()
            let exists: Bool =
                if case .alias(let draft, _) = item.work {
                    try await database.aliases.exists(draft.source, domainID: item.domainID)
                } else {
                    try await database.accounts.exists(email: email)
                }
            outcomes.append(
                Outcome(line: item.row.line, email: item.row.email, status: exists ? .unchanged : .valid))
        }
        return outcomes
    }

    private func make(_ ready: [Item]) async throws -> [Outcome] {
        let hashes = try await hash(ready.map(\.work))
        var orders: [ImportOrder] = []
        for (item, hash) in zip(ready, hashes) {
            switch item.work {
            case .account(var draft, let domain, _):
                if let hash { draft.passwordHash = hash }
                orders.append(.account(draft, domainID: item.domainID, domain: domain))
            case .alias(let draft, let domain):
                orders.append(.alias(draft, domainID: item.domainID, domain: domain))
            }
        }
        let results = try await database.make(orders, by: origin)
        return zip(ready, results).map { item, result in
            switch result {
            case .created(let id):
                Outcome(line: item.row.line, email: item.row.email, status: .created, id: id)
            case .unchanged: Outcome(line: item.row.line, email: item.row.email, status: .unchanged)
            case .failed(let failure): Self.failed(item.row, failure)
            }
        }
    }

    /// A hash for each that comes with a password; a bounded number at a time.
    private func hash(_ works: [ImportRow.Work]) async throws -> [String?] {
        try await withThrowingTaskGroup(of: (Int, String).self) { group in
            var hashes = [String?](repeating: nil, count: works.count)
            var running = 0
            for (index, work) in works.enumerated() {
                guard case .account(_, _, let password?) = work else { continue }
                if running >= 8, let (done, hash) = try await group.next() { hashes[done] = hash } else { running += 1 }
                group.addTask { (index, try await patientHash(password)) }
            }
            for try await (done, hash) in group { hashes[done] = hash }
            return hashes
        }
    }

    /// An import has time: it waits until those who log in leave room for its hashes, a minute at most.
    private func patientHash(_ password: String) async throws -> String {
        for _ in 0..<120 {
            do { return try await passwords.hash(password) } catch let failure as Failure
                where failure.kind == .unavailable
            { try await Task.sleep(for: .milliseconds(500)) }
        }
        return try await passwords.hash(password)
    }

    private static func failed(_ row: ImportRow, _ failure: Failure) -> Outcome {
        let faults = failure.fields.map { Fault(field: $0.name, code: $0.code, message: $0.message) }
        let whole = Fault(field: "email", code: failure.code, message: failure.detail)
        return Outcome(line: row.line, email: row.email, status: .failed, errors: faults.isEmpty ? [whole] : faults)
    }
}
