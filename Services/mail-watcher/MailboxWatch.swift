import Credentials
import EventBus
import IMAP
import Logging
import MailModel
import NIOCore

/// What all watches of this replica share.
final class WatchTools: Sendable {
    let server: IMAPConfiguration
    /// How often a mailbox is looked at though nothing was heard of it: beside IDLE, and where only looks tell.
    let reconcileEvery, pollEvery: Duration
    let tokens: MailTokenSource
    let choice: MethodChoice
    let memory: WatchMemory
    let announcer: Announcer
    /// In front of the server's login.
    let turnstile: Turnstile
    let metrics: WatchMetrics
    let logger: Logger

    init(
        server: IMAPConfiguration, reconcileEvery: Duration, pollEvery: Duration, tokens: MailTokenSource,
        choice: MethodChoice, memory: WatchMemory, announcer: Announcer, turnstile: Turnstile, metrics: WatchMetrics,
        logger: Logger
    ) {
        self.server = server
        self.reconcileEvery = reconcileEvery
        self.pollEvery = pollEvery
        self.tokens = tokens
        self.choice = choice
        self.memory = memory
        self.announcer = announcer
        self.turnstile = turnstile
        self.metrics = metrics
        self.logger = logger
    }
}

/// Watches one mailbox until its task is cancelled: looks, listens, and comes back after every failure.
///
/// What is news is decided by `Watch` alone; this actor carries what is heard to it and its acts out. The way of hearing
/// decides only when it looks: with IDLE a connection stays open; beside push and between polls there is none. Its task
/// waits nearly always, and there are many: what asks servers runs `apart`.
actor MailboxWatch {
    /// The way of hearing is another now.
    struct MethodChanged: Error {}

    nonisolated let account: String
    nonisolated let hearing = Hearing()
    let tools: WatchTools

    var watch = Watch()
    var current: WatchStatus
    var connection: IMAPConnection?
    /// When the connection is given up, where none is needed to listen.
    var connectionExpires: ContinuousClock.Instant?
    /// Milliseconds since 1970.
    var tokenAskedAt: Int64 = 0
    private var backoff = Backoff()
    private var steadiness = Steadiness()
    /// New mail that a look found before its push came, by folder.
    private var unconfirmed: [String: ContinuousClock.Instant] = [:]

    // On their way out: `MailboxWatch+Announcing`.
    var lastID: EventID?
    var lastLogged: String?
    var backlog: [MailEvent] = []
    var updates = FolderUpdates()
    var unsaved: [String: FolderState?] = [:]
    var savedAt = ContinuousClock.now
    /// The lease was nobody's for a while: another replica may have announced since.
    var isLeaseNew = false

    init(account: String, tools: WatchTools) {
        self.account = account
        self.tools = tools
        current = WatchStatus(account: account)
    }

    var status: WatchStatus { current }

    func run() async {
        while !Task.isCancelled {
            current.state = .connecting
            do {
                try await apart { await self.recall() }
                try await hearUntilLost()
            } catch {
                // Another replica may have gone on from what was remembered; so does whoever has the lease next.
                isWatchedElsewhere()
                dropBacklog()
                try? await Task.sleep(for: .seconds(1))
            }
        }
        dropBacklog()
        disconnect()
        current.state = .stopped
    }

    /// The mailbox's sessions were revoked: the token is forgotten, and a connection that is older is closed.
    /// - Parameter notBefore: Milliseconds since 1970; the same revocation may be told again.
    func sessionRevoked(notBefore: Int64) async {
        guard tokenAskedAt < notBefore else { return }
        await tools.tokens.invalidate(account)
        connection?.close()
        // Whether the mailbox may still be watched is found now, not at the next look.
        hearing.remind()
    }

    /// Another replica has the lease.
    func isWatchedElsewhere() {
        current.state = .stopped
        current.error = "watched_by_another_replica"
    }

    /// The lease had ended, and is ours again.
    func leaseWasTaken() {
        isLeaseNew = true
        hearing.wake(in: .milliseconds(1))
    }

    private func recall() async {
        isLeaseNew = false
        unsaved = [:]
        updates = FolderUpdates()
        let memory = await tools.memory.recall(account)
        watch = memory.watch
        lastID = memory.lastEvent.flatMap { EventID($0) }
        lastLogged = memory.lastEvent
    }

    /// - Throws: `EventBus.LeaseLost`.
    private func hearUntilLost() async throws {
        while !Task.isCancelled {
            do { try await hear() } catch is MethodChanged {} catch let lost as EventBus.LeaseLost {
                disconnect()
                throw lost
            } catch {
                if Task.isCancelled { return }
                disconnect()
                try await noteFailure(error)
                continue
            }
            disconnect()
        }
    }

    /// - Throws: `EventBus.LeaseLost`.
    private func noteFailure(_ error: any Error) async throws {
        watch.interrupted()
        let trouble = WatchTrouble(error)
        if trouble.isRefusal { await tools.tokens.invalidate(account) }
        if current.method == .idle, current.state == .watching { steadiness.broke() }
        current.state = .backoff
        current.error = trouble.code
        current.reconnects += 1
        tools.metrics.reconnected()
        tools.logger.info(
            "Watching interrupted", metadata: ["account": "\(account)", "error": "\(trouble.code)"])
        try await rest(until: .now + backoff.next(limit: trouble.retryLimit))
    }

    /// Before the next attempt. Mail whose summary is pushed meanwhile is announced without the server; all else waits for
    /// the look.
    private func rest(until end: ContinuousClock.Instant) async throws {
        while end > .now {
            hearing.wake(in: end - .now)
            guard let news = await hearing.next() else { return }
            try await apart { try await self.tellAlone(news) }
        }
    }

    /// Announces what needs no server.
    private func tellAlone(_ news: Hearing.News) async throws {
        try await checkLease()
        let told = acts(on: news).filter { act in
            switch act {
            case .fetch, .changes, .look: false
            case .announce, .remember: true
            }
        }
        watch.interrupted()
        try await perform(told, heardAt: news.since)
        try await tellHeldBack()
    }

    // MARK: Listening

    private func hear() async throws {
        let choice = steadiness.allows(tools.choice.current)
        current.method = choice.method
        current.methodReason = choice.reason
        let connection = try await apart { try await self.begin() }
        unconfirmed = [:]
        backoff.reset()
        current.state = .watching
        current.error = nil
        hearing.begin()
        guard choice.method == .idle else {
            disconnect()
            return try await attend()
        }
        guard connection.capabilities.contains(.idle) else {
            tools.choice.idleIsMissing()
            throw MethodChanged()
        }
        steadiness.began()
        // Renewed before a NAT forgets the connection, and long before the 30 minutes after which servers give up
        // (RFC 9051 §6.3.13).
        try connection.startIdling(renewal: .minutes(4)) { [hearing] told in hearing.add(told) }
        defer { connection.stopIdling() }
        try await attend()
    }

    private func begin() async throws -> IMAPConnection {
        let connection = try await session()
        try await look(connection)
        return connection
    }

    private func attend() async throws {
        scheduleLook()
        // What the first look held back, or could not put into the log.
        attendToTime(.now)
        while let news = await hearing.next() { try await apart { try await self.process(news) } }
        throw CancellationError()
    }

    private func process(_ news: Hearing.News) async throws {
        if let ended = news.ended {
            try await tellAlone(news)
            throw ended
        }
        try await checkLease()
        try await perform(acts(on: news), heardAt: news.since)
        try await tellHeldBack()
        // Asked again on a new connection: who overflows again and again is then polled for a while.
        if news.notifyEnded { throw IMAPError.closed }
        if news.look {
            scheduleLook()
            guard steadiness.allows(tools.choice.current).method == current.method else { throw MethodChanged() }
            try await look(session(), heardAt: news.since)
            // Whoever pushes once pushes again: a flood of changes is one login.
            connectionExpires = .now + (news.pushes.isEmpty ? .zero : .seconds(5))
        }
        attendToTime(.now)
    }

    private func acts(on news: Hearing.News) -> [Watch.Act] {
        var acts: [Watch.Act] = []
        for push in news.pushes {
            for arrival in push.arrivals { unconfirmed[arrival.folder] = nil }
            acts += watch.pushed(push)
        }
        return acts + watch.vanished(Folders.inbox, news.vanished) + watch.flagged(Folders.inbox, news.flags)
    }

    /// What is due by time alone; then sets the next alarm.
    private func attendToTime(_ now: ContinuousClock.Instant) {
        if current.method != .idle, let expires = connectionExpires, expires <= now { disconnect() }
        if unconfirmed.values.contains(where: { $0 <= now }) {
            unconfirmed = [:]
            tools.choice.pushMissed(now: now)
        }
        let expiry = current.method == .idle || connection == nil ? nil : connectionExpires
        let retry = backlog.isEmpty ? nil : now + .milliseconds(500)
        let next = [expiry, retry, updates.nextDue, unconfirmed.values.min()].compactMap { $0 }.min()
        if let next { hearing.wake(in: max(.milliseconds(1), next - .now)) }
    }

    private func scheduleLook() {
        let interval = current.method == .idle ? tools.reconcileEvery : tools.pollEvery
        hearing.lookIsDue(at: .now + interval * Double.random(in: 0.9...1.1))
    }

    /// One round trip that tells the state of every folder.
    private func look(_ connection: IMAPConnection, heardAt: ContinuousClock.Instant? = nil) async throws {
        let folders = try await Folders.look(connection)
        // The lease may have ended while the server was asked.
        try await checkLease()
        let acts = watch.listed(
            folders.states, quiet: folders.quiet, untold: folders.untold, tellsChanges: connection.canResync)
        if current.method == .push, current.state == .watching {
            for case .fetch(let folder, _, _) in acts { unconfirmed[folder] = .now + .seconds(2) }
        }
        try await perform(acts, heardAt: heardAt)
    }
}

/// Whether the connections of one mailbox hold: who is thrown out again and again polls for a while instead.
struct Steadiness: Sendable {
    private static let patience = 3
    private static let short = Duration.seconds(30)
    private static let rest = Duration.seconds(600)

    private var begun = ContinuousClock.now
    private var breaks = 0
    private var restsUntil: ContinuousClock.Instant?

    mutating func began() { begun = .now }

    /// The connection ended.
    mutating func broke() {
        breaks = ContinuousClock.now - begun < Self.short ? breaks + 1 : 0
        guard breaks >= Self.patience else { return }
        breaks = 0
        restsUntil = .now + Self.rest
    }

    func allows(_ choice: MethodChoice.Choice) -> MethodChoice.Choice {
        guard choice.method == .idle, choice.reason != "forced", let restsUntil, restsUntil > .now else {
            return choice
        }
        return MethodChoice.Choice(method: .poll, reason: "idle_breaks")
    }
}
