import Crypto

/// One-time codes of authenticator apps (RFC 6238): SHA-1, six digits, thirty seconds, which is what all apps know.
struct TOTP: Sendable, Equatable {
    /// Seconds.
    static let period: Int64 = 30

    let secret: [UInt8]

    init(secret: [UInt8]) { self.secret = secret }

    /// 160 random bits (RFC 4226 §4, R6).
    static func new() -> TOTP {
        var generator = SystemRandomNumberGenerator()
        return TOTP(secret: (0..<20).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// The code of a time step (RFC 4226 §5.3).
    func code(step: Int64) -> String {
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> (56 - 8 * $0)) }
        let mac = Array(HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
        let offset = Int(mac[19] & 15)
        let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let digits = String(number % 1_000_000)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// The time step that the code is of: now, or one to either side for clocks that are off (RFC 6238 §5.2).
    /// - Parameter time: Seconds since 1970.
    func step(of code: String, at time: Int64) -> Int64? {
        let now = time / Self.period
        return [now, now - 1, now + 1].first { self.code(step: $0) == code }
    }

    /// What an app reads from a QR code.
    func uri(issuer: String, account: String) -> String {
        let label = Self.encoded(issuer) + ":" + Self.encoded(account)
        return "otpauth://totp/\(label)?secret=\(base32)&issuer=\(Self.encoded(issuer))&digits=6&period=\(Self.period)"
    }

    /// RFC 4648 §6, without padding.
    var base32: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var text = "", buffer = 0, bits = 0
        for byte in secret {
            buffer = buffer << 8 | Int(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(alphabet[buffer >> bits & 31])
            }
            buffer &= 31
        }
        if bits > 0 { text.append(alphabet[buffer << (5 - bits) & 31]) }
        return text
    }

    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): [byte]
            default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
