import Credentials
import MailModel

/// Who listens to which mailboxes, after the credentials were checked.
struct Subscriber: Sendable, Equatable {
    enum Identity: Sendable, Equatable {
        case person(AccessToken)
        case platform(Caller.Platform)
    }

    let identity: Identity
    /// By address, in lower case.
    let accounts: [String]

    /// Milliseconds since 1970 at which the credentials end; nil when they do not.
    var expires: Int64? {
        switch identity {
        case .person(let token): token.exp * 1000
        case .platform(let platform): platform.expiresAt
        }
    }
}
