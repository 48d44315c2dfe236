import FoundationEssentials
import MariaDB
public import MailModel

/// What a worker does with the outbox.
extension OutboxStore {
    /// Leases rows whose time has come; no two workers get the same (`SKIP LOCKED`).
    public func claim(atMost limit: Int) async throws -> [(message: OutboxMessage, lease: Lease)] {
        let token = Int64.random(in: 1...Int64.max)
        return try await database.transaction { tx in
            let now = Timestamp.now()
            let rows = try tx.query(
                """
                SELECT \(Self.columns) FROM outbox WHERE next_at <= \(now) ORDER BY next_at LIMIT \(limit)
                FOR UPDATE SKIP LOCKED
                """)
            guard !rows.isEmpty else { return [] }
            var messages: [OutboxMessage] = []
            for row in rows { messages.append(try OutboxMessage(row)) }
            // What was being submitted when its worker died may have been taken.
            try tx.execute(
                """
                UPDATE outbox SET is_doubtful = is_doubtful OR state = 'submitting',
                  attempts = attempts + IF(state IN ('queued', 'submitting'), 1, 0),
                  state = IF(state = 'queued', 'submitting', state), lease = \(token),
                  next_at = \(now + Self.leaseTime)
                WHERE id IN (\(list: messages.map(\.id)))
                """)
            return messages.map { message in
                var message = message
                if message.state == .queued || message.state == .submitting {
                    message.state = .submitting
                    message.attempts += 1
                }
                return (message, Lease(id: message.id, token: token))
            }
        }
    }

    /// When the next row is due: milliseconds since 1970.
    public func nextDue() async throws -> Int64? {
        try await database.query("SELECT MIN(next_at) AS due FROM outbox WHERE next_at IS NOT NULL").first?
            .optionalInt64("due")
    }

    /// What should have been sent by now and was not: how many messages, and since when the oldest is due (milliseconds
    /// since 1970).
    public func waiting() async throws -> (count: Int, oldest: Int64?) {
        let row = try await database.query(
            """
            SELECT COUNT(*) AS n, MIN(GREATEST(created_at, COALESCE(send_at, 0))) AS oldest FROM outbox
            WHERE state IN ('queued', 'submitting') AND COALESCE(send_at, 0) <= \(Timestamp.now())
            """
        ).first
        return (try row?.int("n") ?? 0, try row?.optionalInt64("oldest"))
    }

    /// Keeps a lease.
    ///
    /// - Returns: false when it is gone.
    public func renew(_ lease: Lease) async throws -> Bool {
        try await update(lease, "next_at = \(Timestamp.now() + Self.leaseTime)")
    }

    /// The message's bytes, a piece at a time; nil after the last.
    public func piece(_ position: Int, of id: Int64) async throws -> [UInt8]? {
        try await database.query(
            "SELECT bytes FROM outbox_chunks WHERE outbox_id = \(id) AND position = \(position)"
        ).first?.bytes("bytes")
    }

    /// The server took the message for some recipients. The lease stays: filing follows.
    public func accepted(_ lease: Lease, recipients: [OutboxMessage.Recipient]) async throws -> Bool {
        let isWhole = !recipients.contains { $0.state == .pending }
        return try await update(
            lease,
            """
            recipients = \(try Self.json(recipients)), state = \(isWhole ? "sent" : "queued"),
            filing = IF(filing = 'none', 'due', filing), is_doubtful = FALSE, is_server_away = FALSE,
            error_code = NULL, error_message = NULL, next_at = \(Timestamp.now() + Self.leaseTime)
            """)
    }

    /// The mailbox shows what was sent.
    ///
    /// - Parameters:
    ///   - folder: Where; with nil, as for `uid`, what was noted before stays.
    ///   - retryAt: When the others are tried again; nil: for no recipient is anything left to be done.
    public func filed(_ lease: Lease, folder: String?, uid: UInt32?, retryAt: Int64?) async throws {
        let isOver = retryAt == nil
        try await database.transaction { tx in
            let outcome = try tx.execute(
                """
                UPDATE outbox SET filing = 'done', state = IF(state = 'submitting', 'queued', state),
                  sent_folder = COALESCE(\(folder), sent_folder), sent_uid = COALESCE(\(uid), sent_uid),
                  next_at = \(retryAt), lease = NULL, done_at = \(isOver ? Timestamp.now() : nil)
                WHERE id = \(lease.id) AND lease = \(lease.token)
                """)
            if isOver, outcome.affectedRows == 1 {
                try tx.execute("DELETE FROM outbox_chunks WHERE outbox_id = \(lease.id)")
            }
        }
    }

    /// The mailbox will not show what was sent; its owner is told.
    public func filingGivenUp(_ lease: Lease, _ trouble: OutboxMessage.Trouble, retryAt: Int64?) async throws {
        try await database.transaction { tx in
            let outcome = try tx.execute(
                """
                UPDATE outbox SET filing = 'done', state = IF(state = 'submitting', 'queued', state),
                  error_code = \(trouble.code), error_message = \(trouble.message), next_at = \(retryAt), lease = NULL,
                  done_at = \(retryAt == nil ? Timestamp.now() : nil)
                WHERE id = \(lease.id) AND lease = \(lease.token)
                """)
            if retryAt == nil, outcome.affectedRows == 1 {
                try tx.execute("DELETE FROM outbox_chunks WHERE outbox_id = \(lease.id)")
            }
        }
    }

    /// Filing did not work; again later.
    public func filingFailed(_ lease: Lease, retryAt: Int64) async throws {
        _ = try await update(
            lease,
            """
            filing_attempts = filing_attempts + 1, state = IF(state = 'submitting', 'queued', state),
            next_at = \(retryAt), lease = NULL
            """)
    }

    /// It was not sent now; again later.
    ///
    /// - Parameters:
    ///   - isServerAway: Tried again as soon as the submission server is back.
    ///   - isDoubtful: The server may have taken it.
    public func postpone(
        _ lease: Lease, recipients: [OutboxMessage.Recipient], until retryAt: Int64, _ trouble: OutboxMessage.Trouble,
        isServerAway: Bool, isDoubtful: Bool
    ) async throws -> Bool {
        try await update(
            lease,
            """
            recipients = \(try Self.json(recipients)), state = 'queued', next_at = \(retryAt), lease = NULL,
            is_server_away = \(isServerAway), is_doubtful = is_doubtful OR \(isDoubtful),
            error_code = \(trouble.code), error_message = \(trouble.message)
            """)
    }

    /// It will not be sent, to those at least who have not got it.
    ///
    /// - Parameter filingAt: When its copy is to be filed, where others have got it and that is still to be done.
    public func failed(
        _ lease: Lease, recipients: [OutboxMessage.Recipient], _ trouble: OutboxMessage.Trouble, filingAt: Int64
    ) async throws -> Bool {
        let isPartlySent = recipients.contains { $0.state == .accepted }
        return try await update(
            lease,
            """
            recipients = \(try Self.json(recipients)), state = \(isPartlySent ? "sent" : "failed"),
            next_at = IF(filing = 'due', \(filingAt), NULL), lease = NULL, is_server_away = FALSE,
            error_code = \(trouble.code), error_message = \(trouble.message),
            done_at = IF(filing = 'due', NULL, \(Timestamp.now()))
            """)
    }

    /// The submission server is back: what waits for it is due now.
    public func release() async throws {
        try await database.execute(
            """
            UPDATE outbox SET next_at = \(Timestamp.now())
            WHERE next_at > \(Timestamp.now()) AND is_server_away AND lease IS NULL AND state = 'queued'
            """)
    }

    private func update(_ lease: Lease, _ changes: SQL) async throws -> Bool {
        try await database.execute(
            "UPDATE outbox SET \(changes) WHERE id = \(lease.id) AND lease = \(lease.token)"
        ).affectedRows == 1
    }

    static let columns: SQL = """
        id, mailbox, sender, message_id, subject, size, is_8bit, is_utf8, recipients, filing_plan, state, filing,
        attempts, filing_attempts, created_at, send_at, next_at, lease, is_doubtful, error_code, error_message,
        sent_folder, sent_uid
        """
}

/// What its owner does with it.
extension OutboxStore {
    /// What is still to be sent, and what failed; the newest first.
    public func list(
        mailbox: String, _ page: PageRequest
    ) async throws -> (messages: [OutboxMessage], total: Int) {
        let condition: SQL = """
            mailbox = \(mailbox)
            AND (state IN ('queued', 'submitting', 'failed') OR state = 'sent' AND error_code IS NOT NULL)
            """
        let rows = try await database.query(
            "SELECT \(Self.columns) FROM outbox WHERE \(condition) ORDER BY id DESC" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM outbox WHERE \(condition)").first?.int("n")
        return (try rows.map { try OutboxMessage($0) }, total ?? 0)
    }

    /// Also what was sent or stopped lately.
    ///
    /// - Throws: `Failure.notFound` also for another mailbox's.
    public func find(_ id: Int64, mailbox: String) async throws -> OutboxMessage {
        let rows = try await database.query(
            """
            SELECT \(Self.columns) FROM outbox
            WHERE id = \(id) AND mailbox = \(mailbox) AND state <> 'composing'
            """)
        guard let row = rows.first else { throw Failure.notFound("This message") }
        return try OutboxMessage(row)
    }

    /// Stops a message that has not been handed to the server yet; takes one that failed, also for some alone, off the
    /// list.
    ///
    /// - Throws: `Failure`: `notFound`; `conflict` `already_sent` when it was, or may have been.
    public func stop(_ id: Int64, mailbox: String) async throws {
        try await database.transaction { tx in
            let rows = try tx.query(
                """
                SELECT \(Self.columns) FROM outbox
                WHERE id = \(id) AND mailbox = \(mailbox) AND state NOT IN ('composing', 'stopped') FOR UPDATE
                """)
            guard let row = rows.first else { throw Failure.notFound("This message") }
            let message = try OutboxMessage(row)
            if message.state == .sent, message.trouble != nil {
                try tx.execute("UPDATE outbox SET error_code = NULL, error_message = NULL WHERE id = \(id)")
                return
            }
            let isStillHere = message.state == .queued && message.accepted.isEmpty && !message.isDoubtful
            guard isStillHere || message.state == .failed else {
                throw Failure.conflict("already_sent", "The message is on its way already.")
            }
            try tx.execute(
                "UPDATE outbox SET state = 'stopped', next_at = NULL, done_at = \(Timestamp.now()) WHERE id = \(id)")
            try tx.execute("DELETE FROM outbox_chunks WHERE outbox_id = \(id)")
        }
    }
}

extension OutboxMessage {
    init(_ row: Row) throws {
        id = try row.int64("id")
        mailbox = try row.string("mailbox")
        sender = try row.string("sender")
        messageID = try row.string("message_id")
        subject = try row.string("subject")
        size = try row.int("size")
        is8Bit = try row.bool("is_8bit")
        isUTF8 = try row.bool("is_utf8")
        recipients = try JSONDecoder().decode([Recipient].self, from: Data(row.bytes("recipients")))
        plan = try JSONDecoder().decode(FilingPlan.self, from: Data(row.bytes("filing_plan")))
        state = State(rawValue: try row.string("state")) ?? .failed
        filing = FilingState(rawValue: try row.string("filing")) ?? .none
        attempts = try row.int("attempts")
        filingAttempts = try row.int("filing_attempts")
        createdAt = try row.int64("created_at")
        sendAt = try row.optionalInt64("send_at")
        nextAt = try row.optionalInt64("next_at")
        isLeased = try row.optionalInt64("lease") != nil
        isDoubtful = try row.bool("is_doubtful")
        trouble = try row.optionalString("error_code").map {
            Trouble(code: $0, message: try row.optionalString("error_message") ?? "")
        }
        sentFolder = try row.optionalString("sent_folder")
        sentUID = try row.optionalInt64("sent_uid").flatMap { UInt32(exactly: $0) }
    }
}
