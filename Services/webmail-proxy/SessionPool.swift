import IMAP
import MailModel

/// The books of `MailSessions`: which sessions there are, which are idle, who waits. Pure; its owner does the rest.
struct SessionPool {
    typealias Waiter = CheckedContinuation<MailSession?, any Error>

    enum Lease {
        case session(MailSession)
        /// A place was taken: open a session. One of another mailbox may have to give way.
        case open(evicted: MailSession?)
        case wait
        case full
    }

    enum Release {
        case kept
        case handedOn(Waiter)
        /// The session has ended; who waits may open another in its place.
        case dropped(Waiter?)
    }

    private struct Idle {
        let session: MailSession
        let since: ContinuousClock.Instant
    }

    private struct Waiting {
        let ticket: UInt64
        let deadline: ContinuousClock.Instant
        let continuation: Waiter
    }

    private struct Entry {
        /// The one used last is the last.
        var idle: [Idle] = []
        var leased: [ObjectIdentifier: MailSession] = [:]
        /// Sessions being opened.
        var opening = 0
        var waiting: [Waiting] = []
        /// Sessions that began before this have no right to live: milliseconds since 1970.
        var notBefore: Int64 = 0

        var count: Int { idle.count + leased.count + opening }
        var isEmpty: Bool { count == 0 && waiting.isEmpty }
    }

    static let busy = Failure(
        .unavailable, code: "mailbox_busy", "Too many calls use this mailbox at once; try again shortly.",
        retryAfter: .seconds(1))

    private let limits: MailSessions.Limits
    private var entries: [String: Entry] = [:]
    private var total = 0
    private var tickets: UInt64 = 0

    init(limits: MailSessions.Limits) { self.limits = limits }

    /// The best that can be done for a call at once.
    mutating func lease(_ account: String, folder: MailboxName?) -> Lease {
        var entry = takeEntry(account)
        defer { store(entry, account) }
        dropDead(&entry)
        let matches = entry.idle.indices.filter { folder == nil || entry.idle[$0].session.selection?.folder == folder }
        // One on the caller's own event loop if there is one: between the two of them no thread has to be waked.
        if let index = matches.last(where: { entry.idle[$0].session.connection.isOnCurrentLoop }) ?? matches.last {
            return .session(take(index, &entry))
        }
        // Another folder may get a session of its own; beyond a few the one unused longest is switched over.
        if !entry.idle.isEmpty, entry.count >= min(limits.folders, limits.perMailbox) {
            return .session(take(0, &entry))
        }
        if entry.count < limits.perMailbox {
            if total < limits.total {
                total += 1
                entry.opening += 1
                return .open(evicted: nil)
            }
            if !entry.idle.isEmpty { return .session(take(0, &entry)) }
            if let evicted = evictOldest(except: account) {
                total += 1
                entry.opening += 1
                return .open(evicted: evicted)
            }
            return entry.count == 0 ? .full : .wait
        }
        return .wait
    }

    /// An unused session, whatever folder it has selected.
    mutating func leaseIdle(_ account: String) -> MailSession? {
        guard var entry = entries[account] else { return nil }
        defer { store(entry, account) }
        dropDead(&entry)
        return entry.idle.isEmpty ? nil : take(0, &entry)
    }

    /// - Returns: false when the mailbox was revoked while the session was opened.
    mutating func opened(_ session: MailSession) -> Bool {
        var entry = takeEntry(session.account)
        defer { store(entry, session.account) }
        guard session.startedAt >= entry.notBefore else { return false }
        entry.opening -= 1
        entry.leased[ObjectIdentifier(session)] = session
        return true
    }

    /// Gives back a place whose session could not be opened.
    /// - Returns: Who may try next.
    mutating func vacate(_ account: String) -> Waiter? {
        var entry = takeEntry(account)
        defer { store(entry, account) }
        entry.opening -= 1
        total -= 1
        return handPlaceOn(&entry)
    }

    mutating func release(_ session: MailSession) -> Release {
        var entry = takeEntry(session.account)
        defer { store(entry, session.account) }
        guard entry.leased.removeValue(forKey: ObjectIdentifier(session)) != nil else { return .dropped(nil) }
        guard session.isOpen, session.startedAt >= entry.notBefore else {
            total -= 1
            return .dropped(handPlaceOn(&entry))
        }
        if !entry.waiting.isEmpty {
            entry.leased[ObjectIdentifier(session)] = session
            return .handedOn(entry.waiting.removeFirst().continuation)
        }
        entry.idle.append(Idle(session: session, since: .now))
        return .kept
    }

    // MARK: Waiting

    mutating func nextTicket() -> UInt64 {
        tickets += 1
        return tickets
    }

    /// Puts a call in line, unless something can be done for it by now: who came back before it stood there woke nobody.
    ///
    /// - Returns: `wait` when it stands in line; only then is `waiter` kept. `full` also when the line is.
    mutating func enqueue(_ waiter: Waiter, _ ticket: UInt64, of account: String, folder: MailboxName?) -> Lease {
        let lease = lease(account, folder: folder)
        guard case .wait = lease else { return lease }
        var entry = takeEntry(account)
        defer { store(entry, account) }
        guard entry.waiting.count < limits.waiting else { return .full }
        entry.waiting.append(Waiting(ticket: ticket, deadline: .now + limits.wait, continuation: waiter))
        return .wait
    }

    mutating func dequeue(_ ticket: UInt64, of account: String) -> Waiter? {
        guard var entry = entries[account], let index = entry.waiting.firstIndex(where: { $0.ticket == ticket }) else {
            return nil
        }
        defer { store(entry, account) }
        return entry.waiting.remove(at: index).continuation
    }

    // MARK: The end of sessions

    /// - Returns: The sessions to close; none when the revocation is known, or nobody uses the mailbox.
    mutating func revoke(_ account: String, before instant: Int64) -> [MailSession] {
        guard var entry = entries[account], entry.notBefore < instant else { return [] }
        entry.notBefore = instant
        let idle = entry.idle.filter { $0.session.startedAt < instant }.map(\.session)
        entry.idle.removeAll { $0.session.startedAt < instant }
        total -= idle.count
        // Those in use are closed now and booked out when they come back.
        let doomed = idle + entry.leased.values.filter { $0.startedAt < instant }
        store(entry, account)
        return doomed
    }

    mutating func takeIdle(of account: String) -> [MailSession] {
        guard var entry = entries[account] else { return [] }
        let sessions = entry.idle.map(\.session)
        total -= sessions.count
        entry.idle.removeAll()
        store(entry, account)
        return sessions
    }

    mutating func takeAllIdle() -> [MailSession] { entries.keys.flatMap { takeIdle(of: $0) } }

    /// - Returns: Sessions idle for too long, and those who have waited for too long.
    mutating func sweep(now: ContinuousClock.Instant) -> (sessions: [MailSession], waiters: [Waiter]) {
        var sessions: [MailSession] = []
        var waiters: [Waiter] = []
        for (account, var entry) in entries {
            let stale = entry.idle.filter { $0.since + limits.idle <= now || !$0.session.isOpen }
            let late = entry.waiting.filter { $0.deadline <= now }
            guard !stale.isEmpty || !late.isEmpty else { continue }
            entry.idle.removeAll { idle in stale.contains { $0.session === idle.session } }
            total -= stale.count
            entry.waiting.removeAll { $0.deadline <= now }
            sessions += stale.map(\.session)
            waiters += late.map(\.continuation)
            store(entry, account)
        }
        return (sessions, waiters)
    }

    // MARK: Steps

    /// Takes an entry out of the books, which are left as the only ones to hold it: so it is changed without being copied.
    /// `store` puts it back.
    private mutating func takeEntry(_ account: String) -> Entry { entries.removeValue(forKey: account) ?? Entry() }

    private mutating func store(_ entry: Entry, _ account: String) {
        entries[account] = entry.isEmpty ? nil : entry
    }

    private func take(_ index: Int, _ entry: inout Entry) -> MailSession {
        let session = entry.idle.remove(at: index).session
        entry.leased[ObjectIdentifier(session)] = session
        return session
    }

    private mutating func dropDead(_ entry: inout Entry) {
        let count = entry.idle.count
        entry.idle.removeAll { !$0.session.isOpen }
        total -= count - entry.idle.count
    }

    private mutating func handPlaceOn(_ entry: inout Entry) -> Waiter? {
        guard !entry.waiting.isEmpty else { return nil }
        entry.opening += 1
        total += 1
        return entry.waiting.removeFirst().continuation
    }

    private mutating func evictOldest(except account: String) -> MailSession? {
        let oldest = entries.filter { $0.key != account }
            .compactMap { name, entry in entry.idle.first.map { (name, $0.since) } }.min { $0.1 < $1.1 }
        guard let name = oldest?.0, var entry = entries[name] else { return nil }
        let session = entry.idle.removeFirst().session
        total -= 1
        store(entry, name)
        return session
    }
}
