extension IMAPCommand where Output == Void {
    /// NOOP: hear what is new (RFC 9051 §6.1.2).
    public static var noop: Self { Self(CommandRequest("NOOP")) }

    /// LOGOUT (RFC 9051 §6.1.3). `IMAPConnection.logout` also closes the connection.
    static var logout: Self { Self(CommandRequest("LOGOUT", effect: .logout)) }

    static var startTLS: Self { Self(CommandRequest("STARTTLS", effect: .startTLS)) }

    /// NOTIFY SET: be told about other mailboxes too (RFC 5465). Needs `.notify`.
    /// - Parameter status: have a STATUS sent for each mailbox at once.
    public static func notify(_ filters: [NotifyFilter], status: Bool = false) -> Self {
        Self(
            CommandRequest("NOTIFY SET ", claims: []) { encoder in
                if status { encoder.words("STATUS ") }
                encoder.separated(filters) { $1.encode(into: &$0) }
            })
    }

    /// NOTIFY NONE (RFC 5465 §3.1).
    public static var notifyNone: Self { Self(CommandRequest("NOTIFY NONE")) }
}

extension IMAPCommand where Output == [String: String] {
    /// ID (RFC 2971). Sent before authentication with `x-originating-ip` it tells Dovecot whose address the session is
    /// for, if ours is in its `login_trusted_networks`. Returns what the server says of itself, names in small letters.
    public static func id(_ fields: KeyValuePairs<String, String> = [:]) -> Self {
        id(fields.map { ($0.key, $0.value) })
    }

    static func id(_ fields: [(name: String, value: String)]) -> Self {
        let request = CommandRequest("ID ", claims: .id) { encoder in
            guard !fields.isEmpty else { return encoder.words("NIL") }
            encoder.list(fields) {
                $0.string($1.name)
                $0.words(" ")
                $0.string($1.value)
            }
        }
        return Self(request) { responses in
            for case .id(let fields) in responses.untagged { return fields }
            return [:]
        }
    }
}

extension IMAPCommand where Output == [IMAPCapability] {
    /// ENABLE (RFC 9051 §6.3.1); returns what is now on.
    public static func enable(_ capabilities: [IMAPCapability]) -> Self {
        let request = CommandRequest("ENABLE ", claims: .enabled) { encoder in
            encoder.separated(capabilities) { $0.atom($1.rawValue) }
        }
        return Self(request) { responses in
            for case .enabled(let capabilities) in responses.untagged { return capabilities }
            return []
        }
    }

    /// CAPABILITY (RFC 9051 §6.1.1). `IMAPConnection.capabilities` holds the answer already after `connect` and
    /// `authenticate`.
    public static var capability: Self {
        Self(CommandRequest("CAPABILITY", claims: .capability)) { responses in
            for case .capability(let capabilities) in responses.untagged { return capabilities }
            return []
        }
    }
}

/// What to be told about which mailboxes (RFC 5465 §5 and §6).
public struct NotifyFilter: Sendable, Hashable {
    public enum Mailboxes: Sendable, Hashable {
        /// The selected one, at once.
        case selected
        /// The selected one; expunges wait until a command allows them.
        case selectedDelayed
        case inboxes
        case personal
        case subscribed
        case subtree([MailboxName])
        case mailboxes([MailboxName])
    }

    public enum Event: Sendable, Hashable {
        /// New mail; the items are fetched along, for the selected mailbox only.
        case messageNew([FetchItem] = [])
        case messageExpunge
        case flagChange
        case mailboxName
        case subscriptionChange
    }

    public var mailboxes: Mailboxes
    /// Empty: nothing of these mailboxes.
    public var events: [Event]

    public init(_ mailboxes: Mailboxes, _ events: [Event]) {
        self.mailboxes = mailboxes
        self.events = events
    }

    func encode(into encoder: inout CommandEncoder) {
        encoder.words("(")
        switch mailboxes {
        case .selected: encoder.words("selected")
        case .selectedDelayed: encoder.words("selected-delayed")
        case .inboxes: encoder.words("inboxes")
        case .personal: encoder.words("personal")
        case .subscribed: encoder.words("subscribed")
        case .subtree(let names):
            encoder.words("subtree ")
            encoder.list(names) { $0.mailbox($1) }
        case .mailboxes(let names):
            encoder.words("mailboxes ")
            encoder.list(names) { $0.mailbox($1) }
        }
        encoder.words(" ")
        if events.isEmpty { encoder.words("NONE") } else { encoder.list(events) { $1.encode(into: &$0) } }
        encoder.words(")")
    }
}

extension NotifyFilter.Event {
    func encode(into encoder: inout CommandEncoder) {
        switch self {
        case .messageNew(let items):
            encoder.words("MessageNew")
            if !items.isEmpty {
                encoder.words(" ")
                encoder.list(items) { $1.encode(into: &$0) }
            }
        case .messageExpunge: encoder.words("MessageExpunge")
        case .flagChange: encoder.words("FlagChange")
        case .mailboxName: encoder.words("MailboxName")
        case .subscriptionChange: encoder.words("SubscriptionChange")
        }
    }
}
