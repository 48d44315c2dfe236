import IMAP
import MailModel

/// Why a mailbox could not be watched, for the status page and for how soon to try again.
struct WatchTrouble: Sendable, Equatable {
    /// A stable word, never the server's text.
    let code: String
    /// The server, or auth-server, said no to us: asking again soon is of no use.
    let isRefusal: Bool

    /// The longest wait between two attempts. Who is away is asked often, since the call costs little and the mailbox
    /// is to be watched within two seconds of its return.
    var retryLimit: Duration { isRefusal ? .seconds(30) : .milliseconds(1500) }

    init(_ error: any Error) {
        switch error {
        case let failure as Failure:
            code = failure.code
            isRefusal = [.notFound, .conflict, .forbidden, .unauthorized].contains(failure.kind)
        case let error as IMAPError:
            code = Self.word(error)
            if case .authenticationFailed(let code, _, _) = error {
                isRefusal = code != .unavailable
            } else {
                isRefusal = false
            }
        default:
            code = "internal_error"
            isRefusal = false
        }
    }

    private static func word(_ error: IMAPError) -> String {
        switch error {
        case .authenticationFailed(let code, _, _):
            code == .unavailable ? "authentication_unavailable" : "authentication_failed"
        case .unreachable: "imap_unreachable"
        case .timedOut: "imap_timeout"
        case .bye, .closed: "imap_closed"
        case .unsupported: "imap_unsupported"
        case .no, .bad: "imap_refused"
        case .protocolViolation, .invalidArgument, .tooManyCommands: "imap_protocol_error"
        }
    }
}
