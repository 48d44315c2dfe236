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
        var base64 = Array(segment.utf8)
        for index in base64.indices {
            switch base64[index] {
            case UInt8(ascii: "-"): base64[index] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): base64[index] = UInt8(ascii: "/")
            default: break
            }
        }
        while base64.count % 4 != 0 { base64.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(base64))
    }
}

/// Whether the members of a JSON object have a name each of their own: a reader that takes the first of two and one that
/// takes the last see two different tokens (RFC 7519 §4).
enum MemberNames {
    /// - Parameter json: One object. A name with an escape counts as a repetition: no token of ours has one.
    static func areUnique(_ json: Data) -> Bool { areUnique(Array(json)) }

    private static func areUnique(_ json: [UInt8]) -> Bool {
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
