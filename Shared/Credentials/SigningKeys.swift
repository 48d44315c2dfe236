import Crypto
import JWTKit
import MailModel
import NIOConcurrencyHelpers

/// The private keys of the issuer (ES256): one signs, the earlier ones only verify until their last token is dead.
///
/// Where they are kept is the business of the closure they are loaded with. They are loaded again every few seconds and
/// when a token names a key that is not known, so that all replicas follow a rotation; once loaded they stay in use while
/// they cannot be loaded again.
public final class SigningKeys: Sendable {
    /// Verifies what these keys sign; run it as a service, which keeps the keys up to date.
    public let keySet: KeySet

    private struct Signer: Sendable {
        let kid: String
        let jwks: String
        let keys: JWTKeyCollection
    }

    private let signer: NIOLockedValueBox<Signer?>

    /// - Parameters:
    ///   - issuer: The `iss` of the tokens.
    ///   - load: The private keys in PEM, the one that signs first. Any others verify: earlier ones, and one that is
    ///     published before it signs.
    public init(issuer: String, load: @escaping @Sendable () async throws -> [String]) {
        let signer = NIOLockedValueBox<Signer?>(nil)
        self.signer = signer
        keySet = KeySet(issuer: issuer, refreshedEvery: .seconds(5)) {
            let made = try await Self.signer(pems: try await load())
            signer.withLockedValue { $0 = made }
            return made.jwks
        }
    }

    /// The public halves as a JWK set (RFC 7517), JSON, without padding in the coordinates.
    ///
    /// - Throws: `Failure` `unavailable` until the keys were loaded.
    public func jwks() throws -> String { try current().jwks }

    /// The key id of the key that signs: its JWK thumbprint (RFC 7638).
    ///
    /// - Throws: `Failure` `unavailable` until the keys were loaded.
    public func kid() throws -> String { try current().kid }

    /// The compact form of a signed JWT (RFC 7515 §7.1).
    ///
    /// - Throws: `Failure` `unavailable` until the keys were loaded.
    public func sign(_ token: AccessToken) async throws -> String {
        let signer = try current()
        return try await signer.keys.sign(
            SignedClaims(token), kid: JWKIdentifier(string: signer.kid), header: ["typ": "JWT"])
    }

    /// A new key: its PEM, and its key id.
    public static func newKey() throws -> (pem: String, kid: String) {
        let key = P256.Signing.PrivateKey()
        return (key.pemRepresentation, PublicJWK(key.publicKey).kid)
    }

    private func current() throws -> Signer {
        guard let signer = signer.withLockedValue({ $0 }) else { throw Failure.unavailable("The signing keys") }
        return signer
    }

    private static func signer(pems: [String]) async throws -> Signer {
        let keys = try pems.map { pem -> P256.Signing.PrivateKey in
            do { return try P256.Signing.PrivateKey(pemRepresentation: pem) } catch { throw KeyFileError.notAKey }
        }
        guard let first = keys.first else { throw KeyFileError.notAKey }
        let documents = keys.map { PublicJWK($0.publicKey) }
        let collection = JWTKeyCollection()
        await collection.add(
            ecdsa: try ES256PrivateKey(backing: first), kid: JWKIdentifier(string: documents[0].kid))
        return Signer(kid: documents[0].kid, jwks: PublicJWK.set(documents), keys: collection)
    }
}

/// Lets JWTKit carry the claims without its protocol showing in our interface; the claims are checked by `KeySet`.
struct SignedClaims: JWTPayload {
    let token: AccessToken

    init(_ token: AccessToken) { self.token = token }
    init(from decoder: any Decoder) throws { token = try AccessToken(from: decoder) }
    func encode(to encoder: any Encoder) throws { try token.encode(to: encoder) }
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
