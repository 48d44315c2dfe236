import EventBus
import HTTPService
import HTTPTypes
import Hummingbird
import Logging
import MailModel
import Redis
import ServiceLifecycle

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

/// Where pushes go: to the watch of the mailbox, here or in another replica.
struct Pushes: Sendable, Service {
    let bus: EventBus
    let watchlist: Watchlist
    let choice: MethodChoice
    let metrics: WatchMetrics

    /// One that came to this replica. Nobody watching the mailbox is nothing unusual.
    func take(_ body: [UInt8], _ push: PushNote) async {
        metrics.pushed(isGood: true)
        choice.pushHeard()
        if watchlist.hear(push) { return }
        // While Redis is away the other replicas find it with their next look.
        do { try await bus.forward(push: body) } catch {}
    }

    /// Takes what the other replicas were told.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await body in bus.pushes {
                if body.isEmpty {
                    watchlist.pushesMissed()
                } else if let push = try? PushNote(body) {
                    choice.pushHeard()
                    _ = watchlist.hear(push)
                }
            }
        }
    }
}
