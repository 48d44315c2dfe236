/// The parts of a `redis:` URL.
struct RedisURL {
    private(set) var host: String
    private(set) var port: Int
    private(set) var usesTLS: Bool
    private(set) var user: String?
    private(set) var password: String?
    private(set) var database = 0
    private(set) var sentinel: Redis.Sentinel?

    init(_ url: String) throws(RedisError) {
        guard let scheme = url.firstRange(of: "://") else { throw .invalidURL("no scheme; redis://host:port is meant") }
        let isSentinel: Bool
        switch url[..<scheme.lowerBound] {
        case "redis": (usesTLS, isSentinel) = (false, false)
        case "rediss": (usesTLS, isSentinel) = (true, false)
        case "redis+sentinel": (usesTLS, isSentinel) = (false, true)
        case "rediss+sentinel": (usesTLS, isSentinel) = (true, true)
        default: throw .invalidURL("the scheme is none of redis, rediss, redis+sentinel, rediss+sentinel")
        }
        let rest = url[scheme.upperBound...].prefix { $0 != "?" && $0 != "#" }
        let parameters = Self.parameters(of: url)
        // One that says nothing to us, "tls=true", means something to whoever wrote it.
        guard parameters.keys.allSatisfy({ isSentinel && $0 == "sentinel_password" }) else {
            throw .invalidURL("a parameter other than sentinel_password, of redis+sentinel:// and rediss+sentinel://")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        var path = rest[slash...].split(separator: "/")
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = login[0].isEmpty ? nil : Self.percentDecoded(login[0])
            password = login.count > 1 ? Self.percentDecoded(login[1]) : nil
            authority = authority[authority.index(after: at)...]
        }
        var addresses: [Redis.Address] = []
        for server in authority.split(separator: ",", omittingEmptySubsequences: false) {
            addresses.append(try Self.address(server, defaultPort: isSentinel ? 26_379 : 6379))
        }
        guard let first = addresses.first, isSentinel || addresses.count == 1 else {
            throw .invalidURL("one host is meant; several are redis+sentinel://")
        }
        (host, port) = (first.host, first.port)
        if isSentinel {
            guard !path.isEmpty else { throw .invalidURL("no name of the master behind the Sentinels") }
            sentinel = Redis.Sentinel(
                addresses: addresses, master: Self.percentDecoded(path.removeFirst()),
                password: parameters["sentinel_password"])
        }
        if let text = path.first {
            guard path.count == 1, let number = Int(text), number >= 0 else {
                throw .invalidURL("the database is no number")
            }
            database = number
        }
    }

    private static func address(_ text: Substring, defaultPort: Int) throws(RedisError) -> Redis.Address {
        var host = String(text)
        var port = defaultPort
        // A colon within brackets belongs to an IPv6 address.
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let number = UInt16(text[text.index(after: colon)...]) else {
                throw .invalidURL("the port is no number below 65536")
            }
            host = String(text[..<colon])
            port = Int(number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw .invalidURL("no host") }
        return Redis.Address(host: host, port: port)
    }

    private static func parameters(of url: String) -> [String: String] {
        guard let mark = url.firstIndex(of: "?") else { return [:] }
        var parameters: [String: String] = [:]
        for parameter in url[url.index(after: mark)...].prefix(while: { $0 != "#" }).split(separator: "&") {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            parameters[String(parts[0])] = parts.count > 1 ? percentDecoded(parts[1]) : ""
        }
        return parameters
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
