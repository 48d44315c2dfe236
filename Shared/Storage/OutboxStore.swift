import FoundationEssentials
import MariaDB
public import MailModel

/// Messages on their way out: what is in here is sent, once, whatever dies.
///
/// A row that has work to do has a time, `next_at`. Who works on it holds its lease, a random number, and `next_at` is
/// then when the lease ends: the work of one who died is due again by itself. Every change by a worker names its lease
/// and does nothing when that is gone.
public struct OutboxStore: Sendable {
    let database: Database

    /// How long a lease lasts unless it is renewed: milliseconds.
    public static let leaseTime: Int64 = 15_000
    /// How long what was sent or stopped is remembered: longer than an idempotency key.
    private static let keepDone: Int64 = 25 * 3600 * 1000
    private static let keepFailed: Int64 = 7 * 24 * 3600 * 1000
    private static let keepComposing: Int64 = 3600 * 1000

    /// What a worker holds a row by.
    public struct Lease: Sendable, Equatable {
        public let id: Int64
        public let token: Int64
    }

    // MARK: Coming in

    /// Whether the mailbox may send with that envelope sender and `From`.
    ///
    /// - Throws: `Failure`: `notFound`, `conflict` `no_active_mailbox`, `invalid` `sender_refused` naming `from`.
    public func checkSender(_ sender: String, of mailbox: String) async throws {
        try await database.transaction { try Self.checkSender(sender, of: mailbox, in: $0) }
    }

    /// Puts in a whole message. When it returns, the message will be sent.
    ///
    /// - Parameter chunk: All its bytes.
    /// - Returns: A lease when it is to be sent at once, which the caller then does; the worker does otherwise.
    /// - Throws: As `checkSender`; `Failure` `idempotency_in_progress` when another call holds the key by now.
    public func add(_ message: NewOutboxMessage, chunk: [UInt8], claim: IdempotencyClaim?) async throws -> Lease {
        let token = Int64.random(in: 1...Int64.max)
        let (recipients, plan) = (
            try Self.json(message.recipients.map { OutboxMessage.Recipient($0) }), try Self.json(message.plan)
        )
        return try await database.transaction { tx in
            try Self.checkSender(message.sender, of: message.mailbox, in: tx)
            let now = Timestamp.now()
            let isImmediate = message.sendAt == nil
            let id = try Self.insert(
                message, recipients: recipients, plan: plan, state: isImmediate ? "submitting" : "queued",
                size: chunk.count, nextAt: message.sendAt ?? now + Self.leaseTime, lease: isImmediate ? token : nil,
                in: tx)
            try tx.execute("INSERT INTO outbox_chunks (outbox_id, position, bytes) VALUES (\(id), 0, \(chunk))")
            try Self.finish(message, id, claim, in: tx)
            return Lease(id: id, token: token)
        }
    }

    /// Begins a message that is written in pieces, with `append` and then `complete`.
    ///
    /// - Throws: As `checkSender`.
    public func begin(_ message: NewOutboxMessage) async throws -> Int64 {
        let (recipients, plan) = (
            try Self.json(message.recipients.map { OutboxMessage.Recipient($0) }), try Self.json(message.plan)
        )
        return try await database.transaction { tx in
            try Self.checkSender(message.sender, of: message.mailbox, in: tx)
            return try Self.insert(
                message, recipients: recipients, plan: plan, state: "composing", size: 0, nextAt: nil, lease: nil,
                in: tx)
        }
    }

    /// Adds a piece to a message that is being written.
    public func append(_ bytes: [UInt8], position: Int, to id: Int64) async throws {
        try await database.execute(
            "INSERT INTO outbox_chunks (outbox_id, position, bytes) VALUES (\(id), \(position), \(bytes))")
    }

    /// The message is whole; as `add` from here on.
    public func complete(
        _ id: Int64, _ message: NewOutboxMessage, size: Int, claim: IdempotencyClaim?
    ) async throws -> Lease {
        let token = Int64.random(in: 1...Int64.max)
        return try await database.transaction { tx in
            let now = Timestamp.now()
            let isImmediate = message.sendAt == nil
            let outcome = try tx.execute(
                """
                UPDATE outbox SET state = \(isImmediate ? "submitting" : "queued"), size = \(size),
                  next_at = \(message.sendAt ?? now + Self.leaseTime), lease = \(isImmediate ? token : nil),
                  attempts = \(isImmediate ? 1 : 0)
                WHERE id = \(id) AND state = 'composing'
                """)
            guard outcome.affectedRows == 1 else {
                throw Failure(.timeout, code: "deadline_exceeded", "Composing the message took too long.")
            }
            try Self.finish(message, id, claim, in: tx)
            return Lease(id: id, token: token)
        }
    }

    /// Forgets a message that will not become whole.
    public func abandon(_ id: Int64) async throws {
        try await database.execute("DELETE FROM outbox WHERE id = \(id) AND state = 'composing'")
    }

    private static func checkSender(_ sender: String, of mailbox: String, in tx: Transaction) throws {
        guard let row = try tx.query("SELECT active FROM dovecot_users WHERE email = \(mailbox)").first else {
            throw Failure.notFound("This mailbox")
        }
        guard try row.bool("active") else {
            throw Failure.conflict("no_active_mailbox", "There is no active mailbox of this address.")
        }
        // As Postfix compares.
        let sender = sender.lowercased()
        guard sender != mailbox else { return }
        guard try !tx.query("SELECT 1 FROM postfix_senders WHERE sender = \(sender) AND login = \(mailbox)").isEmpty
        else {
            throw Failure.invalid("from", code: "sender_refused", "this mailbox may not send from that address")
        }
    }

    private static func insert(
        _ message: NewOutboxMessage, recipients: String, plan: String, state: String, size: Int, nextAt: Int64?,
        lease: Int64?, in tx: Transaction
    ) throws -> Int64 {
        try tx.execute(
            """
            INSERT INTO outbox (mailbox, sender, message_id, subject, size, is_8bit, is_utf8, recipients, filing_plan,
              state, attempts, created_at, send_at, next_at, lease)
            VALUES (\(message.mailbox), \(message.sender), \(message.messageID), \(message.subject), \(size),
              \(message.is8Bit), \(message.isUTF8), \(recipients), \(plan), \(state), \(lease == nil ? 0 : 1),
              \(Timestamp.now()), \(message.sendAt), \(nextAt), \(lease))
            """
        ).lastInsertID
    }

    private static func finish(
        _ message: NewOutboxMessage, _ id: Int64, _ claim: IdempotencyClaim?, in tx: Transaction
    ) throws {
        if let claim { try IdempotencyStore.note(id, by: claim, in: tx) }
        if !message.uploads.isEmpty {
            try tx.execute(
                "DELETE FROM uploads WHERE id IN (\(list: message.uploads)) AND mailbox = \(message.mailbox)")
        }
    }

    static func json(_ value: some Encodable) throws -> String {
        String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }

    // MARK: Deletion of what is over

    /// Deletes some of what has been done for long enough, and of what never became whole.
    ///
    /// - Returns: Whether there is more.
    public func removeExpired() async throws -> Bool {
        let now = Timestamp.now()
        let statements: [(sql: SQL, limit: Int)] = [
            ("DELETE FROM outbox WHERE state = 'sent' AND done_at < \(now - Self.keepDone) LIMIT 500", 500),
            ("DELETE FROM outbox WHERE state = 'stopped' AND done_at < \(now - Self.keepDone) LIMIT 500", 500),
            ("DELETE FROM outbox WHERE state = 'failed' AND done_at < \(now - Self.keepFailed) LIMIT 100", 100),
            ("DELETE FROM outbox WHERE state = 'composing' AND created_at < \(now - Self.keepComposing) LIMIT 20", 20),
        ]
        var isMore = false
        for (sql, limit) in statements {
            if try await database.execute(sql).affectedRows >= limit { isMore = true }
        }
        return isMore
    }
}
