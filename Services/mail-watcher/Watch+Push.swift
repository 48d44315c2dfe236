import MailModel

/// What a push adds: new mail whose summary came along is announced without asking anybody.
extension Watch {
    /// Early mail kept of one folder.
    private static let earlyLimit = 64

    /// A mail server pushed this.
    mutating func pushed(_ push: PushNote) -> [Act] {
        guard seeded else { return [.look] }
        var acts: [Act] = []
        for expunge in push.expunges where states[expunge.folder]?.uidValidity == expunge.uidValidity {
            acts += vanished(expunge.folder, [expunge.uid])
        }
        var states = push.states
        for (folder, arrivals) in Dictionary(grouping: push.arrivals, by: \.folder).sorted(by: { $0.key < $1.key }) {
            acts += arrived(folder, arrivals, states.removeValue(forKey: folder))
        }
        for (folder, now) in states.sorted(by: { $0.key < $1.key }) { acts += heard(folder, now) }
        if push.needsLook { acts.append(.look) }
        return acts
    }

    /// Announces what follows without a gap on what was announced before; in front of a gap it waits for the missing
    /// mail, whose push is on its way, or for the look.
    private mutating func arrived(_ folder: String, _ arrivals: [PushNote.Arrival], _ now: FolderState?) -> [Act] {
        guard let known = states[folder], !quiet.contains(folder),
            arrivals.allSatisfy({ $0.uidValidity == known.uidValidity })
        else { return now.map { heard(folder, $0) } ?? [.look] }
        var waiting = early[folder] ?? [:]
        for arrival in arrivals where arrival.message.uid >= known.uidNext {
            if waiting.count < Self.earlyLimit { waiting[arrival.message.uid] = arrival.message }
        }
        var state = known
        var acts: [Act] = []
        while let message = waiting.removeValue(forKey: state.uidNext), state.uidNext < .max {
            tell(folder, message.uid, message.flags)
            acts.append(.announce(.newMessage(folder: folder, message: message)))
            state.uidNext += 1
        }
        early[folder] = waiting.isEmpty ? nil : waiting
        states[folder] = state
        guard let now, now.uidNext == state.uidNext else {
            return acts + [.remember(folder: folder, state), .look]
        }
        return acts + (acts.isEmpty ? heard(folder, now) : count(folder, now, always: true))
    }
}
