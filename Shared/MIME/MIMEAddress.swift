/// A mailbox of an address header: `name <address>` (RFC 5322 §3.4), decoded.
public struct MIMEAddress: Sendable, Hashable {
    /// The display name, decoded by RFC 2047; empty when there is none.
    public var name: String
    /// `local@domain` as it was written, not validated.
    public var address: String

    public init(name: String = "", address: String) {
        self.name = name
        self.address = address
    }

    /// A mailbox of an IMAP ENVELOPE (RFC 9051 §7.5.2), whose strings are raw bytes.
    public init(rawName: [UInt8]?, mailbox: [UInt8], host: [UInt8]) {
        self.name = rawName.map { MIMEHeader.decode($0) } ?? ""
        self.address = MIMEHeader.decode(mailbox) + (host.isEmpty ? "" : "@" + MIMEHeader.decode(host))
    }
}
