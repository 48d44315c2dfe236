import Credentials
import FoundationEssentials
import MailModel
import Redis

/// Tickets: a browser cannot send headers with a WebSocket, and a token in a URL ends up in logs. A ticket may: it is
/// good once, for 30 seconds.
struct Tickets: Sendable {
    static let life = Duration.seconds(30)

    let redis: RedisClient

    private struct Content: Codable {
        var person: AccessToken?
        var platform: Platform?

        struct Platform: Codable {
            let id: Int64
            let name: String
            let scopes: [String]
            var limits: Caller.Limits?
            var expiresAt: Int64?
        }
    }

    /// - Throws: `Failure.unavailable` while Redis is away.
    func issue(for identity: Subscriber.Identity) async throws -> String {
        let content =
            switch identity {
            case .person(let token): Content(person: token)
            case .platform(let caller):
                Content(
                    platform: .init(
                        id: caller.tokenID, name: caller.name, scopes: caller.scopes.sorted(), limits: caller.limits,
                        expiresAt: caller.expiresAt))
            }
        let ticket = OpaqueToken(new: .service).text.dropFirst(OpaqueToken.Kind.service.rawValue.count)
        do {
            _ = try await redis.command(
                "SET", key(ticket), Array(JSONEncoder().encode(content)), "EX", Self.life.components.seconds)
        } catch is RedisError { throw Failure.unavailable("Redis") }
        return String(ticket)
    }

    /// Who the ticket was made for; it is used up by this.
    /// - Throws: `Failure` `unauthorized` for one that is unknown, used or too old; `unavailable`.
    func redeem(_ ticket: String) async throws -> Subscriber.Identity {
        let refused = Failure(.unauthorized, code: "invalid_ticket", "The ticket is unknown, used up or too old.")
        guard (16...64).contains(ticket.utf8.count) else { throw refused }
        do {
            let answer = try await redis.command("GETDEL", key(ticket))
            guard let bytes = answer.bytes,
                let content = try? JSONDecoder().decode(Content.self, from: Data(bytes))
            else { throw refused }
            if let token = content.person { return .person(token) }
            guard let platform = content.platform else { throw refused }
            return .platform(
                Caller.Platform(
                    tokenID: platform.id, name: platform.name, scopes: Set(platform.scopes), limits: platform.limits,
                    expiresAt: platform.expiresAt))
        } catch is RedisError { throw Failure.unavailable("Redis") }
    }

    private func key(_ ticket: some StringProtocol) -> String { "mail.ticket.\(ticket)" }
}
