import Crypto
import FoundationEssentials
import JWTKit

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

    /// The first segment of a compact JWT; nil also when a member stands in it twice (RFC 7515 §4).
    static func header(of segment: some StringProtocol) -> Header? {
        guard let json = decoded(segment), MemberNames.areUnique(json) else { return nil }
        return try? JSONDecoder().decode(Header.self, from: json)
    }

    /// The JSON of a segment of a compact JWT.
    static func decoded(_ segment: some StringProtocol) -> Data? {
        var base64 = String(segment).replacing("-", with: "+").replacing("_", with: "/")
        while base64.utf8.count % 4 != 0 { base64 += "=" }
        return Data(base64Encoded: base64)
    }
}

/// Whether the members of a JSON object have a name each of their own: a reader that takes the first of two and one that
/// takes the last see two different tokens (RFC 7519 §4).
enum MemberNames {
    /// - Parameter json: One object. A name with an escape counts as a repetition: no token of ours has one.
    static func areUnique(_ json: Data) -> Bool {
        var names: Set<Data> = []
        var depth = 0
        var isName = false
        var index = json.startIndex
        while index < json.endIndex {
            switch json[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                isName = depth == 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ","): isName = depth == 1
            case UInt8(ascii: "\""):
                let (text, end) = string(json[json.index(after: index)...])
                if isName {
                    guard !text.contains(UInt8(ascii: "\\")), names.insert(text).inserted else { return false }
                    isName = false
                }
                index = end
            default: break
            }
            if index < json.endIndex { index = json.index(after: index) }
        }
        return true
    }

    /// What stands before the closing quote, and where that is.
    private static func string(_ rest: Data) -> (text: Data, end: Data.Index) {
        var end = rest.startIndex
        while end < rest.endIndex, rest[end] != UInt8(ascii: "\"") {
            end += rest[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return (Data(rest[..<min(end, rest.endIndex)]), min(end, rest.endIndex))
    }
}
