/// The parameters of a `Content-Type` or `Content-Disposition`, decoded: RFC 2231 continuations and charsets, and the
/// RFC 2047 words that many clients write instead. Names are lower case.
public struct MIMEParameters: Sendable, Hashable {
    private var values: [String: String]

    /// - Parameter raw: Names and values as an IMAP BODYSTRUCTURE gives them (RFC 9051 §7.5.2).
    public init(raw: [(name: [UInt8], value: [UInt8])]) { values = [:] }

    public subscript(name: String) -> String? { values[name.lowercased()] }
}
