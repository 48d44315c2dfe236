/// News from the server that no command asked for (RFC 9051 §7).
public enum IMAPEvent: Sendable, Equatable {
    /// The selected mailbox now holds so many messages.
    case exists(UInt32)
    /// The message with this sequence number is gone; those above move down by one.
    case expunged(sequenceNumber: UInt32)
    /// These UIDs are gone (with QRESYNC).
    case vanished(SequenceSet)
    /// Flags changed, or new mail told by NOTIFY.
    case fetched(FetchedMessage)
    /// Another mailbox changed (NOTIFY).
    case mailboxStatus(MailboxStatus)
    /// A mailbox came, went or was renamed (NOTIFY).
    case listed(ListedMailbox)
    case flags([MessageFlag])
    /// An untagged OK, NO or BAD; `.alert` is to be shown to people.
    case status(StatusResponse)
    /// Anything else.
    case other(UntaggedResponse)
    /// The owner was too slow and events were dropped: what is known of mailboxes must be checked anew.
    case lost

    init(_ response: UntaggedResponse) {
        self =
            switch response {
            case .exists(let count): .exists(count)
            case .expunge(let number): .expunged(sequenceNumber: number)
            case .vanished(let uids, _): .vanished(uids)
            case .fetch(let message): .fetched(message)
            case .mailboxStatus(let status): .mailboxStatus(status)
            case .list(let mailbox): .listed(mailbox)
            case .flags(let flags): .flags(flags)
            case .status(let status): .status(status)
            default: .other(response)
            }
    }
}

/// What went over the wire so far.
public struct IMAPTraffic: Sendable, Equatable {
    public var commands = 0
    /// Writes to the socket. As many commands as are pipelined share one, so this counts round trips.
    public var flushes = 0
    public var bytesSent = 0
    public var bytesReceived = 0
}
