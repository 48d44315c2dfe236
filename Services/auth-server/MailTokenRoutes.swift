import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Tokens for IMAP and SMTP.
struct MailTokenRoutes: Sendable {
    let platform: Platform
    let issuer: TokenIssuer

    func add(to router: ServiceRouter) {
        router.authenticated(platform.authenticator).post("/api/v1/auth/mail-token", use: issue)
    }

    private struct Body: Decodable {
        var email: String?
    }

    private struct Answer: Encodable {
        let access_token: String
        let token_type = "Bearer"
        /// Seconds.
        let expires_in: Int64
        let email: String
    }

    @Sendable private func issue(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body: Body = request.hasBody ? try await request.decode() : Body()
        let issuedAt = Timestamp.now()
        let subject: String
        let family: String
        let email: String
        switch context.caller {
        case .platform(let service):
            try context.caller.requirePlatform("auth:mail-token")
            guard let wanted = body.email else {
                throw Failure.invalid("email", code: "required", "a service token must name the mailbox")
            }
            (subject, family, email) = ("service:\(service.tokenID)", "", try EmailAddress(wanted).description)
            guard try await isActive(email) ?? false else { throw Self.noActiveMailbox }
        case .person(let person):
            (subject, family) = (person.subject, person.family)
            email = try await mailbox(of: person, wanted: body.email)
        }
        let token = try await issuer.mail(email, subject: subject, family: family, issuedAt: issuedAt)
        let answer = Answer(access_token: token, expires_in: issuer.mailLifetime.components.seconds, email: email)
        return try .json(answer, headers: [.cacheControl: "no-store"])
    }

    /// The mailbox named, or the first of the person's own that is active.
    private func mailbox(of person: Caller.Person, wanted: String?) async throws -> String {
        if let wanted {
            let email = try EmailAddress(wanted).description
            let scope = Caller.person(person).scope
            guard try await platform.database.accounts.find(email: email, scope: scope) != nil else {
                throw Failure.forbidden("This mailbox is not yours to open.")
            }
            guard try await isActive(email) ?? false else { throw Self.noActiveMailbox }
            return email
        }
        for email in person.accounts where try await isActive(email) ?? false { return email }
        throw Self.noActiveMailbox
    }

    private func isActive(_ email: String) async throws -> Bool? {
        try await platform.database.accounts.login(email: email)?.isActive
    }

    private static let noActiveMailbox = Failure.conflict(
        "no_active_mailbox", "There is no active mailbox to make a token for.")
}

extension Request {
    /// Whether a body was sent.
    var hasBody: Bool {
        headers[.contentLength].map { $0 != "0" } ?? (headers[.transferEncoding] != nil)
    }
}
