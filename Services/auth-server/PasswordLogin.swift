import Credentials
import HTTPService
import MailModel
import Platform
import Storage

/// Finds out whether somebody is who they say: by the API's login and by the pages of OAuth2 alike.
struct PasswordLogin: Sendable {
    let platform: Platform
    let passwords: PasswordHash

    /// What somebody shows, and where it comes from.
    struct Attempt: Sendable {
        let email: String
        let password: String
        /// A code of an authenticator app, or a recovery code.
        var totp: String?
        /// The address of the client.
        let source: String
        let requestID: String
    }

    /// - Throws: `Failure`: `unauthorized` `invalid_credentials` for an unknown address as for a wrong password;
    ///   `forbidden` `account_suspended` only with the right password.
    func authenticate(_ attempt: Attempt) async throws -> Principal {
        guard let principal = try await principal(email: attempt.email, password: attempt.password) else {
            throw Failure(.unauthorized, code: "invalid_credentials", "The address or the password is wrong.")
        }
        guard principal.isActive else {
            throw Failure(.forbidden, code: "account_suspended", "This account is suspended.")
        }
        return principal
    }

    /// Whoever a token's `sub` names, as of now; nil when there is nobody any more.
    func principal(subject: String) async throws -> Principal? {
        let parts = subject.split(separator: ":")
        guard parts.count == 2, let id = Int64(parts[1]) else { return nil }
        if parts[0] == "account" { return try await platform.database.accounts.login(id: id).map { Principal($0) } }
        do { return Principal(try await platform.database.users.find(id, scope: .everything)) } catch let failure
            as Failure
            where failure.kind == .notFound
        { return nil }
    }

    /// Whose password this is. One password is hashed whether or not the address is known, so that the time tells nothing.
    private func principal(email text: String, password: String) async throws -> Principal? {
        guard let email = try? EmailAddress(text) else {
            try await passwords.verifyDummy(password)
            return nil
        }
        let user = try await platform.database.users.credentials(email: email)
        if let user, try await passwords.verify(password, against: user.passwordHash) { return Principal(user.user) }
        let mailbox = try await platform.database.accounts.login(email: email.description)
        if let mailbox, try await passwords.verify(password, against: mailbox.passwordHash) {
            return Principal(mailbox)
        }
        if user == nil, mailbox == nil { try await passwords.verifyDummy(password) }
        return nil
    }
}
