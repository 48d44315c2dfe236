import AsyncHTTPClient
import Crypto
import FoundationEssentials
public import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
public import ServiceLifecycle

/// Public keys that tokens are verified with: each key with exactly one algorithm, ES256.
///
/// Keys from a URL are loaded by `run()`, refreshed every few minutes and, at most every few seconds, when a token names
/// a key not known yet. While the issuer is away the last keys stay in use.
public final class KeySet: Sendable, Service {
    private struct Keys {
        var verifiers: [String: P256.Signing.PublicKey] = [:]
        /// Header segments seen on good tokens, and the key each names: all tokens of a key share one header.
        var headers: [String: P256.Signing.PublicKey] = [:]
        var loaded = false
        var lastAttempt: ContinuousClock.Instant?
        /// The loading under way, which all who want one wait for.
        var loading: Task<Bool, Never>?
    }

    /// Clocks of other machines may be off by this much: seconds.
    private static let leeway: Int64 = 30
    private static let retryInterval = Duration.seconds(2)
    /// Until there are keys at all.
    private static let firstRetryInterval = Duration.milliseconds(250)

    private let issuer: String
    private let load: (@Sendable () async throws -> String)?
    private let refreshInterval: Duration
    private let logger: Logger
    private let keys = NIOLockedValueBox(Keys())

    /// A fixed set.
    ///
    /// - Parameter jwks: A JWK set (RFC 7517); keys that are not ES256 are passed over.
    public init(jwks: String, issuer: String) throws {
        self.issuer = issuer
        self.load = nil
        self.refreshInterval = .seconds(300)
        self.logger = Logger(label: "keys")
        let verifiers = try JWKDocument.verifiers(of: Array(jwks.utf8))
        keys.withLockedValue {
            $0.verifiers = verifiers
            $0.loaded = true
        }
    }

    /// A set kept up to date from a URL; run it as a service.
    public convenience init(url: String, issuer: String, logger: Logger = Logger(label: "keys")) {
        self.init(issuer: issuer, refreshedEvery: .seconds(300), logger: logger) {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(2))
            guard response.status == .ok else { throw JWKDocument.Unusable() }
            return String(buffer: try await response.body.collect(upTo: 65_536))
        }
    }

    /// A set kept up to date by asking `load` for a JWK set; run it as a service.
    public init(
        issuer: String, refreshedEvery interval: Duration, logger: Logger = Logger(label: "keys"),
        load: @escaping @Sendable () async throws -> String
    ) {
        self.issuer = issuer
        self.load = load
        self.refreshInterval = interval
        self.logger = logger
    }

    /// Whether keys are at hand; a service that verifies is ready only then.
    public var isLoaded: Bool { keys.withLockedValue { $0.loaded } }

    /// Checks signature, algorithm, issuer, audience, type and expiry (30 s leeway); revocation is asked elsewhere.
    ///
    /// - Parameters:
    ///   - token: A JWT in compact form.
    ///   - kind: What the token must be for.
    /// - Throws: `Failure` `unauthorized` with the code `invalid_token`; `unavailable` when no keys could be had yet.
    public func verify(_ token: String, as kind: AccessToken.Kind) async throws -> AccessToken {
        let claims = try await verifyAny(token)
        guard claims.type == kind else { throw Failure.invalidToken }
        return claims
    }

    /// As `verify(_:as:)` for a token of either kind, whose audience must be that of its kind.
    public func verifyAny(_ token: String) async throws -> AccessToken {
        // What Dovecot passes on is at most 4000 bytes; no token of ours is near this.
        guard token.utf8.count <= 8192, let token = CompactToken(token) else { throw Failure.invalidToken }
        let key = try await key(for: token.header)
        // The claims of no one else are looked into.
        guard token.isSigned(by: key), let claims = try? AccessToken(TokenClaims(token.claims)),
            claims.iss == issuer, claims.aud == claims.type.audience,
            claims.exp > Timestamp.now() / 1000 - Self.leeway
        else { throw Failure.invalidToken }
        return claims
    }

    /// Keeps the keys fresh until shutdown; returns at that at once for a fixed set.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.refresh()
                let pause = self.isLoaded ? self.refreshInterval : Self.firstRetryInterval
                try? await Task.sleep(for: pause)
            }
        }
    }

    private func key(for segment: Substring) async throws -> P256.Signing.PublicKey {
        if let known = keys.withLockedValue({ $0.headers[String(segment)] }) { return known }
        guard let header = JWKDocument.header(of: segment), header.alg == "ES256",
            !header.hasCriticalExtensions
        else { throw Failure.invalidToken }
        if let found = remember(segment, kid: header.kid) { return found }
        if await fetchIfDue(), let found = remember(segment, kid: header.kid) { return found }
        guard isLoaded else { throw Failure.unavailable("The issuer of the tokens") }
        throw Failure.invalidToken
    }

    private func remember(_ segment: Substring, kid: String) -> P256.Signing.PublicKey? {
        keys.withLockedValue { keys in
            guard let verifier = keys.verifiers[kid] else { return nil }
            if keys.headers.count >= 64 { keys.headers.removeAll() }
            keys.headers[String(segment)] = verifier
            return verifier
        }
    }

    /// Asks the issuer for a key that is not known, unless it was asked a moment ago.
    private func fetchIfDue() async -> Bool { await loading(after: Self.retryInterval)?.value ?? false }

    /// Loads the keys now, or waits for the loading that is under way.
    ///
    /// - Returns: Whether that succeeded; otherwise the last ones stay in use.
    @discardableResult public func refresh() async -> Bool { await loading(after: .zero)?.value ?? false }

    /// The loading under way, or a new one; nil when the last one began less than `pause` ago.
    private func loading(after pause: Duration) -> Task<Bool, Never>? {
        guard let load else { return nil }
        return keys.withLockedValue { keys in
            if let loading = keys.loading { return loading }
            if let last = keys.lastAttempt, last.duration(to: .now) < pause { return nil }
            keys.lastAttempt = .now
            let loading = Task {
                let isLoaded = await self.reload(load)
                self.keys.withLockedValue { $0.loading = nil }
                return isLoaded
            }
            keys.loading = loading
            return loading
        }
    }

    private func reload(_ load: @Sendable () async throws -> String) async -> Bool {
        do {
            let verifiers = try JWKDocument.verifiers(of: Array(try await load().utf8))
            keys.withLockedValue {
                // What was verified by a key that is gone must be looked at again.
                if $0.verifiers.keys != verifiers.keys { $0.headers.removeAll() }
                $0.verifiers = verifiers
                $0.loaded = true
            }
            return true
        } catch {
            // While starting, the issuer or the database may come later than we do.
            logger.log(
                level: isLoaded ? .warning : .debug, "The key set could not be loaded",
                metadata: ["error": "\(type(of: error))"])
            return false
        }
    }
}
