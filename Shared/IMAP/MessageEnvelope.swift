/// The ENVELOPE of a message (RFC 9051 §7.5.2).
///
/// Texts are as the server holds them: encoded words (RFC 2047) are not decoded here. Bytes that are no UTF-8 are
/// read as ISO 8859-1, so that nothing is lost.
public struct MessageEnvelope: Sendable, Hashable {
    /// The Date header, unparsed.
    public var date: String?
    public var subject: String?
    public var from: [EnvelopeAddress] = []
    public var sender: [EnvelopeAddress] = []
    public var replyTo: [EnvelopeAddress] = []
    public var to: [EnvelopeAddress] = []
    public var cc: [EnvelopeAddress] = []
    public var bcc: [EnvelopeAddress] = []
    /// With angle brackets, possibly several.
    public var inReplyTo: String?
    /// With angle brackets.
    public var messageID: String?
}

/// One address of an envelope.
public struct EnvelopeAddress: Sendable, Hashable {
    /// The display name, possibly in encoded words.
    public var name: String?
    /// Before the `@`; for the start of a group, the group's name; nil at the end of a group.
    public var mailbox: String?
    /// After the `@`; nil for a group's start and end.
    public var host: String?

    public init(name: String?, mailbox: String?, host: String?) {
        self.name = name
        self.mailbox = mailbox
        self.host = host
    }

    /// False for the start and the end of a group.
    public var isMailbox: Bool { mailbox != nil && host != nil }

    /// `mailbox@host`; nil for group markers.
    public var address: String? {
        guard let mailbox, let host else { return nil }
        return "\(mailbox)@\(host)"
    }
}
