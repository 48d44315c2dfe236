/// One response of the server (RFC 9051 §7).
public enum IMAPResponse: Sendable, Equatable {
    case untagged(UntaggedResponse)
    case tagged(String, StatusResponse)
    /// `+`: the server waits for more of the command (RFC 9051 §7.6).
    case continuation(String)
}

/// OK, NO, BAD, PREAUTH or BYE with code and text (RFC 9051 §7.1).
public struct StatusResponse: Sendable, Hashable {
    public enum Condition: String, Sendable { case ok = "OK", no = "NO", bad = "BAD", preauth = "PREAUTH", bye = "BYE" }

    public var condition: Condition
    public var code: ResponseCode?
    /// For people, in the server's words.
    public var text: String
}

/// A response that no tag ties to a command.
public enum UntaggedResponse: Sendable, Equatable {
    case status(StatusResponse)
    case capability([IMAPCapability])
    case enabled([IMAPCapability])
    case id([String: String])
    case list(ListedMailbox)
    case lsub(ListedMailbox)
    case mailboxStatus(MailboxStatus)
    case namespace(MailboxNamespaces)
    case quota(MailboxQuota)
    case quotaRoot(MailboxName, roots: [String])
    case flags([MessageFlag])
    case exists(UInt32)
    case recent(UInt32)
    case expunge(UInt32)
    /// UIDs gone; `earlier` when in answer to a question about the past (RFC 7162 §3.2.10).
    case vanished(SequenceSet, earlier: Bool)
    case search(SequenceSet, modSeq: UInt64?)
    case sort(SequenceSet, modSeq: UInt64?)
    case extendedSearch(ExtendedSearchResponse)
    case thread([MessageThread])
    indirect case fetch(FetchedMessage)
    /// A response we do not know or cannot read; at most the first kilobyte is kept.
    case other(String, [UInt8])
}

/// ESEARCH (RFC 9051 §7.3.4, RFC 5267).
public struct ExtendedSearchResponse: Sendable, Equatable {
    /// The tag of the command it belongs to.
    public var tag: String?
    public var isUID = false
    public var result = SearchResult()
}

/// What SEARCH or SORT found; only what was asked for is filled in.
public struct SearchResult: Sendable, Hashable {
    /// All matches, or those of the page asked for by PARTIAL; for SORT in sorted order.
    public var matches = SequenceSet()
    public var min: UInt32?
    public var max: UInt32?
    public var count: UInt32?
    public var modSeq: UInt64?

    public init() {}
}
