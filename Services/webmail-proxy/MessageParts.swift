import IMAP
import MIME

/// What a message is made of, as its BODYSTRUCTURE tells (RFC 9051 §7.5.2): the texts to show, and the rest.
struct MessageParts: Sendable {
    /// A part that is not shown as text.
    struct Attachment: Sendable, Equatable {
        /// `2.1`: what names it in a URL and in IMAP.
        let part: String
        let filename: String?
        let contentType: String
        /// Decoded bytes; of base64 reckoned from the encoded length, exact to two bytes.
        let size: UInt64
        /// Without angle brackets.
        let contentID: String?
        /// Meant to be shown in the text, not beside it.
        let isInline: Bool
    }

    /// A text to show, still to be fetched.
    struct Text: Sendable {
        let section: [Int]
        let structure: BodyStructure
        var isHTML: Bool { structure.subtype == "html" }
    }

    /// As many texts as are shown of one message; what comes after is offered as attachments.
    private static let maximumTexts = 16

    let texts: [Text]
    let attachments: [Attachment]

    init(_ structure: BodyStructure) {
        var texts: [Text] = []
        var attachments: [Attachment] = []
        for leaf in structure.leaves {
            if Self.isText(leaf), texts.count < Self.maximumTexts {
                texts.append(Text(section: leaf.section, structure: leaf.structure))
            } else {
                attachments.append(Attachment(leaf))
            }
        }
        self.texts = texts
        self.attachments = attachments
    }

    /// Of a message whose structure the server does not tell.
    static let none = MessageParts(texts: [], attachments: [])

    private init(texts: [Text], attachments: [Attachment]) {
        self.texts = texts
        self.attachments = attachments
    }

    /// Whether there is something beside the text: pictures shown in it do not count.
    var hasAttachments: Bool { attachments.contains { !$0.isInline } }

    /// The part of that number; nil for a number that is no leaf of this message.
    static func leaf(_ part: String, in structure: BodyStructure) -> BodyStructure.Leaf? {
        structure.leaves.first { Attachment.path($0.section) == part }
    }

    private static func isText(_ leaf: BodyStructure.Leaf) -> Bool {
        leaf.structure.type == "text" && ["plain", "html"].contains(leaf.structure.subtype)
            && leaf.structure.disposition != "attachment" && leaf.structure.fileName == nil
    }
}

extension MessageParts.Attachment {
    init(_ leaf: BodyStructure.Leaf) {
        let structure = leaf.structure
        part = Self.path(leaf.section)
        filename = Self.filename(structure)
        contentType = structure.mediaType
        contentID = structure.contentID.map { $0.trimmingPrefix("<") }.map {
            String($0.hasSuffix(">") ? $0.dropLast() : $0)
        }
        // Some senders call pictures of the text attachments; what refers to them by content id decides.
        isInline =
            structure.disposition == "inline" && structure.type == "image"
            || contentID != nil && leaf.within.contains("related") && structure.disposition != "attachment"
        switch structure.encoding {
        // Lines of 76 characters and CRLF hold 57 bytes, four characters hold three (RFC 2045 §6.8).
        case "base64": size = structure.size / 78 * 57 + structure.size % 78 / 4 * 3
        default: size = structure.size
        }
    }

    static func path(_ section: [Int]) -> String { section.map(String.init).joined(separator: ".") }

    static func filename(_ structure: BodyStructure) -> String? {
        guard structure.fileName != nil else { return nil }
        return MailText.parameters(structure.dispositionParameters)["filename"]
            ?? MailText.parameters(structure.parameters)["name"]
    }
}
