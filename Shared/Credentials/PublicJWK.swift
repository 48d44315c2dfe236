import Crypto

/// A P-256 public key as JWK (RFC 7518 §6.2.1).
struct PublicJWK {
    let kid: String
    let x: String
    let y: String

    init(_ key: P256.Signing.PublicKey) {
        let point = Array(key.rawRepresentation)
        x = Base64URL.encode(point[..<32])
        y = Base64URL.encode(point[32...])
        // RFC 7638 §3: the required members, in lexicographic order, without white space.
        let thumbprint = SHA256.hash(data: Array(#"{"crv":"P-256","kty":"EC","x":"\#(x)","y":"\#(y)"}"#.utf8))
        kid = Base64URL.encode(thumbprint)
    }

    var json: String {
        #"{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"\#(kid)","x":"\#(x)","y":"\#(y)"}"#
    }

    static func set(_ keys: [PublicJWK]) -> String {
        #"{"keys":[\#(keys.map(\.json).joined(separator: ","))]}"#
    }
}

/// Base64 with the URL-safe alphabet and no padding (RFC 4648 §5).
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var output: [UInt8] = []
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes {
            accumulator = accumulator << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                output.append(alphabet[Int(accumulator >> bits) & 63])
            }
        }
        if bits > 0 { output.append(alphabet[Int(accumulator << (6 - bits)) & 63]) }
        return String(decoding: output, as: UTF8.self)
    }

    /// - Returns: nil for what `encode` would not have written: padding, other letters, spare bits that are not zero.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        text.withContiguousStorageIfAvailable(decode) ?? Array(text).withUnsafeBufferPointer(decode)
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var accumulator: UInt32 = 0
        var bits: UInt32 = 0
        var isClean = true
        let bytes = [UInt8](unsafeUninitializedCapacity: text.count * 3 / 4) { output, count in
            for letter in text {
                let value = values[Int(letter)]
                isClean = isClean && value < 64
                accumulator = accumulator << 6 | UInt32(value & 63)
                bits += 6
                guard bits >= 8 else { continue }
                bits -= 8
                output[count] = UInt8(truncatingIfNeeded: accumulator >> bits)
                count += 1
            }
        }
        return isClean && accumulator & (1 << bits - 1) == 0 ? bytes : nil
    }

    /// Of each letter; 255 for what is none.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: .max, count: 256)
        for (value, letter) in alphabet.enumerated() { values[Int(letter)] = UInt8(value) }
        return values
    }()
}
