/// What one FETCH response says of a message (RFC 9051 §7.5.2). A field is nil when the response had no such item,
/// or when the server wrote it in a form that cannot be read.
public struct FetchedMessage: Sendable, Equatable {
    /// The message sequence number, valid until the next EXPUNGE.
    public var sequenceNumber: UInt32
    public var uid: UInt32?
    public var flags: [MessageFlag]?
    public var internalDate: InternalDate?
    /// RFC822.SIZE, bytes.
    public var size: UInt64?
    public var modSeq: UInt64?
    public var envelope: MessageEnvelope?
    public var structure: BodyStructure?
    /// `BODY[…]` and `BINARY[…]` items in the order sent.
    public var sections: [FetchedSection] = []
    /// `BINARY.SIZE[…]`, bytes after decoding, by part (RFC 3516 §4.3).
    public var binarySizes: [BinarySize] = []
    /// The text preview; nil also when the server has none (RFC 8970 §3.1).
    public var preview: String?
    /// Dovecot's X-GUID, 32 hexadecimal digits.
    public var guid: String?
    /// EMAILID and THREADID (RFC 8474 §5).
    public var emailID: String?
    public var threadID: String?
    /// When the message came into this mailbox (RFC 8514).
    public var saveDate: InternalDate?

    public init(sequenceNumber: UInt32) {
        self.sequenceNumber = sequenceNumber
    }

    /// The bytes of a section, whether it was asked for as BODY, BODY.PEEK or BINARY; nil if absent or NIL.
    public func bytes(of section: MessageSection) -> [UInt8]? {
        // Servers write the header names in a case of their own.
        let section = section.caseFolded
        return sections.first { $0.section.caseFolded == section }?.bytes
    }

    /// Decoded size of one part.
    public struct BinarySize: Sendable, Hashable {
        public var part: [Int]
        public var bytes: UInt64
    }
}

/// The bytes of one section of a message.
public struct FetchedSection: Sendable, Equatable {
    public var section: MessageSection
    /// For partial fetches, the offset of the first byte.
    public var origin: UInt64?
    /// True for BINARY: the transfer encoding is taken off already (RFC 3516).
    public var isDecoded: Bool
    /// Nil when the server sent NIL: there is no such part.
    public var bytes: [UInt8]?
}

/// A part of a message that can be fetched (RFC 9051 §6.4.5.1).
public struct MessageSection: Hashable, Sendable {
    /// Which text of the part.
    public enum Text: Hashable, Sendable {
        /// All of it: for a message, headers and body; for a part, its body.
        case all
        case header
        case headerFields([String])
        case headerFieldsNot([String])
        case text
        /// The MIME headers of a part.
        case mime
    }

    /// Part numbers from 1, outermost first; empty for the message itself.
    public var part: [Int]
    public var text: Text

    public init(part: [Int] = [], text: Text = .all) {
        self.part = part
        self.text = text
    }

    var caseFolded: MessageSection {
        switch text {
        case .headerFields(let names): Self(part: part, text: .headerFields(names.map { $0.lowercased() }))
        case .headerFieldsNot(let names): Self(part: part, text: .headerFieldsNot(names.map { $0.lowercased() }))
        case .all, .header, .text, .mime: self
        }
    }

    /// `BODY[]`
    public static let message = MessageSection()
    /// `BODY[HEADER]`
    public static let header = MessageSection(text: .header)
    /// `BODY[1.2]`
    public static func part(_ numbers: [Int]) -> Self { Self(part: numbers) }
}
