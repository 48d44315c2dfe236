import Crypto

/// A random credential without content, shown once and kept only as its hash.
public struct OpaqueToken: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A service token: the platform itself.
        case service = "xs_"
        /// An app password.
        case app = "xa_"
        /// A refresh token.
        case refresh = "xr_"
        /// An authorization code (RFC 6749 §4.1.2).
        case code = "xc_"
        /// A device code (RFC 8628 §3.2).
        case device = "xd_"
    }

    public let kind: Kind
    /// The credential as its holder presents it: prefix and 32 letters (192 random bits).
    public let text: String

    /// Makes a new one from the system's random numbers.
    public init(new kind: Kind) {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<24).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.kind = kind
        self.text = kind.rawValue + Base64URL.encode(bytes)
    }

    /// Reads one as presented; nil when it cannot be of this kind, so that no store need be asked.
    ///
    /// Tokens set by an operator may be of any length from 20 to 200 bytes.
    public init?(_ text: String, kind: Kind) {
        guard text.hasPrefix(kind.rawValue), (20...200).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        self.kind = kind
        self.text = text
    }

    /// An id without meaning, for a `jti` or a session: 22 letters (128 random bits).
    public static func identifier() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64URL.encode((0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// What is stored and looked up: SHA-256 in 64 lower-case hex digits. A random token needs no salt.
    public var hash: String { Self.hash(of: text) }

    /// The hash of a token's text.
    public static func hash(of text: String) -> String { hash(of: Array(text.utf8)) }

    /// The same hash of any bytes.
    public static func hash(of bytes: [UInt8]) -> String {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }
        var hex: [UInt8] = []
        hex.reserveCapacity(64)
        for byte in SHA256.hash(data: bytes) {
            hex.append(digit(byte >> 4))
            hex.append(digit(byte & 15))
        }
        return String(decoding: hex, as: UTF8.self)
    }
}
