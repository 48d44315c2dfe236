import Credentials
import IMAP
import MailModel

/// The connection of a watch, and what its acts ask the server.
extension MailboxWatch {
    /// The connection that is open, or a new one with INBOX selected.
    func session() async throws -> IMAPConnection {
        if let connection, connection.isOpen { return connection }
        return try await tools.turnstile.pass {
            tokenAskedAt = Timestamp.now()
            let token = try await tools.tokens.token(for: account)
            let connection = try await IMAPConnection.connect(tools.server, logger: tools.logger)
            self.connection = connection
            connectionExpires = .now + .seconds(5)
            do {
                try await connection.authenticate(.xoauth2(user: account, token: token), id: ["name": "xynap-mail"])
                try await open(connection)
                // A connection that stays needs its token no more, and another will want one that lasts.
                if current.method == .idle { await tools.tokens.invalidate(account) }
            } catch {
                disconnect()
                throw error
            }
            return connection
        }
    }

    func disconnect() {
        connection?.close()
        connection = nil
        connectionExpires = nil
    }

    /// Selects INBOX and asks for news of all folders where the server can (RFC 5465). Then everything is looked at: in
    /// this order, so that nothing falls between the look and the listening.
    private func open(_ connection: IMAPConnection) async throws {
        if connection.canResync { _ = try await connection.run(.enable([.qresync])) }
        try await selectInbox(connection)
        if current.method == .idle, connection.capabilities.contains(.notify) {
            try await connection.run(
                .notify([
                    NotifyFilter(.selected, [.messageNew([.uid, .flags]), .messageExpunge, .flagChange]),
                    NotifyFilter(.personal, [.messageNew(), .messageExpunge, .flagChange, .mailboxName]),
                ]))
        }
    }

    private func selectInbox(_ connection: IMAPConnection) async throws {
        let hasCondstore = connection.capabilities.contains(.condstore)
        _ = try await connection.run(.select(.inbox, readOnly: true, condstore: hasCondstore))
    }

    /// The summaries of new messages.
    func fetch(_ folder: String, _ uidValidity: UInt32, _ uids: Range<UInt32>) async throws -> [Watch.Act] {
        let connection = try await session()
        return try await visiting(folder, connection) {
            let messages = try await Folders.summaries(connection, folder, uidValidity: uidValidity, uids: uids)
            return watch.fetched(folder, uidValidity: uidValidity, uids: uids, messages)
        }
    }

    /// Flags changed and messages expunged since.
    func changes(
        _ folder: String, _ uidValidity: UInt32, since modSeq: UInt64, through: UInt64
    ) async throws -> [Watch.Act] {
        let connection = try await session()
        return try await visiting(folder, connection) {
            guard let changes = try await Folders.changes(connection, folder, uidValidity: uidValidity, since: modSeq)
            else { return [] }
            return watch.vanished(folder, changes.vanished)
                + watch.flagged(folder, changes.flags, through: through)
        }
    }

    /// Selects INBOX again when the body has left it. A folder that was deleted just now, or is closed to us, is left to
    /// the next look.
    private func visiting(
        _ folder: String, _ connection: IMAPConnection, _ body: () async throws -> [Watch.Act]
    ) async throws -> [Watch.Act] {
        do {
            let acts = try await body()
            if folder != Folders.inbox { try await selectInbox(connection) }
            return acts
        } catch let error as IMAPError where !error.endsConnection && folder != Folders.inbox {
            watch.interrupted(folder)
            try await selectInbox(connection)
            return []
        }
    }
}

extension IMAPConnection {
    /// Whether the server can tell what changed and what is gone since a MODSEQ (RFC 7162).
    var canResync: Bool { capabilities.isSuperset(of: [.qresync, .enable]) }
}

extension Watch.FlagChange {
    /// nil for a FETCH response without UID or flags.
    init?(_ message: FetchedMessage) {
        guard let uid = message.uid, let flags = message.flags else { return nil }
        self.init(uid: uid, flags: MessageSummary.words(flags), modSeq: message.modSeq)
    }
}
