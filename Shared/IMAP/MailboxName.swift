/// A mailbox name. Shown as Unicode, spoken as modified UTF-7 (RFC 3501 §5.1.3).
///
/// Two names are equal when their wire forms are, with INBOX in any case being one (RFC 9051 §5.1). A name the
/// server wrote in a broken form keeps that form, so that it can still be selected.
public struct MailboxName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The form on the wire, without quotes.
    public let wire: String

    /// From a name as people write it.
    public init(_ name: String) {
        self.init(wire: ModifiedUTF7.encode(name))
    }

    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// From the form on the wire.
    public init(wire: String) {
        self.wire = wire.utf8.count == 5 && wire.uppercased() == "INBOX" ? "INBOX" : wire
    }

    public static let inbox = MailboxName(wire: "INBOX")

    /// As people read it; the wire form where that is no valid modified UTF-7.
    public var name: String { ModifiedUTF7.decode(wire) ?? wire }
    public var description: String { name }
}
