import Crypto
import FoundationEssentials

/// Reading of JWK sets and JWT headers.
enum JWKDocument {
    struct Unusable: Error {}

    struct Header: Decodable {
        let alg: String
        let kid: String
        /// Extensions that a reader must understand (RFC 7515 §4.1.11): we understand none.
        let hasCriticalExtensions: Bool

        enum CodingKeys: String, CodingKey { case alg, kid, crit }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            alg = try members.decode(String.self, forKey: .alg)
            kid = try members.decode(String.self, forKey: .kid)
            hasCriticalExtensions = members.contains(.crit)
        }
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
    static func verifiers(of json: [UInt8]) throws -> [String: P256.Signing.PublicKey] {
        let document = try JSONDecoder().decode(Document.self, from: Data(json))
        var verifiers: [String: P256.Signing.PublicKey] = [:]
        for key in document.keys.prefix(32) {
            guard key.kty == "EC", key.crv == "P-256", key.alg ?? "ES256" == "ES256", key.use ?? "sig" == "sig",
                let kid = key.kid, let x = key.x.flatMap({ Base64URL.decode($0.utf8) }), x.count == 32,
                let y = key.y.flatMap({ Base64URL.decode($0.utf8) }),
                let publicKey = try? P256.Signing.PublicKey(rawRepresentation: x + y)
            else { continue }
            verifiers[kid] = publicKey
        }
        guard !verifiers.isEmpty else { throw Unusable() }
        return verifiers
    }

    /// The first segment of a compact JWT; nil also when a member stands in it twice (RFC 7515 §4).
    static func header(of segment: Substring) -> Header? {
        guard let json = Base64URL.decode(segment.utf8), MemberNames.areUnique(json) else { return nil }
        return try? JSONDecoder().decode(Header.self, from: Data(json))
    }
}

/// Whether the members of a JSON object have a name each of their own: a reader that takes the first of two and one that
/// takes the last see two different tokens (RFC 7519 §4).
enum MemberNames {
    /// - Parameter json: One object. A name with an escape counts as a repetition: no token of ours has one.
    static func areUnique(_ json: [UInt8]) -> Bool {
        var names: Set<ArraySlice<UInt8>> = []
        var depth = 0
        var isName = false
        var index = 0
        while index < json.count {
            switch json[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                isName = depth == 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ","): isName = depth == 1
            case UInt8(ascii: "\""):
                let start = index + 1
                index = end(ofStringFrom: start, in: json)
                if isName {
                    let name = json[start..<index]
                    guard !name.contains(UInt8(ascii: "\\")), names.insert(name).inserted else { return false }
                    isName = false
                }
            default: break
            }
            index += 1
        }
        return true
    }

    /// Where the closing quote is, or the end.
    private static func end(ofStringFrom start: Int, in json: [UInt8]) -> Int {
        var end = start
        while end < json.count, json[end] != UInt8(ascii: "\"") { end += json[end] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(end, json.count)
    }
}
