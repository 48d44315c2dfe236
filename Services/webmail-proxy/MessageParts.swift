import IMAP
import MIME
import MailModel

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
        var isInline: Bool
        /// What is known of a forwarded message without opening it.
        var message: Enclosed?
    }

    /// A message that is attached to another.
    struct Enclosed: Sendable, Equatable {
        let subject: String
        let from: MIMEAddress?
        /// Milliseconds since 1970.
        let date: Int64?
        let attachments: [Attachment]
    }

    /// A text to show, still to be fetched.
    struct Text: Sendable {
        let section: [Int]
        let structure: BodyStructure
        /// How many bytes are fetched of it.
        let limit: UInt64
        /// Its message says the same in HTML (RFC 2046 §5.1.4).
        let isAlternativeToHTML: Bool
        var isHTML: Bool { structure.subtype == "html" }
        var isTruncated: Bool { structure.size > limit }
    }

    /// As many texts as are shown of one message; what comes after is offered as attachments.
    fileprivate static let maximumTexts = 16
    /// Bytes, encoded, that are fetched of one text, and of all.
    private static let maximumText: UInt64 = 2 << 20
    private static let maximumTextInAll: UInt64 = 4 << 20
    /// As many attachments as are listed, those of enclosed messages included.
    private static let maximumAttachments = 1000

    private(set) var texts: [Text] = []
    private(set) var attachments: [Attachment] = []
    /// There are more attachments than are listed.
    private(set) var isCapped = false

    /// - Parameter section: Of the message in a message whose structure this is; empty for the message itself.
    init(_ structure: BodyStructure, section: [Int] = []) {
        isKnown = true
        let leaves = Leaves(structure, at: section, limit: .max).found
        var candidates: [Leaves.Leaf] = []
        var room = Self.maximumAttachments
        for leaf in leaves {
            if leaf.structure.isText, candidates.count < Self.maximumTexts {
                candidates.append(leaf)
            } else if room > 0 {
                attachments.append(Attachment(leaf, room: &room))
            } else {
                isCapped = true
            }
        }
        isCapped = isCapped || room < 0
        let htmlSections = candidates.filter { $0.structure.subtype == "html" }.map(\.section)
        var left = Self.maximumTextInAll
        texts = candidates.map { leaf in
            let limit = min(Self.maximumText, left)
            left -= min(leaf.structure.size, limit)
            let isAlternative =
                leaf.structure.subtype != "html"
                && leaf.alternatives.contains { outer in htmlSections.contains { $0.starts(with: outer) } }
            return Text(
                section: leaf.section, structure: leaf.structure, limit: limit, isAlternativeToHTML: isAlternative)
        }
    }

    /// Of a message whose structure the server does not tell.
    static let none = MessageParts()
    /// False for `none`.
    let isKnown: Bool

    private init() { isKnown = false }

    /// Whether there is something beside the text: pictures shown in it do not count.
    var hasAttachments: Bool { attachments.contains { !$0.isInline } }

    /// Whether a text is longer than what is fetched of it.
    var isTruncated: Bool { texts.contains(where: \.isTruncated) }

    /// Notes which attached pictures the text shows.
    mutating func markInline(_ contentIDs: Set<String>) {
        for index in attachments.indices where attachments[index].contentID.map(contentIDs.contains) == true {
            attachments[index].isInline = true
        }
    }

    /// The part of that number, in an enclosed message too; nil for a number that is no leaf of this message.
    static func leaf(_ part: String, in structure: BodyStructure) -> (section: [Int], structure: BodyStructure)? {
        let section = part.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard !section.isEmpty, section.allSatisfy({ $0 > 0 }), Attachment.path(section) == part else { return nil }
        return find(section[...], in: structure).map { (section, $0) }
    }

    private static func find(_ section: ArraySlice<Int>, in structure: BodyStructure) -> BodyStructure? {
        guard let number = section.first else { return structure.isMultipart ? nil : structure }
        if structure.isMultipart {
            guard number <= structure.children.count else { return nil }
            return inside(section.dropFirst(), structure.children[number - 1])
        }
        return number == 1 ? inside(section.dropFirst(), structure) : nil
    }

    /// What follows the number of a part: nothing, or a number inside the multipart or message that it is.
    private static func inside(_ section: ArraySlice<Int>, _ structure: BodyStructure) -> BodyStructure? {
        if section.isEmpty { return structure.isMultipart ? nil : structure }
        if structure.isMultipart { return find(section, in: structure) }
        return structure.enclosed.flatMap { find(section, in: $0) }
    }

}

/// The parts that are no multiparts, in order; a message in a message is one of them.
private struct Leaves {
    struct Leaf {
        let section: [Int]
        let structure: BodyStructure
        let isRelated: Bool
        /// The sections of the multipart/alternative around it.
        let alternatives: [[Int]]
    }

    private(set) var found: [Leaf] = []
    private let limit: Int

    init(_ structure: BodyStructure, at section: [Int], limit: Int) {
        self.limit = limit
        if structure.isMultipart {
            collect(structure, section: section, isRelated: false, alternatives: [])
        } else {
            // The only part of a message that is no multipart is number 1 (RFC 9051 §6.4.5.1).
            found = [Leaf(section: section + [1], structure: structure, isRelated: false, alternatives: [])]
        }
    }

    private mutating func collect(
        _ structure: BodyStructure, section: [Int], isRelated: Bool, alternatives: [[Int]]
    ) {
        guard structure.isMultipart else {
            if found.count < limit {
                found.append(
                    Leaf(section: section, structure: structure, isRelated: isRelated, alternatives: alternatives))
            }
            return
        }
        let isRelated = isRelated || structure.subtype == "related"
        let alternatives = structure.subtype == "alternative" ? alternatives + [section] : alternatives
        for (index, child) in structure.children.enumerated() {
            collect(child, section: section + [index + 1], isRelated: isRelated, alternatives: alternatives)
        }
    }
}

extension BodyStructure {
    /// Whether the message has something beside its text, as `MessageParts` tells, without taking it apart.
    var hasAttachments: Bool {
        var texts = 0
        return hasAttachments(isRelated: false, texts: &texts)
    }

    private func hasAttachments(isRelated: Bool, texts: inout Int) -> Bool {
        if isMultipart {
            let isRelated = isRelated || subtype == "related"
            for child in children where child.hasAttachments(isRelated: isRelated, texts: &texts) { return true }
            return false
        }
        guard isText, texts < MessageParts.maximumTexts else { return !isInline(isRelated: isRelated) }
        texts += 1
        return false
    }

    /// A text to show.
    fileprivate var isText: Bool {
        type == "text" && (subtype == "plain" || subtype == "html") && disposition != "attachment" && fileName == nil
    }

    /// Meant to be shown in the text. Some senders call pictures of the text attachments; what refers to them by content
    /// id decides.
    fileprivate func isInline(isRelated: Bool) -> Bool {
        disposition == "inline" && type == "image"
            || contentID != nil && isRelated && disposition != "attachment"
    }

    /// The body of a message in a message.
    var enclosed: BodyStructure? { type == "message" && messageEnvelope != nil ? children.first : nil }
}

extension MessageParts.Attachment {
    /// - Parameter room: How many more attachments may be listed; below zero where some were left out.
    fileprivate init(_ leaf: Leaves.Leaf, room: inout Int) {
        let structure = leaf.structure
        room -= 1
        part = Self.path(leaf.section)
        filename = Self.filename(structure)
        contentType = structure.mediaType
        contentID = structure.contentID.map { $0.trimmingPrefix("<") }.map {
            String($0.hasSuffix(">") ? $0.dropLast() : $0)
        }
        isInline = structure.isInline(isRelated: leaf.isRelated)
        switch structure.encoding {
        // Lines of 76 characters and CRLF hold 57 bytes, four characters hold three (RFC 2045 §6.8).
        case "base64" where structure.type != "message": size = structure.size / 78 * 57 + structure.size % 78 / 4 * 3
        default: size = structure.size
        }
        guard let envelope = structure.messageEnvelope, let body = structure.enclosed else { return }
        var attachments: [MessageParts.Attachment] = []
        for inner in Leaves(body, at: leaf.section, limit: .max).found {
            guard room > 0 else {
                room = -1
                break
            }
            attachments.append(MessageParts.Attachment(inner, room: &room))
        }
        message = MessageParts.Enclosed(
            subject: MailText.decode(envelope.subject), from: MailText.addresses(envelope.from).first,
            date: envelope.date.flatMap(MIMEHeader.date), attachments: attachments)
    }

    static func path(_ section: [Int]) -> String { section.map(String.init).joined(separator: ".") }

    static func filename(_ structure: BodyStructure) -> String? {
        guard structure.fileName != nil else { return structure.messageEnvelope.map { name(of: $0) } }
        return MailText.parameters(structure.dispositionParameters)["filename"]
            ?? MailText.parameters(structure.parameters)["name"]
    }

    /// What a forwarded message without a file name is called.
    private static func name(of envelope: MessageEnvelope) -> String {
        let subject = MailText.decode(envelope.subject).filter { !$0.isNewline && $0 != "/" && $0 != "\\" }.prefix(100)
        return (subject.isEmpty ? "message" : String(subject)) + ".eml"
    }
}
