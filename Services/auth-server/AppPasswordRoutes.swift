import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Passwords for mail programs without OAuth2.
struct AppPasswordRoutes: Sendable {
    let platform: Platform
    let revoker: Revoker
    let passwordLogin: PasswordLogin

    /// How many a mailbox may have.
    private static let limit = 50

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/auth/app-passwords", use: list)
        routes.once(platform.idempotency).post("/api/v1/auth/app-passwords", use: create)
        routes.delete("/api/v1/auth/app-passwords/{id}", use: delete)
    }

    private struct Body: Decodable {
        let name: String
        /// Of the person who asks, with the code of its second factor where that is on: what is made outlives the access
        /// token. A service token has none.
        var password: String?
        var code: String?
        var email: String?
        /// `imap`, `smtp` or both; both when left out.
        var scope: String?
        var expires_at: String?
    }

    /// The only time that the password is shown.
    private struct New: Encodable {
        let id: Int64
        let email: String
        let name: String
        let scope: String
        let password: String
        let created_at: String
        let expires_at: String?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("auth:app-passwords")
        let email = try request.query()["email"].map { try EmailAddress($0).description }
        return try .json(
            try await platform.database.appPasswords.list(
                email: email, PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("auth:app-passwords")
        let body: Body = try await request.decode()
        guard let scope = MailScope(body.scope) else {
            throw Failure.invalid("scope", code: "invalid_scope", "must be imap, smtp, or both with a space between")
        }
        let expiresAt = try body.expires_at.map { try Timestamp.future($0, field: "expires_at") }
        let email = try mailbox(body.email, of: context.caller), name = try DisplayName(body.name).text
        try await prove(body, context)
        let secret = OpaqueToken(new: .app)
        let made = try await platform.database.appPasswords.create(
            email: email, name: name, hash: secret.hash, allows: scope.text, expiresAt: expiresAt, limit: Self.limit,
            by: context.caller.actor, scope: context.caller.scope)
        await record("app_password.created", made, context)
        return try .json(
            New(
                id: made.id, email: made.email, name: made.name, scope: made.scope, password: secret.text,
                created_at: made.createdAt, expires_at: made.expiresAt),
            status: .created, headers: [.cacheControl: "no-store"])
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("auth:app-passwords")
        let found = try await platform.database.appPasswords.find(
            context.idParameter(), scope: context.caller.scope)
        try await revoker.end(appPassword: found.id, of: found.email)
        await record("app_password.deleted", found, context)
        return .noContent
    }

    /// - Throws: `Failure`: `invalid` without the password; `unauthorized` when it is wrong, or `totp_required`.
    private func prove(_ body: Body, _ context: CallerContext) async throws {
        guard case .person(let person) = context.caller else { return }
        guard let password = body.password else {
            throw Failure.invalid("password", code: "required", "must be the password of your login")
        }
        if body.code == nil, try await passwordLogin.secondFactor.isOn(for: person.subject) {
            throw Failure(.unauthorized, code: "totp_required", "Send the code of the authenticator app too, as code.")
        }
        try await passwordLogin.prove(person, password: password, code: body.code, context)
    }

    private func mailbox(_ wanted: String?, of caller: Caller) throws -> String {
        if let wanted { return try EmailAddress(wanted).description }
        guard case .person(let person) = caller, let email = person.accounts.first else {
            throw Failure.invalid("email", code: "required", "must name the mailbox")
        }
        return email
    }

    private func record(
        _ action: String, _ password: AppPasswordStore.AppPassword, _ context: CallerContext
    ) async {
        await platform.audit.record(
            .init(
                actor: context.caller.actor, customerID: context.caller.customerID, action: action,
                target: password.email, detail: #"{"id":\#(password.id)}"#, ip: context.clientAddress,
                requestID: context.requestID))
    }
}
