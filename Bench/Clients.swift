/// A kept-alive HTTP/1.1 connection that sends one request again and again.
struct HTTPCall {
    private let socket: Socket
    private let request: [UInt8]

    init(port: Int, _ method: String, _ path: String, headers: [String: String], body: String = "") throws {
        self.init(on: try Socket(port: port), method, path, headers: headers, body: body)
    }

    /// On a connection that other calls use too, one after the other.
    init(on socket: Socket, _ method: String, _ path: String, headers: [String: String], body: String = "") {
        self.socket = socket
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        request = Array((text + "\r\n" + body).utf8)
    }

    /// - Returns: The body.
    /// - Throws: For any status but 2xx.
    @discardableResult func callAsFunction() throws -> [UInt8] {
        try send()
        return try answer()
    }

    func send() throws { try socket.send(request) }

    /// The body of the answer to what was sent.
    /// - Throws: For any status but 2xx.
    @discardableResult func answer() throws -> [UInt8] {
        let (status, length) = try head()
        return try body(status, length)
    }

    /// Makes the call, and drops the body as it comes.
    /// - Returns: The body's length.
    /// - Throws: For any status but 2xx, and for a body in chunks.
    func download() throws -> Int {
        try send()
        let (status, length) = try head()
        guard status.dropFirst(9).hasPrefix("2"), length >= 0 else {
            _ = try body(status, length)
            throw Socket.Failed(description: "a body in chunks")
        }
        try socket.skip(length)
        return length
    }

    /// - Returns: The status line, and the body's length; -1 for chunks.
    private func head() throws -> (status: String, length: Int) {
        let status = try socket.line()
        var length = 0
        while case let header = try socket.line(), !header.isEmpty {
            if header.lowercased().hasPrefix("content-length:") {
                length = Int(header.drop { $0 != ":" }.dropFirst().drop { $0 == " " }) ?? 0
            }
            if header.lowercased().hasPrefix("transfer-encoding:") { length = -1 }
        }
        return (status, length)
    }

    private func body(_ status: String, _ length: Int) throws -> [UInt8] {
        let body = length >= 0 ? try socket.bytes(length) : try chunks()
        guard status.dropFirst(9).hasPrefix("2") else {
            throw Socket.Failed(description: "\(status): \(String(decoding: body, as: UTF8.self))")
        }
        return body
    }

    private func chunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while let size = Int(try socket.line(), radix: 16) {
            body += try socket.bytes(size)
            _ = try socket.line()
            if size == 0 { break }
        }
        return body
    }
}

/// A bare IMAP connection: the floor that the product is measured against.
final class BareIMAP {
    private let socket: Socket
    private var number = 0

    init(port: Int, user: String, token: String, selecting folder: String? = "INBOX") throws {
        socket = try Socket(port: port)
        _ = try socket.line()
        let initial = Base64.encode(Array("user=\(user)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8))
        try command("AUTHENTICATE XOAUTH2 \(initial)")
        if let folder { try command("SELECT \(folder)") }
    }

    /// One round trip; the answer is read to its tagged line and dropped.
    func command(_ text: String) throws {
        number += 1
        try socket.send("a\(number) \(text)\r\n")
        try socket.skip(throughLineStarting: Array("a\(number) OK".utf8))
    }

    /// Several in one round trip; the answers are read and dropped.
    func commands(_ texts: String...) throws {
        var lines = ""
        for text in texts {
            number += 1
            lines += "a\(number) \(text)\r\n"
        }
        try socket.send(lines)
        try socket.skip(throughLineStarting: Array("a\(number) OK".utf8))
    }

    /// Returns when the server has ended the session.
    func awaitEnd() { while (try? socket.line()) != nil {} }

    /// Appends a message that is never in memory whole: `block` is repeated between `head` and `tail`.
    func append(_ head: String, _ block: String, times: Int, _ tail: String, to folder: String) throws {
        number += 1
        let size = head.utf8.count + block.utf8.count * times + tail.utf8.count
        try socket.send("a\(number) APPEND \(folder) {\(size)+}\r\n\(head)")
        let bytes = Array(block.utf8)
        for _ in 0..<times { try socket.send(bytes) }
        try socket.send("\(tail)\r\n")
        try socket.skip(throughLineStarting: Array("a\(number) OK".utf8))
    }

    /// Appends messages in one command (RFC 3502).
    func append(_ messages: [String], to folder: String) throws {
        number += 1
        try socket.send("a\(number) APPEND \(folder)")
        for message in messages { try socket.send(" {\(message.utf8.count)+}\r\n\(message)") }
        try socket.send("\r\n")
        try socket.skip(throughLineStarting: Array("a\(number) OK".utf8))
    }
}

/// An LMTP connection for single deliveries (RFC 2033).
struct LMTP {
    private let socket: Socket

    init(port: Int) throws {
        socket = try Socket(port: port)
        try expect("220")
        try socket.send("LHLO bench\r\n")
        try expect("250")
    }

    func deliver(_ message: String, from: String, to: String) throws {
        try socket.send("MAIL FROM:<\(from)>\r\n")
        try expect("250")
        try socket.send("RCPT TO:<\(to)>\r\n")
        try expect("250")
        try socket.send("DATA\r\n")
        try expect("354")
        try socket.send(message + "\r\n.\r\n")
        try expect("250")
    }

    private func expect(_ code: String) throws {
        var reply = try socket.line()
        while reply.dropFirst(3).first == "-" { reply = try socket.line() }
        guard reply.hasPrefix(code) else { throw Socket.Failed(description: "LMTP: \(reply)") }
    }
}

/// A WebSocket that only listens (RFC 6455), for frames below 64 kB.
struct EventSocket {
    private let socket: Socket

    init(port: Int, path: String, headers: [String: String]) throws {
        socket = try Socket(port: port, timeoutSeconds: 30)
        var text = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        try socket.send(text + "\r\n")
        let status = try socket.line()
        guard status.contains(" 101 ") else { throw Socket.Failed(description: "WebSocket refused: \(status)") }
        while try !socket.line().isEmpty {}
    }

    /// The text of the next message; pings are answered.
    func next() throws -> String {
        while true {
            let head = try socket.bytes(2)
            var length = Int(head[1] & 0x7f)
            if length == 126 { length = try socket.bytes(2).reduce(0) { $0 << 8 | Int($1) } }
            let payload = try socket.bytes(length)
            switch head[0] & 0x0f {
            case 1: return String(decoding: payload, as: UTF8.self)
            // Masked with zeros, which is a mask like any other.
            case 9: try socket.send([0x8a, 0x80 | UInt8(length), 0, 0, 0, 0] + payload)
            default: throw Socket.Failed(description: "WebSocket closed")
            }
        }
    }
}

enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var output: [UInt8] = []
        for group in stride(from: 0, to: bytes.count, by: 3) {
            let three = (0..<3).map { group + $0 < bytes.count ? Int(bytes[group + $0]) : 0 }
            let bits = three[0] << 16 | three[1] << 8 | three[2]
            for position in 0..<4 {
                let beyond = group + position > bytes.count
                output.append(beyond ? UInt8(ascii: "=") : alphabet[bits >> (18 - 6 * position) & 63])
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
