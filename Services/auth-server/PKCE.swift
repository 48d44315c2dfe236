import Crypto
import FoundationEssentials

/// Proof key for code exchange, S256 alone (RFC 7636).
enum PKCE {
    /// The challenge of a verifier; nil for what can be no verifier (RFC 7636 §4.1).
    static func challenge(ofVerifier verifier: String) -> String? {
        guard (43...128).contains(verifier.utf8.count), verifier.utf8.allSatisfy(isUnreserved) else { return nil }
        return Data(SHA256.hash(data: Array(verifier.utf8))).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Whether it can be the challenge of any verifier: SHA-256 in base64url, without padding.
    static func isChallenge(_ text: String) -> Bool {
        text.utf8.count == 43
            && text.utf8.allSatisfy { isUnreserved($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: "~") }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }
}
