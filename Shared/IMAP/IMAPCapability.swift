import NIOConcurrencyHelpers

/// A capability a server announces (RFC 9051 §7.2.2), in capitals.
public struct IMAPCapability: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue.uppercased()
    }

    public init(stringLiteral value: String) {
        self.init(rawValue: value)
    }

    public var description: String { rawValue }

    public static let condstore: Self = "CONDSTORE"
    public static let enable: Self = "ENABLE"
    public static let id: Self = "ID"
    public static let idle: Self = "IDLE"
    public static let imap4rev1: Self = "IMAP4REV1"
    public static let imap4rev2: Self = "IMAP4REV2"
    public static let listExtended: Self = "LIST-EXTENDED"
    public static let listStatus: Self = "LIST-STATUS"
    public static let literalMinus: Self = "LITERAL-"
    public static let literalPlus: Self = "LITERAL+"
    public static let loginDisabled: Self = "LOGINDISABLED"
    public static let move: Self = "MOVE"
    public static let notify: Self = "NOTIFY"
    public static let preview: Self = "PREVIEW"
    public static let qresync: Self = "QRESYNC"
    public static let quota: Self = "QUOTA"
    public static let saslIR: Self = "SASL-IR"
    public static let searchContext: Self = "CONTEXT=SEARCH"
    public static let sort: Self = "SORT"
    public static let sortContext: Self = "CONTEXT=SORT"
    public static let esearch: Self = "ESEARCH"
    public static let esort: Self = "ESORT"
    public static let specialUse: Self = "SPECIAL-USE"
    public static let startTLS: Self = "STARTTLS"
    public static let statusSize: Self = "STATUS=SIZE"
    public static let uidPlus: Self = "UIDPLUS"
    public static let unselect: Self = "UNSELECT"
}

/// What servers said they can, each set once: a thousand connections to one server hear the same.
final class KnownCapabilities: Sendable {
    /// Before and after a login, of a server and of the one it becomes by an update.
    private static let limit = 4

    private let sets = NIOLockedValueBox<[Set<IMAPCapability>]>([])

    /// - Returns: An equal set, which others have too.
    func shared(_ capabilities: Set<IMAPCapability>) -> Set<IMAPCapability> {
        if capabilities.isEmpty { return capabilities }
        return sets.withLockedValue { sets in
            if let known = sets.first(where: { $0 == capabilities }) { return known }
            if sets.count == Self.limit { sets.removeFirst() }
            sets.append(capabilities)
            return capabilities
        }
    }
}
