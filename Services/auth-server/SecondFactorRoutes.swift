import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// A person's authenticator app: turning it on and off, and new recovery codes.
struct SecondFactorRoutes: Sendable {
    let platform: Platform
    let secondFactor: SecondFactor
    let passwordLogin: PasswordLogin
    let rates: RateBound
    /// As authenticator apps show it.
    let issuerName: String

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/auth/totp", use: status)
        routes.post("/api/v1/auth/totp", use: begin)
        routes.post("/api/v1/auth/totp/confirm", use: confirm)
        routes.post("/api/v1/auth/totp/recovery-codes", use: renew)
        routes.delete("/api/v1/auth/totp", use: remove)
    }

    private struct Status: Encodable {
        let enabled: Bool
        let recovery_codes_left: Int
    }

    private struct Secret: Encodable {
        /// Base32, for typing it in.
        let secret: String
        let otpauth_uri: String
    }

    private struct RecoveryCodes: Encodable {
        let recovery_codes: [String]
    }

    private struct Password: Decodable {
        let password: String
    }

    private struct Code: Decodable {
        let code: String
    }

    private struct Proof: Decodable {
        let password: String
        let code: String
    }

    @Sendable private func status(_ request: Request, _ context: CallerContext) async throws -> Response {
        let person = try context.person()
        return try .json(
            Status(
                enabled: try await secondFactor.isOn(for: person.subject),
                recovery_codes_left: try await platform.database.secondFactors.recoveryCodesLeft(of: person.subject)))
    }

    @Sendable private func begin(_ request: Request, _ context: CallerContext) async throws -> Response {
        let person = try context.person()
        let body: Password = try await request.decode()
        try await passwordLogin.prove(person, password: body.password, code: nil, context)
        guard let totp = try await secondFactor.begin(for: person.subject) else {
            throw Failure.conflict("totp_enabled", "The second factor is on already; turn it off first.")
        }
        let host = issuerName.split(separator: "/").last.map(String.init) ?? issuerName
        return try .json(
            Secret(secret: totp.base32, otpauth_uri: totp.uri(issuer: host, account: person.email)),
            status: .created, headers: [.cacheControl: "no-store"])
    }

    @Sendable private func confirm(_ request: Request, _ context: CallerContext) async throws -> Response {
        let person = try context.person()
        let body: Code = try await request.decode()
        // As many as a person mistypes while the secret waits, and far too few to guess.
        guard await rates.admits("totp.confirm.\(person.subject)", upTo: 20, within: .seconds(900)) else {
            throw Failure(
                .tooManyRequests, code: "too_many_attempts", "Too many codes were tried; wait and begin anew.",
                retryAfter: .seconds(900))
        }
        guard let codes = try await secondFactor.confirm(body.code, for: person.subject) else {
            throw Failure.invalid("code", code: "totp_invalid", "must be the code that the app shows now")
        }
        await record("totp.enabled", person, context)
        return try .json(RecoveryCodes(recovery_codes: codes), headers: [.cacheControl: "no-store"])
    }

    @Sendable private func renew(_ request: Request, _ context: CallerContext) async throws -> Response {
        let person = try context.person()
        let body: Proof = try await request.decode()
        try await requireOn(person)
        try await passwordLogin.prove(person, password: body.password, code: body.code, context)
        let codes = try await secondFactor.renewRecoveryCodes(for: person.subject)
        await record("totp.recovery_codes_renewed", person, context)
        return try .json(RecoveryCodes(recovery_codes: codes), headers: [.cacheControl: "no-store"])
    }

    /// One's own, with proof; that of a mailbox in the caller's care without, for who has lost it.
    @Sendable private func remove(_ request: Request, _ context: CallerContext) async throws -> Response {
        if let email = try request.query()["email"] { return try await reset(try EmailAddress(email), context) }
        let person = try context.person()
        let body: Proof = try await request.decode()
        try await requireOn(person)
        try await passwordLogin.prove(person, password: body.password, code: body.code, context)
        try await platform.database.secondFactors.remove(person.subject)
        await record("totp.disabled", person, context)
        return .noContent
    }

    private func requireOn(_ person: Caller.Person) async throws {
        guard try await secondFactor.isOn(for: person.subject) else {
            throw Failure.conflict("totp_not_enabled", "The second factor is not on.")
        }
    }

    private func reset(_ email: EmailAddress, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        let database = platform.database
        guard try await database.accounts.find(email: email.description, scope: context.caller.scope) != nil,
            let mailbox = try await database.accounts.login(email: email.description)
        else { throw Failure.notFound("This mailbox") }
        guard
            try await database.secondFactors.reset(
                "account:\(mailbox.id)", email: mailbox.email, customerID: mailbox.customerID, by: .init(context))
        else { throw Failure.notFound("The second factor") }
        return .noContent
    }

    private func record(_ action: String, _ person: Caller.Person, _ context: CallerContext) async {
        await platform.audit.record(
            .init(
                actor: person.subject, customerID: person.customerID, action: action, target: person.email,
                ip: context.clientAddress, requestID: context.requestID))
    }
}

extension CallerContext {
    /// - Throws: `Failure` `forbidden` for a service token: it has no login of its own.
    func person() throws -> Caller.Person {
        guard case .person(let person) = caller else {
            throw Failure.forbidden("This call is for people; a service token has no login of its own.")
        }
        return person
    }
}
