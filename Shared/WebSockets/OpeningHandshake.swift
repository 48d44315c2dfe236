import Crypto
import HTTPTypes

/// The request that asks for a WebSocket (RFC 6455 §4.2.1), checked.
struct OpeningHandshake {
    private let key: String

    init?(_ head: HTTPRequest) {
        let fields = head.headerFields
        guard head.method == .get, fields.hasToken("websocket", in: .upgrade),
            fields.hasToken("upgrade", in: .connection), fields[.secWebSocketVersion] == "13",
            // Sixteen bytes in base64.
            let key = fields[.secWebSocketKey], key.utf8.count == 24
        else { return nil }
        self.key = key
    }

    /// `Sec-WebSocket-Accept` (RFC 6455 §4.2.2, 5.4).
    var accept: String {
        let digest = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Base64.encode(Array(digest))
    }
}

extension HTTPFields {
    /// Whether a list-valued field has the token, whatever its case.
    func hasToken(_ token: String, in name: HTTPField.Name) -> Bool {
        self[values: name].contains { value in
            value.split(separator: ",").contains { item in
                item.drop { $0 == " " }.prefix { $0 != " " }.lowercased() == token
            }
        }
    }
}

/// RFC 4648 §4
private enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let letter = alphabet[Int(bits >> UInt32(18 - 6 * index)) & 63]
                output.append(index <= group.count ? letter : UInt8(ascii: "="))
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
