import IMAP
import MailModel

/// How calls learn of what other clients do to the selected folder at the same time.
///
/// Dovecot carries out every command of a flush before it looks for what others changed, a NOOP in front of them too:
/// it tells the changes behind the answers. So an answer is good when no news came with it; otherwise the same question
/// is asked again, and now the server knows.
extension MailSession {
    /// Reads from a folder: once more when the server told of changes that the answer may lack, or when the folder was
    /// made anew under the session.
    ///
    /// - Parameter body: Selects the folder and asks; it may run up to three times.
    func reading<Value>(_ body: () async throws -> Value) async throws -> Value {
        for _ in 0..<2 {
            do {
                let value = try await body()
                if !hearNews() { return value }
            } catch {
                guard mayTellMore(after: error) else { throw error }
            }
        }
        return try await body()
    }

    /// Changes messages: once more only when nothing was changed, since a message was not known yet or the folder was
    /// made anew under the session.
    func acting<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            guard mayTellMore(after: error) else { throw error }
            return try await body()
        }
    }

    private func mayTellMore(after error: any Error) -> Bool {
        let hasNews = hearNews()
        switch error {
        case let failure as Failure: return failure.kind == .notFound && hasNews
        case IMAPError.no(.expungeIssued, _): return true
        // What Dovecot says, and often ends the session, when the folder that is open was deleted or made anew.
        case IMAPError.no(.serverBug, _), IMAPError.no(nil, _):
            guard selection != nil else { return false }
            forgetSelection()
            return true
        default: return false
        }
    }
}
