import IMAP
import MailModel

extension Failure {
    /// What an IMAP error means to the caller. Errors that a call expects (a folder that is not there) are handled
    /// where they occur; this is for the rest.
    init(_ error: IMAPError) {
        switch error {
        case .timedOut: self = .timeout("Dovecot")
        case .unreachable, .closed, .bye, .tooManyCommands: self = .unavailable("Dovecot")
        case .invalidArgument(let reason):
            self = Failure(.malformed, code: "malformed_argument", "A mail server cannot be told this: \(reason).")
        case .no(.overQuota, _):
            self = Failure(.upstream, code: "over_quota", "The mailbox is full.")
        case .no(.unavailable, _), .no(.inUse, _), .no(.limit, _), .authenticationFailed(.unavailable, _, _):
            self = .unavailable("Dovecot")
        case .authenticationFailed:
            self = Failure(.upstream, code: "mail_login_refused", "The mail server refused the login to this mailbox.")
        case .no, .bad, .unsupported, .protocolViolation:
            self = Failure(.upstream, code: "mail_server_refused", "The mail server refused the command.")
        }
    }
}
