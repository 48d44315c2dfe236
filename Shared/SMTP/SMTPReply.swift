/// A server's reply (RFC 5321 §4.2).
public struct SMTPReply: Sendable, Hashable, CustomStringConvertible {
    /// 200 to 599.
    public let code: Int
    /// The text of each line, without the code and, where all have it, without the enhanced status code.
    public let lines: [String]
    public let enhancedStatus: EnhancedStatusCode?

    public var text: String { lines.joined(separator: " ") }
    public var description: String {
        [String(code), enhancedStatus?.description, text].compactMap(\.self).joined(separator: " ")
    }

    var isPositive: Bool { (200..<300).contains(code) }
    /// 4yz: the same command may succeed later (RFC 5321 §4.2.1).
    public var isTransient: Bool { (400..<500).contains(code) }
}

/// `class.subject.detail` (RFC 3463), such as 5.1.1.
public struct EnhancedStatusCode: Sendable, Hashable, CustomStringConvertible {
    public let severity: Int
    public let subject: Int
    public let detail: Int

    public init(_ severity: Int, _ subject: Int, _ detail: Int) {
        (self.severity, self.subject, self.detail) = (severity, subject, detail)
    }

    public var description: String { "\(severity).\(subject).\(detail)" }
}
