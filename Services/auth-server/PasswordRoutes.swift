import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// A person's own password: a user's, or that of a mailbox which logged in by itself.
struct PasswordRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash
    let passwordLogin: PasswordLogin
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        router.authenticated(platform.authenticator).post("/api/v1/auth/password", use: change)
    }

    private struct Body: Decodable {
        let current_password: String
        let new_password: String
    }

    /// Everything that the old password or its tokens opened ends, the session that asked too.
    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        let person = try context.person()
        let body: Body = try await request.decode()
        try PasswordRule.check(body.new_password, field: "new_password")
        let principal = try await passwordLogin.checkPassword(
            .init(
                email: person.email, password: body.current_password, source: context.clientAddress,
                requestID: context.requestID))
        guard principal.subject == person.subject else {
            throw Failure(.unauthorized, code: "invalid_credentials", "The password is wrong.")
        }
        let hash = try await passwords.hash(body.new_password)
        if principal.subject.hasPrefix("account:") {
            let revocation = try await platform.database.accounts.setPassword(
                principal.id, hash: hash, scope: context.caller.scope, by: .init(context))
            await revoker.announce([revocation])
        } else if let revocation = try await platform.database.users.change(
            principal.id, .init(passwordHash: hash), scope: .customer(person.customerID), by: .init(context))
        {
            await revoker.announce([revocation])
        }
        return .noContent
    }
}
