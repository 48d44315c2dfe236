import Crypto
import JWTKit
import MailModel

/// The private keys of the issuer (ES256), kept in one file that only its owner can read.
///
/// The file holds PEM blocks: the first signs; the others are earlier keys, whose tokens still verify.
public struct SigningKeys: Sendable {
    /// The key id of the signing key: its JWK thumbprint (RFC 7638).
    public let kid: String
    /// The public halves as a JWK set (RFC 7517), JSON, without padding in the coordinates.
    public let jwks: String
    /// Verifies what these keys sign.
    public let keySet: KeySet

    private let signer: JWTKeyCollection

    /// Reads the key file, or makes it with a new key, atomically, when there is none.
    ///
    /// - Parameters:
    ///   - file: The path; its folder must exist.
    ///   - issuer: The `iss` of the tokens.
    /// - Throws: `KeyFileError` when the file cannot be read or made, is no key, or is readable by others.
    public init(file: String, issuer: String) async throws {
        let pem = try KeyFile.readOrCreate(path: file) { P256.Signing.PrivateKey().pemRepresentation }
        try await self.init(pem: pem, issuer: issuer)
    }

    /// - Parameter pem: One or more PEM blocks; the first signs.
    /// - Throws: `KeyFileError` when there is no P-256 key in it.
    public init(pem: String, issuer: String) async throws {
        let keys = try KeyFile.blocks(of: pem).map { block -> P256.Signing.PrivateKey in
            do { return try P256.Signing.PrivateKey(pemRepresentation: block) } catch { throw KeyFileError.notAKey }
        }
        guard let first = keys.first else { throw KeyFileError.notAKey }
        let documents = keys.map { PublicJWK($0.publicKey) }
        kid = documents[0].kid
        jwks = PublicJWK.set(documents)
        keySet = try await KeySet(jwks: jwks, issuer: issuer)
        signer = JWTKeyCollection()
        await signer.add(ecdsa: try ES256PrivateKey(backing: first), kid: JWKIdentifier(string: kid))
    }

    /// The compact form of a signed JWT (RFC 7515 §7.1).
    public func sign(_ token: AccessToken) async throws -> String {
        try await signer.sign(SignedClaims(token), kid: JWKIdentifier(string: kid), header: ["typ": "JWT"])
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
