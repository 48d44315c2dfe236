import MailModel

/// Where a client left off: the last event that it heard of each mailbox, or of all together.
///
/// Ids order the events of one mailbox. Those of several come from several writers, so that an event may follow one with
/// a greater id: who listens to several misses nothing by one id for each.
struct Since: Sendable, Equatable {
    private var byAccount: [String: EventID] = [:]
    private var others: EventID?

    /// - Parameter texts: Each `<id>`, or `<account>:<id>` for one mailbox.
    /// - Returns: nil when none says anything.
    /// - Throws: `Failure` `invalid`.
    init?(_ texts: [String]) throws {
        for text in texts where !text.isEmpty {
            let colon = text.lastIndex(of: ":")
            guard let id = EventID(String(colon.map { text[$0...].dropFirst() } ?? text[...])) else {
                throw Failure.invalid(
                    "since", code: "malformed", "must be the id of an event, or a mailbox, a colon and an id")
            }
            if let colon {
                byAccount[try EmailAddress(String(text[..<colon]), field: "since").description] = id
            } else {
                others = id
            }
        }
        if byAccount.isEmpty, others == nil { return nil }
    }

    /// The event after which this mailbox is to be replayed. Of one that is not named nothing was heard since the first of
    /// the others.
    func id(of account: String) -> EventID? { byAccount[account] ?? others ?? byAccount.values.min() }
}
