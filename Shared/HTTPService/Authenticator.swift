public import Credentials
public import Hummingbird
import HTTPTypes
public import MailModel
import NIOConcurrencyHelpers

/// Finds out who is calling: a service token in `X-Service-Token`, or a bearer token of type `access`.
public final class Authenticator: Sendable {
    private struct Known {
        let platform: Caller.Platform?
        let at: ContinuousClock.Instant
    }

    /// How long a service token is believed without asking again; longer when the store is away.
    private static let freshness = Duration.seconds(5)
    private static let staleness = Duration.seconds(60)
    private static let capacity = 10_000

    private let keys: KeySet
    private let revocations: RevocationSet
    private let lookup: @Sendable (_ hash: String) async throws -> Caller.Platform?
    private let known = NIOLockedValueBox<[String: Known]>([:])

    /// - Parameters:
    ///   - keys: What bearer tokens are verified with.
    ///   - revocations: What of them is dead.
    ///   - serviceToken: The service token of a hash (`OpaqueToken.hash`); nil when there is none. Its answers are
    ///     kept for 5 s, and for 60 s while it throws.
    public init(
        keys: KeySet, revocations: RevocationSet,
        serviceToken: @escaping @Sendable (_ hash: String) async throws -> Caller.Platform?
    ) {
        self.keys = keys
        self.revocations = revocations
        self.lookup = serviceToken
    }

    /// - Throws: `Failure`: `unauthorized` without credentials that count, `malformed` (`ambiguous_credentials`) with
    ///   both kinds, `unavailable` when neither a store nor keys can be had, or it is not known yet what was revoked.
    public func caller(of request: Request) async throws -> Caller {
        let service = request.headers[.xServiceToken]
        let authorization = request.headers[.authorization]
        switch (service, authorization) {
        case (.some, .some):
            throw Failure(
                .malformed, code: "ambiguous_credentials", "Send a service token or a bearer token, not both.")
        case (let token?, nil): return .platform(try await platform(token))
        case (nil, let header?): return .person(try await bearer(header))
        case (nil, nil): throw Failure(.unauthorized, code: "unauthorized", "This call needs credentials.")
        }
    }

    /// The person of a bearer token, given without its header (a WebSocket's `bearer` subprotocol).
    ///
    /// - Throws: `Failure`: `unauthorized`, `unavailable`.
    public func person(bearer token: String) async throws -> Caller.Person {
        let claims = try await keys.verify(token, as: .access)
        try revocations.requireLoaded()
        guard !revocations.isRevoked(claims), let person = claims.person else { throw Self.refused }
        return person
    }

    private static let refused = Failure(
        .unauthorized, code: "invalid_token", "The token is not valid, has expired or was revoked.")

    private func bearer(_ header: String) async throws -> Caller.Person {
        guard let token = BearerToken.parse(header) else { throw Self.refused }
        return try await person(bearer: token)
    }

    private func platform(_ text: String) async throws -> Caller.Platform {
        guard let token = OpaqueToken(text, kind: .service) else { throw Self.refused }
        let hash = token.hash
        let remembered = known.withLockedValue { $0[hash] }
        if let remembered, remembered.at.duration(to: .now) < Self.freshness { return try checked(remembered) }
        do {
            let found = Known(platform: try await lookup(hash), at: .now)
            known.withLockedValue { known in
                if known.count >= Self.capacity { known.removeAll() }
                known[hash] = found
            }
            return try checked(found)
        } catch {
            if let remembered, remembered.platform != nil, remembered.at.duration(to: .now) < Self.staleness,
                (error as? Failure)?.kind != .unauthorized
            {
                return try checked(remembered)
            }
            throw error
        }
    }

    /// What is remembered may have been deleted or have expired since.
    private func checked(_ known: Known) throws -> Caller.Platform {
        guard let platform = known.platform, !revocations.isRevoked(jti: platform.subject),
            platform.expiresAt.map({ $0 > Timestamp.now() }) ?? true
        else { throw Self.refused }
        return platform
    }
}

enum BearerToken {
    /// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
    static func parse(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer", !parts[1].contains(" ") else { return nil }
        return String(parts[1])
    }
}

extension RouterMethods where Context == ServiceContext {
    /// The routes behind it have a caller: who has none gets 401.
    public func authenticated(_ authenticator: Authenticator) -> RouterGroup<CallerContext> {
        group("").add(middleware: Authentication(authenticator: authenticator)).group("", context: CallerContext.self)
    }
}

private struct Authentication: RouterMiddleware {
    typealias Context = ServiceContext
    let authenticator: Authenticator

    func handle(
        _ request: Request, context: ServiceContext, next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.caller = try await authenticator.caller(of: request)
        return try await next(request, context)
    }
}
