/// What a mail token may do.
struct MailScope: OptionSet, Sendable {
    let rawValue: Int

    static let imap = MailScope(rawValue: 1)
    static let smtp = MailScope(rawValue: 2)
    static let all: MailScope = [.imap, .smtp]
    /// A service that no token opens.
    static let nothing = MailScope(rawValue: 1 << 7)

    init(rawValue: Int) { self.rawValue = rawValue }

    /// Reads a `scope` parameter (RFC 6749 §3.3); none at all asks for everything.
    ///
    /// `urn:ietf:params:oauth:scope:mail` stands for both. Words of OpenID Connect that clients send out of habit are
    /// passed over, as the RFC allows: the answer says what was given.
    /// - Returns: nil for a word that is not known, or when nothing of ours was asked for.
    init?(_ text: String?) {
        guard let text, !text.isEmpty else {
            self = .all
            return
        }
        var scope: MailScope = []
        for word in text.split(separator: " ") {
            switch word {
            case "imap": scope.insert(.imap)
            case "smtp": scope.insert(.smtp)
            case "urn:ietf:params:oauth:scope:mail": scope.formUnion(.all)
            case "openid", "email", "profile", "offline_access": break
            default: return nil
            }
        }
        guard !scope.isEmpty else { return nil }
        self = scope
    }

    /// As it stands in tokens: `imap smtp`.
    var text: String {
        [contains(.imap) ? "imap" : nil, contains(.smtp) ? "smtp" : nil].compactMap(\.self).joined(separator: " ")
    }
}
