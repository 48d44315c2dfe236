import Glibc

/// Very many WebSockets of one client, which listen and do nothing else; each a descriptor and a few bytes.
final class Crowd {
    private let port: Int
    private let serviceToken: String
    private var descriptors: [Int32] = []

    init(port: Int, serviceToken: String) {
        self.port = port
        self.serviceToken = serviceToken
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// Opens so many, one after the other.
    func open(_ count: Int, path: (Int) -> String) throws {
        for number in 0..<count {
            descriptors.append(try handshake(path(number)))
            if number % 500 == 499 { try answerPings() }
        }
    }

    /// Shows that all still live.
    func answerPings() throws {
        var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        guard poll(&polls, nfds_t(polls.count), 0) > 0 else { return }
        for poll in polls where poll.revents != 0 {
            guard read(poll.fd, &buffer, buffer.count) > 0 else {
                throw Socket.Failed(description: "a socket was closed")
            }
            // Without a payload, masked with zeros, which is a mask like any other.
            let pong: [UInt8] = [0x8a, 0x80, 0, 0, 0, 0]
            if buffer[0] == 0x89 { _ = write(poll.fd, pong, pong.count) }
        }
    }

    /// Returns when each has received these bytes.
    func awaitAll(containing text: String) throws {
        let wanted = Array(text.utf8)
        var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var left = polls.count
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while left > 0 {
            guard poll(&polls, nfds_t(polls.count), 5000) > 0 else {
                throw Socket.Failed(description: "\(left) of \(polls.count) sockets heard nothing")
            }
            for index in polls.indices where polls[index].revents != 0 {
                let count = read(polls[index].fd, &buffer, buffer.count)
                guard count > 0 else { throw Socket.Failed(description: "a socket was closed") }
                guard Self.contains(buffer[..<count], wanted) else { continue }
                polls[index].fd = -1
                left -= 1
            }
        }
    }

    private static func contains(_ bytes: ArraySlice<UInt8>, _ wanted: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0] == wanted[0] && bytes[$0...].starts(with: wanted) }
    }

    private func handshake(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Socket.Failed(description: "cannot connect to port \(port)") }
        let request = Array(
            """
            GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
            x-service-token: \(serviceToken)\r\n\r\n
            """.utf8)
        guard write(descriptor, request, request.count) == request.count else {
            throw Socket.Failed(description: "connection closed while writing")
        }
        // Byte by byte: what comes behind the head belongs to the socket.
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard read(descriptor, &byte, 1) == 1 else { throw Socket.Failed(description: "WebSocket refused") }
            head.append(byte)
        }
        guard head.starts(with: Array("HTTP/1.1 101".utf8)) else {
            throw Socket.Failed(description: "WebSocket refused: \(String(decoding: head, as: UTF8.self))")
        }
        return descriptor
    }
}
