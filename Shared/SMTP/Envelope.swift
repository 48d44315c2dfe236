/// Whom a message is from and to, apart from what its headers say (RFC 5321 §2.3.1).
public struct Envelope: Sendable, Hashable {
    /// Empty for the null reverse-path `<>`.
    public var sender: String
    public var recipients: [String]
    /// The message's headers hold UTF-8 (RFC 6531); found by itself for the envelope's addresses.
    public var hasUTF8Headers: Bool

    public init(sender: String, recipients: [String], hasUTF8Headers: Bool = false) {
        self.sender = sender
        self.recipients = recipients
        self.hasUTF8Headers = hasUTF8Headers
    }
}

/// What became of a message that the server took for at least one recipient.
public struct Delivery: Sendable, Hashable {
    public struct Rejection: Sendable, Hashable {
        public let recipient: String
        public let reply: SMTPReply
    }

    public let accepted: [String]
    public let rejected: [Rejection]
    /// The reply to the message itself, which often names its queue id.
    public let reply: SMTPReply
}
