import Crypto
import FoundationEssentials
import JWTKit

/// Reading of JWK sets and JWT headers.
enum JWKDocument {
    struct Unusable: Error {}

    struct Header: Decodable {
        let alg: String
        let kid: String
    }

    private struct Key: Decodable {
        let kty: String
        let crv: String?
        let alg: String?
        let use: String?
        let kid: String?
        let x: String?
        let y: String?
    }

    private struct Document: Decodable { let keys: [Key] }

    /// The ES256 signature keys of a set by their ids, at most 32 of them.
    static func verifiers(of json: [UInt8]) async throws -> [String: JWTKeyCollection] {
        let document = try JSONDecoder().decode(Document.self, from: Data(json))
        var verifiers: [String: JWTKeyCollection] = [:]
        for key in document.keys.prefix(32) {
            guard key.kty == "EC", key.crv == "P-256", key.alg ?? "ES256" == "ES256", key.use ?? "sig" == "sig",
                let kid = key.kid, let x = key.x, let y = key.y,
                let publicKey = try? ES256PublicKey(parameters: (x: x, y: y))
            else { continue }
            // A collection of one: JWTKit would else take its default key for an id it does not know.
            verifiers[kid] = await JWTKeyCollection().add(ecdsa: publicKey, kid: JWKIdentifier(string: kid))
        }
        guard !verifiers.isEmpty else { throw Unusable() }
        return verifiers
    }

    /// The first segment of a compact JWT.
    static func header(of segment: String) -> Header? {
        var base64 = segment.replacing("-", with: "+").replacing("_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        return Data(base64Encoded: base64).flatMap { try? JSONDecoder().decode(Header.self, from: $0) }
    }
}
