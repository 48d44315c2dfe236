/// The code in brackets of a status response (RFC 9051 §7.1).
public enum ResponseCode: Sendable, Hashable {
    case alert
    case capability([IMAPCapability])
    case uidValidity(UInt32)
    case uidNext(UInt32)
    case unseen(UInt32)
    case highestModSeq(UInt64)
    case noModSeq
    case permanentFlags([MessageFlag])
    /// RFC 9051 §7.1: where APPEND put the messages.
    case appendUID(uidValidity: UInt32, uids: SequenceSet)
    case copyUID(CopiedMessages)
    /// UIDs a conditional STORE left alone (RFC 7162 §3.1.3).
    case modified(SequenceSet)
    case mailboxID(String)
    case closed
    case readOnly
    case readWrite
    case tryCreate
    case alreadyExists
    case nonExistent
    case cannot
    case inUse
    case limit
    case noPermission
    case overQuota
    case authenticationFailed
    case authorizationFailed
    case expired
    case unavailable
    case privacyRequired
    case clientBug
    case serverBug
    case contactAdmin
    case corruption
    case expungeIssued
    case notificationOverflow
    case uidNotSticky
    case unknownCTE
    case tooBig
    /// Any other, as sent.
    case other(String, argument: String?)
}

/// What COPY or MOVE did: the n-th of `source` became the n-th of `destination` (RFC 9051 §7.1, COPYUID).
public struct CopiedMessages: Sendable, Hashable {
    /// UIDVALIDITY of the destination.
    public var uidValidity: UInt32
    public var source: SequenceSet
    public var destination: SequenceSet
}
