/// What a service token may be allowed to do; `*` is all of it.
public enum ServiceScope: String, Sendable, CaseIterable {
    /// Domains, mailboxes, aliases, messages, contacts and events: look at them.
    case mailRead = "mail:read"
    /// Change them, send.
    case mailWrite = "mail:write"
    /// Get tokens for IMAP and SMTP.
    case mailToken = "auth:mail-token"
    /// App passwords.
    case appPasswords = "auth:app-passwords"
    /// Sessions of users and mailboxes: list and end them.
    case sessions = "auth:sessions"
    /// Revoke what was issued to users and mailboxes.
    case revoke = "auth:revoke"
    /// Ask whether a mail token counts.
    case introspect = "auth:introspect"
    /// Customers and users: look at them.
    case peopleRead = "people:read"
    /// Change them.
    case peopleWrite = "people:write"
    /// Service tokens.
    case tokens = "auth:tokens"
    /// Read the audit log.
    case audit = "auth:audit"

    /// Whether it reaches beyond domains and mailboxes: a token that is limited to some never has it.
    public var isForWholePlatform: Bool {
        switch self {
        case .mailRead, .mailWrite, .mailToken, .appPasswords, .sessions, .revoke: false
        case .introspect, .peopleRead, .peopleWrite, .tokens, .audit: true
        }
    }
}
