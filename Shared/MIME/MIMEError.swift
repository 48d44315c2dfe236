/// What composing or parsing can refuse. Parsing is lenient: malformed input becomes the best tree that can be read.
public enum MIMEError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes hold no message at all (empty input).
    case noMessage
    /// The message is larger than the limit given, in bytes.
    case tooLarge(limit: Int)
    /// A header name or value that would not stay one header: CR, LF, NUL, another control character, or a name
    /// outside RFC 5322 §2.2 or reserved for the composer. Carries the header's name, never its value.
    case invalidHeader(String)
    /// A mailbox that cannot stand in an address header.
    case invalidAddress(header: String)

    public var description: String {
        switch self {
        case .noMessage: "there is no message in these bytes"
        case .tooLarge(let limit): "the message is larger than \(limit) bytes"
        case .invalidHeader(let name): "the header \(name) cannot be written"
        case .invalidAddress(let header): "an address in \(header) cannot be written"
        }
    }
}
