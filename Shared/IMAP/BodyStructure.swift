/// The MIME structure of a message (RFC 9051 §7.5.2, BODYSTRUCTURE).
///
/// Texts are undecoded, as in `MessageEnvelope`. Types and encodings are in small letters.
public struct BodyStructure: Sendable, Hashable {
    /// `text`, `multipart`, …
    public var type: String
    /// `plain`, `alternative`, …
    public var subtype: String
    /// Of Content-Type: charset, name, boundary, …
    public var parameters: HeaderParameters = []
    /// Content-ID, with angle brackets.
    public var contentID: String?
    /// Content-Description.
    public var contentDescription: String?
    /// `7bit`, `base64`, … Empty for a multipart.
    public var encoding = ""
    /// Encoded bytes; 0 for a multipart.
    public var size: UInt64 = 0
    /// Lines of a text or message part.
    public var lines: UInt64?
    /// Content-Disposition, in small letters, with its parameters.
    public var disposition: String?
    public var dispositionParameters: HeaderParameters = []
    public var languages: [String] = []
    public var location: String?
    /// For message/rfc822: the envelope of the message inside.
    public var messageEnvelope: MessageEnvelope? { message?.envelope }
    /// The parts of a multipart, or the one body of a message/rfc822.
    public var children: [BodyStructure] = []
    var message: Message?

    /// Boxed, since few parts have one and an envelope is large.
    final class Message: Sendable, Hashable {
        let envelope: MessageEnvelope
        init(_ envelope: MessageEnvelope) { self.envelope = envelope }
        static func == (one: Message, other: Message) -> Bool { one.envelope == other.envelope }
        func hash(into hasher: inout Hasher) { hasher.combine(envelope) }
    }

    public init(type: String, subtype: String) {
        self.type = type
        self.subtype = subtype
    }

    public var isMultipart: Bool { type == "multipart" }
    public var mediaType: String { "\(type)/\(subtype)" }
    /// The file name of Content-Disposition, or else the name of Content-Type, undecoded (RFC 2231 forms included).
    public var fileName: String? {
        dispositionParameters.value(of: "filename") ?? dispositionParameters.value(of: "filename*")
            ?? parameters.value(of: "name") ?? parameters.value(of: "name*")
    }

    /// A part that is not a multipart, with the section number that fetches it.
    public struct Leaf: Sendable, Hashable {
        public var section: [Int]
        public var structure: BodyStructure
        /// The subtypes of the multiparts around it, outermost first: `["mixed", "alternative"]`.
        public var within: [String]
    }

    /// All parts that are no multiparts, in order. An attached message is one leaf; its inside is not entered.
    public var leaves: [Leaf] {
        var found: [Leaf] = []
        collectLeaves(section: [], within: [], into: &found)
        return found
    }

    private func collectLeaves(section: [Int], within: [String], into found: inout [Leaf]) {
        guard isMultipart else {
            // The only part of a message that is no multipart is number 1 (RFC 9051 §6.4.5.1).
            found.append(Leaf(section: section.isEmpty ? [1] : section, structure: self, within: within))
            return
        }
        for (index, child) in children.enumerated() {
            child.collectLeaves(section: section + [index + 1], within: within + [subtype], into: &found)
        }
    }
}

/// Parameters of a MIME header; names compare without regard to case.
public struct HeaderParameters: Sendable, Hashable, ExpressibleByArrayLiteral {
    /// Name in small letters and value.
    public struct Parameter: Sendable, Hashable {
        public var name: String
        public var value: String
    }

    public var all: [Parameter]

    public init(_ all: [Parameter] = []) { self.all = all }
    public init(arrayLiteral elements: Parameter...) { all = elements }

    public subscript(name: String) -> String? {
        value(of: name.lowercased())
    }

    /// - Parameter name: In small letters.
    func value(of name: String) -> String? {
        for parameter in all where parameter.name == name { return parameter.value }
        return nil
    }
}
