import MailModel

/// What is known of one mailbox, and what is news: pure, fed by IDLE, push and polls alike.
///
/// A folder's `FolderState` says how far it was announced. Whoever hears of something, by whichever way and however
/// often, tells the watch; only what lies beyond the state is an act. So one mail is one event, and a mail that came
/// while nobody listened is announced as soon as the next look shows a greater UIDNEXT.
struct Watch: Sendable {
    /// What is to be done about something heard, in order.
    enum Act: Sendable, Equatable {
        /// Fetch the summaries of these UIDs and hand them to `fetched`.
        case fetch(folder: String, uidValidity: UInt32, uids: Range<UInt32>)
        case announce(MailEvent.Kind)
        /// Ask which flags were changed and which messages expunged since this MODSEQ (RFC 7162 §3.2.6), and hand the
        /// answer to `vanished` and `flagged`; it reaches to `through` at least.
        case changes(folder: String, uidValidity: UInt32, since: UInt64, through: UInt64)
        /// Look at the whole mailbox a moment later.
        case look
        /// Keep the state of a folder; nil forgets it.
        case remember(folder: String, FolderState?)
    }

    /// A message whose flags were set, by UID (RFC 7162 §3.1.4).
    struct FlagChange: Sendable, Equatable {
        let uid: UInt32
        let flags: [String]
        /// nil where the server has no CONDSTORE; the change cannot then be told from one heard before.
        let modSeq: UInt64?
    }

    /// More news than this in one folder at once are a `mail.resync`: a client lists faster than it hears them.
    static let burst: UInt32 = 1000

    var states: [String: FolderState]
    /// Folders in which the user's own copies land (Sent, Drafts, Trash): their mail is counted, not announced.
    var quiet: Set<String> = []
    /// False until the first full look: what is there then is not news.
    private(set) var seeded: Bool
    /// What came before the first full look is not known: then clients are to list again.
    private var hasGap: Bool
    /// What the server said of a folder whose summaries are being fetched.
    private var pending: [String: FolderState] = [:]
    /// A hash of the flags last told of a few messages: the server repeats those of a new mail, and its own echo of a
    /// change.
    private var told: [String: [UInt32: Int]] = [:]
    /// The MODSEQ at which the counts last told were taken: older ones, overtaken on their way, say nothing.
    private var countedAt: [String: UInt64] = [:]
    /// New mail that was pushed before the mail in front of it.
    var early: [String: [UInt32: MessageSummary]] = [:]
    /// Messages lately told to be gone: a SELECT with QRESYNC tells them again.
    private var toldGone: [String: Set<UInt32>] = [:]
    private static let toldLimit = 256

    /// - Parameters:
    ///   - states: What an earlier watch remembered; empty at the first.
    ///   - hasGap: An earlier watch announced something, and what it remembered is lost.
    init(states: [String: FolderState] = [:], hasGap: Bool = false) {
        self.states = states
        self.hasGap = hasGap
        seeded = !states.isEmpty
    }

    /// The whole mailbox was looked at.
    /// - Parameters:
    ///   - quiet: The folders with the role Sent, Drafts or Trash (RFC 6154 §2).
    ///   - untold: Folders whose state the server did not tell this time.
    ///   - tellsChanges: The server can say what changed since a MODSEQ (RFC 7162).
    mutating func listed(
        _ folders: [String: FolderState], quiet: Set<String>, untold: Set<String> = [], tellsChanges: Bool = false
    ) -> [Act] {
        self.quiet = quiet
        var acts: [Act] = hasGap ? [.announce(.resync)] : []
        hasGap = false
        for folder in states.keys.filter({ folders[$0] == nil && !untold.contains($0) }).sorted() {
            acts += renamed(folder, in: folders)
        }
        for (folder, state) in folders.sorted(by: { $0.key < $1.key }) {
            acts += heard(folder, state)
        }
        if seeded, tellsChanges { acts += changes(in: folders) }
        seeded = true
        return acts
    }

    /// A folder is gone. Where another with its UIDVALIDITY has come it was renamed (RFC 9051 §6.3.6): what is in that one
    /// is no news.
    private mutating func renamed(_ folder: String, in folders: [String: FolderState]) -> [Act] {
        guard var state = states[folder] else { return [] }
        let acts = gone(folder: folder)
        let heirs = folders.filter { name, now in
            states[name] == nil && now.uidValidity == state.uidValidity && now.uidNext >= state.uidNext
        }
        guard let (name, now) = heirs.min(by: { $0.key < $1.key }) else { return acts }
        (state.exists, state.unseen) = (now.exists, now.unseen)
        states[name] = state
        return acts + [
            .announce(.folderUpdate(folder: name, unseen: now.unseen, exists: now.exists)),
            .remember(folder: name, state),
        ]
    }

    private func changes(in folders: [String: FolderState]) -> [Act] {
        folders.sorted { $0.key < $1.key }.compactMap { folder, now in
            guard let known = states[folder], known.uidValidity == now.uidValidity, known.modSeq > 0,
                now.modSeq > known.modSeq
            else { return nil }
            return .changes(folder: folder, uidValidity: known.uidValidity, since: known.modSeq, through: now.modSeq)
        }
    }

    /// The server told the state of one folder.
    mutating func heard(_ folder: String, _ now: FolderState) -> [Act] {
        guard let known = states[folder] else {
            // A folder made while it is watched starts empty: what is in it came since.
            guard seeded else { return replace(folder, with: now) }
            states[folder] = FolderState(
                uidValidity: now.uidValidity, uidNext: 1, modSeq: now.modSeq, exists: 0, unseen: 0)
            return heard(folder, now)
        }
        guard now.uidValidity == known.uidValidity else {
            return [.announce(.resync)] + replace(folder, with: now)
        }
        // A smaller UIDNEXT is an old answer: somebody else heard of the mail before.
        guard now.uidNext > known.uidNext else { return now.uidNext == known.uidNext ? count(folder, now) : [] }
        if quiet.contains(folder) {
            states[folder]?.uidNext = now.uidNext
            return count(folder, now, always: true)
        }
        guard now.uidNext - known.uidNext <= Self.burst else {
            return [.announce(.resync)] + replace(folder, with: now)
        }
        if let asked = pending[folder], asked.uidNext >= now.uidNext { return [] }
        let first = max(known.uidNext, pending[folder]?.uidNext ?? 0)
        pending[folder] = now
        return [.fetch(folder: folder, uidValidity: now.uidValidity, uids: first..<now.uidNext)]
    }

    /// The summaries asked for. UIDs that are missing from them were expunged meanwhile.
    mutating func fetched(
        _ folder: String, uidValidity: UInt32, uids: Range<UInt32>, _ messages: [MessageSummary]
    ) -> [Act] {
        guard var state = states[folder], state.uidValidity == uidValidity, uids.upperBound > state.uidNext else {
            return []
        }
        guard uids.lowerBound <= state.uidNext else {
            return [.fetch(folder: folder, uidValidity: uidValidity, uids: state.uidNext..<uids.upperBound)]
        }
        let news = messages.filter { $0.uid >= state.uidNext && uids.contains($0.uid) }.sorted { $0.uid < $1.uid }
        state.uidNext = uids.upperBound
        states[folder] = state
        early[folder] = early[folder]?.filter { $0.key >= state.uidNext }
        for message in news { tell(folder, message.uid, message.flags) }
        var acts: [Act] = news.map { .announce(.newMessage(folder: folder, message: $0)) }
        if let now = pending[folder], now.uidNext <= state.uidNext {
            pending[folder] = nil
            acts += count(folder, now, always: true)
        } else {
            acts.append(.remember(folder: folder, state))
        }
        return acts
    }

    /// Flags changed; all that was heard of a folder at once, since one command may give many the same MODSEQ and
    /// the server tells them in no order.
    /// - Parameter through: The MODSEQ up to which these are all changes, where that is known (SELECT with QRESYNC).
    mutating func flagged(_ folder: String, _ changes: [FlagChange], through: UInt64 = 0) -> [Act] {
        guard var state = states[folder] else { return [] }
        // The news of an unannounced mail will carry its flags.
        let news = changes.filter { $0.uid < state.uidNext && $0.modSeq.map { $0 > state.modSeq } ?? true }
            .filter { tell(folder, $0.uid, $0.flags) }
        state.modSeq = max(state.modSeq, through, changes.compactMap(\.modSeq).max() ?? 0)
        guard !news.isEmpty || state != states[folder] else { return [] }
        states[folder] = state
        if news.count > Self.burst { return [.announce(.resync), .remember(folder: folder, state)] }
        return news.map { .announce(.flagsChanged(folder: folder, uid: $0.uid, flags: $0.flags)) }
            + [.remember(folder: folder, state)]
    }

    /// Messages were expunged. Those never announced are not missed either.
    mutating func vanished(_ folder: String, _ uids: [UInt32]) -> [Act] {
        guard let state = states[folder], !uids.isEmpty else { return [] }
        var known = toldGone[folder] ?? []
        if known.count >= Self.toldLimit { known = [] }
        let news = uids.filter { $0 < state.uidNext && known.insert($0).inserted }
        toldGone[folder] = known
        guard news.count < Hearing.limit else { return [.announce(.resync)] }
        return news.map { .announce(.messageGone(folder: folder, uid: $0)) }
    }

    /// A folder was deleted or renamed.
    mutating func gone(folder: String) -> [Act] {
        forget(folder)
        guard states.removeValue(forKey: folder) != nil else { return [] }
        return [.announce(.folderUpdate(folder: folder, unseen: 0, exists: 0)), .remember(folder: folder, nil)]
    }

    /// Somebody announced this mail already, as the event log shows; the state was not yet remembered.
    mutating func announced(_ folder: String, uid: UInt32) {
        guard let state = states[folder], uid >= state.uidNext, uid < .max else { return }
        states[folder]?.uidNext = uid + 1
    }

    /// The connection was lost: what was asked for will not come.
    mutating func interrupted() { pending = [:] }

    /// As `interrupted()`, for one folder.
    mutating func interrupted(_ folder: String) { pending[folder] = nil }

    /// UIDVALIDITY and MODSEQ of a folder, to hear what changed since (RFC 7162 §3.2.5.2).
    func anchor(_ folder: String) -> (uidValidity: UInt32, modSeq: UInt64)? {
        states[folder].flatMap { $0.modSeq > 0 ? ($0.uidValidity, $0.modSeq) : nil }
    }

    /// - Returns: False when these are the flags told last.
    @discardableResult mutating func tell(_ folder: String, _ uid: UInt32, _ flags: [String]) -> Bool {
        var known = told[folder] ?? [:]
        if known.count >= Self.toldLimit, known[uid] == nil { known = [:] }
        defer { told[folder] = known }
        let hash = Set(flags).hashValue
        return known.updateValue(hash, forKey: uid) != hash
    }

    private mutating func forget(_ folder: String) {
        pending[folder] = nil
        told[folder] = nil
        toldGone[folder] = nil
        countedAt[folder] = nil
        early[folder] = nil
    }

    private mutating func replace(_ folder: String, with now: FolderState) -> [Act] {
        forget(folder)
        states[folder] = now
        return [.remember(folder: folder, now)]
    }

    /// Announces new counts. MODSEQ stays: only what `flagged` heard, or a full look, has been told up to it.
    mutating func count(_ folder: String, _ now: FolderState, always: Bool = false) -> [Act] {
        guard now.modSeq == 0 || now.modSeq >= countedAt[folder] ?? 0 else {
            return always ? states[folder].map { [.remember(folder: folder, $0)] } ?? [] : []
        }
        countedAt[folder] = now.modSeq
        guard let known = states[folder], always || known.exists != now.exists || known.unseen != now.unseen else {
            return []
        }
        var state = known
        state.exists = now.exists
        state.unseen = now.unseen
        states[folder] = state
        return [
            .announce(.folderUpdate(folder: folder, unseen: now.unseen, exists: now.exists)),
            .remember(folder: folder, state),
        ]
    }
}
