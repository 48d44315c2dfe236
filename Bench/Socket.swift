import Glibc

/// A blocking TCP connection: the cheapest client there is, so that what is measured is the server.
final class Socket {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)
    private var start = 0
    private var end = 0

    /// Loopback only.
    init(port: Int, timeoutSeconds: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failed(description: "cannot connect to port \(port)") }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + sent, bytes.count - sent) }
            guard count > 0 else { throw Failed(description: "connection closed while writing") }
            sent += count
        }
    }

    /// The next line without its CRLF.
    func line() throws -> String {
        while true {
            if let newline = buffer[start..<end].firstIndex(of: 10) {
                let last = newline > start && buffer[newline - 1] == 13 ? newline - 1 : newline
                defer { start = newline + 1 }
                return String(decoding: buffer[start..<last], as: UTF8.self)
            }
            try fill()
        }
    }

    /// Exactly so many bytes.
    func bytes(_ count: Int) throws -> [UInt8] {
        while end - start < count { try fill() }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }

    /// Reads exactly so many bytes and drops them as they come.
    func skip(_ count: Int) throws {
        var left = count
        while left > 0 {
            if start == end { try fill() }
            let part = min(left, end - start)
            start += part
            left -= part
        }
    }

    /// What has come, at least one byte.
    func some() throws -> [UInt8] {
        if start == end { try fill() }
        return try bytes(end - start)
    }

    /// Reads on until the given bytes stand at the beginning of a line, and to the end of that line.
    func skip(throughLineStarting prefix: [UInt8]) throws {
        var lineStart = start
        var scanned = start
        while true {
            while let newline = buffer[scanned..<end].firstIndex(of: 10) {
                let matches = buffer[lineStart..<newline].starts(with: prefix)
                lineStart = newline + 1
                scanned = lineStart
                if matches {
                    start = lineStart
                    return
                }
            }
            start = lineStart
            let offset = end - start
            try fill()
            lineStart = start
            scanned = start + offset
        }
    }

    private func fill() throws {
        if start > 0 {
            buffer.replaceSubrange(0..<(end - start), with: Array(buffer[start..<end]))
            end -= start
            start = 0
        }
        if end == buffer.count { buffer.append(contentsOf: [UInt8](repeating: 0, count: buffer.count)) }
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + end, $0.count - end) }
        guard count > 0 else { throw Failed(description: count == 0 ? "connection closed" : "no answer in time") }
        end += count
    }
}
