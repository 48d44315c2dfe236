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
}
