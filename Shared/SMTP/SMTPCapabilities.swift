/// What EHLO told (RFC 5321 §4.1.1.1).
public struct SMTPCapabilities: Sendable, Hashable {
    /// The parameters of each keyword, by the keyword in upper case.
    private var keywords: [String: [String]] = [:]

    init() {}

    /// - Parameter ehlo: The reply to EHLO; its first line is the server's greeting.
    init(ehlo: SMTPReply) {
        for line in ehlo.lines.dropFirst() {
            // Some servers still write "AUTH=" beside "AUTH ".
            let words = line.uppercased().split { $0 == " " || $0 == "=" }.map(String.init)
            guard let keyword = words.first else { continue }
            keywords[keyword, default: []] += words.dropFirst()
        }
    }

    public func has(_ keyword: String) -> Bool { keywords[keyword.uppercased()] != nil }

    public var hasPipelining: Bool { has("PIPELINING") }
    public var hasStartTLS: Bool { has("STARTTLS") }
    public var hasSMTPUTF8: Bool { has("SMTPUTF8") }
    public var has8BitMIME: Bool { has("8BITMIME") }
    /// SASL mechanisms (RFC 4954 §3), in upper case.
    public var authMechanisms: Set<String> { Set(keywords["AUTH"] ?? []) }
    /// The largest message in bytes (RFC 1870); nil when there is no SIZE or no limit.
    public var sizeLimit: Int? { keywords["SIZE"]?.first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } }
}
