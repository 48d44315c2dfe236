/// What belongs to both the command client and the subscriber.
public enum Redis {
    /// Where the server is, how to log in, and how long to wait.
    public struct Configuration: Sendable {
        public var host: String
        public var port: Int
        /// Whether the connection is TLS.
        public var usesTLS: Bool
        /// A PEM file with the authorities to trust, in place of the system's.
        public var tlsCAFile: String?
        public var user: String?
        public var password: String?
        public var database: Int
        /// For the TCP connect.
        public var connectTimeout: Duration
        /// The longest wait for the answer to one command; the connection is given up after it.
        public var commandTimeout: Duration
        /// How many commands may wait for their answers; further ones fail with `RedisError.overloaded`.
        public var maximumPending: Int

        /// - Parameter url: `redis://user:password@host:port/database`, or `rediss:` for TLS; all but the host may be
        ///   missing. User and password are percent-encoded.
        /// - Throws: `RedisError.invalidURL`.
        public init(url: String) throws(RedisError) {
            let parts = try RedisURL(url)
            self.init(
                host: parts.host, port: parts.port, usesTLS: parts.usesTLS, user: parts.user,
                password: parts.password, database: parts.database)
        }

        public init(
            host: String, port: Int = 6379, usesTLS: Bool = false, user: String? = nil, password: String? = nil,
            database: Int = 0
        ) {
            self.host = host
            self.port = port
            self.usesTLS = usesTLS
            self.user = user
            self.password = password
            self.database = database
            tlsCAFile = nil
            connectTimeout = .seconds(1)
            commandTimeout = .seconds(2)
            maximumPending = 16_384
        }
    }
}

/// The parts of a `redis:` URL.
private struct RedisURL {
    var host: String
    var port = 6379
    var usesTLS: Bool
    var user: String?
    var password: String?
    var database = 0

    init(_ url: String) throws(RedisError) {
        guard let scheme = url.firstRange(of: "://") else { throw .invalidURL("no scheme; redis://host:port is meant") }
        switch url[..<scheme.lowerBound] {
        case "redis": usesTLS = false
        case "rediss": usesTLS = true
        default: throw .invalidURL("the scheme is neither redis nor rediss")
        }
        let rest = url[scheme.upperBound...].prefix { $0 != "?" && $0 != "#" }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        let path = rest[slash...].dropFirst()
        if !path.isEmpty {
            guard let number = Int(path), number >= 0 else { throw .invalidURL("the database is no number") }
            database = number
        }
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = login[0].isEmpty ? nil : Self.percentDecoded(login[0])
            password = login.count > 1 ? Self.percentDecoded(login[1]) : nil
            authority = authority[authority.index(after: at)...]
        }
        host = String(authority)
        // A colon within brackets belongs to an IPv6 address.
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]) else {
                throw .invalidURL("the port is no number below 65536")
            }
            host = String(authority[..<colon])
            port = Int(number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw .invalidURL("no host") }
    }

    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
