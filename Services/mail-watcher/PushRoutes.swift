import HTTPService
import HTTPTypes
import Hummingbird
import MailModel

/// What mail servers tell by themselves: Dovecot's Lua push driver with `deploy/dovecot/push.lua`, or its OX driver.
///
/// Whoever sends the same again, or an old one, changes nothing: the watch knows how far it has announced.
struct PushRoutes: Sendable {
    /// One transaction of Dovecot, of at most 50 messages: bytes.
    private static let maximumBody = 256 << 10

    /// As `Authorization: Bearer <secret>` or as the password of `dovecot` (RFC 7617); nil refuses every push.
    let secret: String?
    let pushes: Pushes

    func add(to router: ServiceRouter) {
        let routes = router.with(deadline: .seconds(2), logged: false)
        routes.post("/api/v1/mail/watcher/push", use: push)
        routes.put("/api/v1/mail/watcher/push", use: push)
    }

    @Sendable private func push(_ request: Request, _ context: ServiceContext) async throws -> Response {
        do {
            try check(request)
            let body = try await request.bodyBytes(upTo: Self.maximumBody)
            await pushes.take(Array(body.readableBytesView), try PushNote(Array(body.readableBytesView)))
        } catch {
            pushes.metrics.pushed(isGood: false)
            throw error
        }
        return .noContent
    }

    private func check(_ request: Request) throws {
        let given = request.headers[.authorization] ?? ""
        guard let secret,
            ConstantTime.equal(given, "Bearer \(secret)") || BasicCredential("dovecot:\(secret)").matches(request)
        else {
            throw Failure(.unauthorized, code: "invalid_push_secret", "A push needs the secret of this service.")
        }
    }
}
