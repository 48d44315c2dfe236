import HTTPService
import Hummingbird
import MailModel
import Platform

/// Tokens for IMAP and SMTP.
struct MailTokenRoutes: Sendable {
    let platform: Platform
    let mailTokens: MailTokens

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
        let issued = try await mailTokens.issue(for: context.caller, email: body.email)
        if case .platform = context.caller {
            await platform.audit.recordHourly("mail_token.issued", target: issued.email, by: context)
        }
        return try .json(
            Answer(access_token: issued.token, expires_in: issued.expiresIn, email: issued.email),
            headers: [.cacheControl: "no-store"])
    }
}

extension Request {
    /// Whether a body was sent.
    var hasBody: Bool {
        headers[.contentLength].map { $0 != "0" } ?? (headers[.transferEncoding] != nil)
    }
}
