import Credentials
import IMAP
import Logging
import MailModel
import NIOCore

/// Watches one mailbox until its task is cancelled: logs in, listens, and comes back after every failure.
///
/// What is news is decided by `Watch` alone; this actor carries what is heard to it and its acts out.
actor MailboxWatch {
    let account: String
    private let server: IMAPConfiguration
    private let reconcileEvery: Duration
    private let tokens: MailTokenSource
    private let announcer: Announcer
    private let memory: WatchMemory
    private let logger: Logger

    private var watch = Watch()
    private var lastEvent: String?
    private var unsaved: [String: FolderState?] = [:]
    private var connection: IMAPConnection?
    /// Milliseconds since 1970.
    private var tokenAskedAt: Int64 = 0
    private var backoff = Backoff()
    private var current: WatchStatus

    /// - Parameter reconcileEvery: How often the whole mailbox is looked at even though nothing was heard: finds a dead
    ///   server, and what a hibernated session failed to tell.
    init(
        account: String, server: IMAPConfiguration, reconcileEvery: Duration, tokens: MailTokenSource,
        announcer: Announcer, memory: WatchMemory, logger: Logger
    ) {
        self.account = account
        self.server = server
        self.reconcileEvery = reconcileEvery
        self.tokens = tokens
        self.announcer = announcer
        self.memory = memory
        self.logger = logger
        current = WatchStatus(account: account)
    }

    var status: WatchStatus { current }

    func run() async {
        watch = await memory.recall(account)
        while !Task.isCancelled {
            do {
                current.state = .connecting
                try await listen()
            } catch {
                if Task.isCancelled { break }
                await noteFailure(error)
            }
        }
        current.state = .stopped
    }

    /// The mailbox's sessions were revoked: the token is forgotten, and a connection that is older is closed.
    /// - Parameter notBefore: Milliseconds since 1970; the same revocation may be told again.
    func sessionRevoked(notBefore: Int64) async {
        guard tokenAskedAt < notBefore else { return }
        await tokens.invalidate(account)
        connection?.close()
    }

    /// Another replica has the lease.
    func isWatchedElsewhere() {
        current.state = .stopped
        current.error = "watched_by_another_replica"
    }

    private func noteFailure(_ error: any Error) async {
        watch.interrupted()
        let trouble = WatchTrouble(error)
        if trouble.isRefusal { await tokens.invalidate(account) }
        current.state = .backoff
        current.error = trouble.code
        current.reconnects += 1
        logger.info("Watching interrupted", metadata: ["account": "\(account)", "error": "\(trouble.code)"])
        try? await Task.sleep(for: backoff.next(limit: trouble.retryLimit))
    }

    // MARK: One connection

    private func listen() async throws {
        tokenAskedAt = Timestamp.now()
        let token = try await tokens.token(for: account)
        let connection = try await IMAPConnection.connect(server, logger: logger)
        self.connection = connection
        defer {
            connection.close()
            self.connection = nil
        }
        try await connection.authenticate(.xoauth2(user: account, token: token), id: ["name": "xynap-mail"])
        try await open(connection)
        backoff.reset()
        current.state = .watching
        current.error = nil
        let heard = Hearing()
        // Renewed long before the 30 minutes after which servers give up (RFC 9051 §6.3.13).
        try await connection.idle(renewal: .minutes(4)) { events in
            try await listen(to: events, on: connection, heard)
        }
    }

    /// Selects INBOX, asks for news of all folders where the server can (RFC 5465), then looks at everything once:
    /// in this order, so that nothing falls between the look and the listening.
    private func open(_ connection: IMAPConnection) async throws {
        let can = connection.capabilities
        if can.isSuperset(of: [.qresync, .enable]) { _ = try await connection.run(.enable([.qresync])) }
        try await selectInbox(connection)
        if can.contains(.notify) {
            try await connection.run(
                .notify([
                    NotifyFilter(.selected, [.messageNew([.uid, .flags]), .messageExpunge, .flagChange]),
                    NotifyFilter(.personal, [.messageNew(), .messageExpunge, .flagChange, .mailboxName]),
                ]))
        }
        try await look(connection)
    }

    /// Opens INBOX to listen to it, and hears what changed there since, where the server can tell (QRESYNC).
    private func selectInbox(_ connection: IMAPConnection) async throws {
        let can = connection.capabilities
        let anchor = can.isSuperset(of: [.qresync, .enable]) ? watch.anchor(Folders.inbox) : nil
        let inbox = try await connection.run(
            .select(
                .inbox, readOnly: true, condstore: can.contains(.condstore),
                resync: anchor.map { QuickResync(uidValidity: $0.uidValidity, modSeq: $0.modSeq) }))
        guard let anchor, inbox.uidValidity == anchor.uidValidity else { return }
        try await perform(
            watch.vanished(Folders.inbox, inbox.vanished.numbers(limit: Hearing.limit))
                + watch.flagged(
                    Folders.inbox, inbox.changed.compactMap(Watch.FlagChange.init), through: inbox.highestModSeq ?? 0),
            connection)
    }

    private func listen(to events: IMAPEvents, on connection: IMAPConnection, _ heard: Hearing) async throws {
        let reconcileEvery = reconcileEvery
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await event in events { heard.add(event) }
                throw IMAPError.closed
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: reconcileEvery)
                    heard.remind()
                }
            }
            group.addTask {
                for await _ in heard.wakes { try await self.process(heard.take(), connection) }
                throw CancellationError()
            }
            // Each ends by throwing alone; the first to end takes the others with it.
            try await group.next()
        }
    }

    private func process(_ news: Hearing.News, _ connection: IMAPConnection) async throws {
        var acts = watch.vanished(Folders.inbox, news.vanished)
        acts += watch.flagged(Folders.inbox, news.flags)
        try await perform(acts, connection)
        try await look(connection)
    }

    /// One round trip that tells the state of every folder.
    private func look(_ connection: IMAPConnection) async throws {
        let folders = try await Folders.look(connection)
        try await perform(watch.listed(folders.states, quiet: folders.quiet), connection)
    }

    // MARK: Acts

    /// A fetch that fails keeps nothing else from being announced: it would not be news a second time.
    private func perform(_ acts: [Watch.Act], _ connection: IMAPConnection) async throws {
        var waiting = acts[...]
        var failure: (any Error)?
        while let act = waiting.popFirst() {
            switch act {
            case .announce(let kind):
                lastEvent = await announcer.announce(account, kind) ?? lastEvent
                current.lastEventAt = Timestamp.rfc3339(milliseconds: Timestamp.now())
            case .remember(let folder, let state): unsaved.updateValue(state, forKey: folder)
            case .fetch(let folder, let uidValidity, let uids):
                guard failure == nil else { continue }
                do {
                    waiting = try await fetch(folder, uidValidity, uids, connection) + waiting
                } catch { failure = error }
            }
        }
        // After the announcing: a crash in between is found by the next watch in the log of events.
        if !unsaved.isEmpty, await memory.remember(account, unsaved, lastEvent: lastEvent) { unsaved = [:] }
        if let failure { throw failure }
    }

    private func fetch(
        _ folder: String, _ uidValidity: UInt32, _ uids: Range<UInt32>, _ connection: IMAPConnection
    ) async throws -> [Watch.Act] {
        do {
            let messages = try await Folders.summaries(connection, folder, uidValidity: uidValidity, uids: uids)
            if folder != Folders.inbox { try await selectInbox(connection) }
            return watch.fetched(folder, uidValidity: uidValidity, uids: uids, messages)
        } catch let error as IMAPError where !error.endsConnection && folder != Folders.inbox {
            // Deleted just now, or closed to us; the next look tells which.
            watch.interrupted(folder)
            try await selectInbox(connection)
            return []
        }
    }
}

extension Watch.FlagChange {
    /// nil for a FETCH response without UID or flags.
    init?(_ message: FetchedMessage) {
        guard let uid = message.uid, let flags = message.flags else { return nil }
        self.init(uid: uid, flags: MessageSummary.words(flags), modSeq: message.modSeq)
    }
}
