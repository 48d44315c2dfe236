/// A message to be sent, or kept as a draft.
public struct OutgoingMessage: Sendable {
    public struct Attachment: Sendable {
        public var filename: String
        /// `type/subtype`; anything malformed is sent as `application/octet-stream`.
        public var contentType: String
        /// Without angle brackets; with it the part is sent inline, in a `multipart/related` beside the HTML (RFC 2387).
        public var contentID: String?
        public var content: [UInt8]

        public init(filename: String, contentType: String, contentID: String? = nil, content: [UInt8]) {
            self.filename = filename
            self.contentType = contentType
            self.contentID = contentID
            self.content = content
        }
    }

    public var from: MIMEAddress
    public var replyTo: [MIMEAddress] = []
    public var to: [MIMEAddress] = []
    public var cc: [MIMEAddress] = []
    /// In a draft alone, and in the sender's own copy: what is sent has no Bcc, and blind recipients belong to the SMTP
    /// envelope.
    public var bcc: [MIMEAddress] = []
    public var subject = ""
    /// Milliseconds since 1970.
    public var date: Int64
    /// Without angle brackets, as are the two below.
    public var messageID: String
    public var inReplyTo: String?
    public var references: [String] = []
    /// Further headers, such as `X-…`; the ones the composer writes itself and `Bcc` are refused.
    public var headers: [MIMEHeader] = []
    public var plain: String?
    public var html: String?
    public var attachments: [Attachment] = []

    public init(from: MIMEAddress, date: Int64, messageID: String) {
        self.from = from
        self.date = date
        self.messageID = messageID
    }
}
