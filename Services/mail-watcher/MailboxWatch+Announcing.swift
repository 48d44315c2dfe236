import EventBus
import IMAP
import MailModel

/// How the acts of a watch become events, in order.
extension MailboxWatch {
    /// Events kept while Redis is away; beyond them the log tells to list again.
    private static let backlogLimit = 1000
    /// How often all is remembered again though nothing changed, so that it lives, and comes back where Redis lost it.
    private static let renewal = Duration.seconds(3600)

    /// A fetch that fails keeps nothing else from being announced: it would not be news a second time.
    /// - Throws: `EventBus.LeaseLost`; why the server could not be asked.
    func perform(_ acts: [Watch.Act], heardAt: ContinuousClock.Instant? = nil) async throws {
        var waiting = acts[...]
        var failure: (any Error)?
        while let act = waiting.popFirst() {
            switch act {
            case .announce(.folderUpdate(let folder, let unseen, let exists)):
                let kind = MailEvent.Kind.folderUpdate(folder: folder, unseen: unseen, exists: exists)
                if updates.offer(kind, of: folder, now: .now) { try await announce(kind) }
            case .announce(let kind): try await announce(kind, heardAt: heardAt)
            case .remember(let folder, let state): unsaved.updateValue(state, forKey: folder)
            case .look: hearing.remind(in: .milliseconds(50))
            case .fetch, .changes:
                guard failure == nil else { continue }
                do { waiting = try await ask(act) + waiting } catch { failure = error }
            }
        }
        await save()
        if let failure { throw failure }
    }

    /// Tells the counts that were held back and are due, and puts into the log what it lacks.
    func tellHeldBack() async throws {
        if !backlog.isEmpty {
            do { try await publishBacklog() } catch let lost as EventBus.LeaseLost { throw lost } catch {}
        }
        for kind in updates.due(.now) { try await announce(kind) }
    }

    private func ask(_ act: Watch.Act) async throws -> [Watch.Act] {
        switch act {
        case .fetch(let folder, let uidValidity, let uids): try await fetch(folder, uidValidity, uids)
        case .changes(let folder, let uidValidity, let since, let through):
            try await changes(folder, uidValidity, since: since, through: through)
        default: []
        }
    }

    /// After the announcing: a crash in between is found by the next watch in the log of events.
    private func save() async {
        if savedAt + Self.renewal <= .now {
            unsaved.merge(watch.states.mapValues(Optional.some)) { changed, _ in changed }
        }
        guard !unsaved.isEmpty, await tools.memory.remember(account, unsaved, lastEvent: lastLogged) else { return }
        unsaved = [:]
        savedAt = .now
    }

    /// Gives the event its id and sends it on its way: through Redis to every replica, or, while Redis is away, to this
    /// replica's listeners, and into the log later, with the same id. So nobody hears it twice or misses it.
    private func announce(_ kind: MailEvent.Kind, heardAt: ContinuousClock.Instant? = nil) async throws {
        let now = Timestamp.now()
        var event = MailEvent(account: account, at: now, kind: kind)
        let id = (lastID ?? EventID(milliseconds: 0)).next(at: UInt64(clamping: now))
        lastID = id
        event.id = id.description
        current.lastEventAt = Timestamp.rfc3339(milliseconds: now)
        do {
            try await publishBacklog()
            try await publish(event)
        } catch let lost as EventBus.LeaseLost { throw lost } catch {
            tools.announcer.deliverHere(event)
            backlog.append(event)
        }
        tools.metrics.announced(kind, after: heardAt?.duration(to: .now), by: current.method)
    }

    /// What was told here alone will never be in the log: who heard it lists again.
    func dropBacklog() {
        guard let last = backlog.last else { return }
        backlog = []
        tools.announcer.deliverHere(MailEvent(account: account, at: last.at, kind: .resync))
    }

    /// After the lease was nobody's: goes on where the log is as it was left.
    /// - Throws: `EventBus.LeaseLost` when another replica has announced since; then what it remembered counts.
    func checkLease() async throws {
        guard isLeaseNew else { return }
        // While Redis is away nobody announces; it is asked again with the next news.
        guard let latest = try? await tools.memory.latestEvent(of: account) else { return }
        isLeaseNew = false
        guard latest.isEmpty || latest == lastLogged || backlog.contains(where: { $0.id == latest }) else {
            throw EventBus.LeaseLost()
        }
    }

    private func publishBacklog() async throws {
        if backlog.count > Self.backlogLimit, let last = backlog.last {
            // The log gets one word for all of it, under the last id told here.
            backlog = [MailEvent(id: last.id, account: account, at: last.at, kind: .resync)]
        }
        while let event = backlog.first {
            try await publish(event)
            backlog.removeFirst()
        }
    }

    private func publish(_ event: MailEvent) async throws {
        let id = try await tools.announcer.publish(event, after: lastLogged)
        lastLogged = id
        if let id = EventID(id), id > lastID ?? id { lastID = id }
    }
}
