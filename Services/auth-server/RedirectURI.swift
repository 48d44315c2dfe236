import Glibc

/// Where a browser is sent back to: read strictly, since whoever can bend it gets the code (RFC 9700 §2.1, RFC 8252).
struct RedirectURI: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// A web page of the client's.
        case https
        /// An `http` server on the person's own machine, at whichever port is free (RFC 8252 §7.3).
        case loopback
        /// A scheme that an app on the person's machine claims (RFC 8252 §7.1).
        case privateUse
    }

    let text: String
    let kind: Kind
    /// The host, as a person would recognise it; for a private scheme that scheme.
    let place: String
    /// For a loopback URI everything but its port.
    private let withoutPort: String

    /// - Returns: nil for what no client may be sent back to: other schemes, user information, fragments, dots that
    ///   climb, backslashes, anything that is not plain ASCII.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (1...2000).contains(bytes.count), bytes.allSatisfy(Self.isAllowed), !text.contains("#"),
            let colon = text.firstIndex(of: ":")
        else { return nil }
        let scheme = text[..<colon].lowercased()
        let rest = text[text.index(after: colon)...]
        self.text = text
        switch scheme {
        case "https", "http":
            guard rest.hasPrefix("//") else { return nil }
            let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" }
            let path = rest.dropFirst(2 + authority.count)
            guard let (host, port) = Self.hostAndPort(authority), !path.split(separator: "/").contains("..") else {
                return nil
            }
            place = host
            withoutPort = scheme + "://" + host + path
            if scheme == "https" {
                kind = .https
            } else if ["127.0.0.1", "[::1]", "localhost"].contains(host), port != "0" {
                kind = .loopback
            } else {
                return nil
            }
        default:
            // A name in reverse, so that it belongs to somebody.
            guard scheme.contains("."), scheme.utf8.first.map({ (0x61...0x7a).contains($0) }) == true,
                scheme.utf8.allSatisfy(Self.isSchemeByte), rest.hasPrefix("/")
            else { return nil }
            kind = .privateUse
            place = scheme
            withoutPort = text
        }
    }

    /// Whether it is one that was registered: character by character, but for the port of a loopback URI.
    func matches(registered: String) -> Bool {
        guard let registered = RedirectURI(registered), registered.kind == kind else { return false }
        return kind == .loopback ? registered.withoutPort == withoutPort : registered.text == text
    }

    /// The URI with more parameters in its query (RFC 6749 §4.1.2).
    func adding(_ parameters: [(name: String, value: String)]) -> String {
        let query = parameters.map { "\($0.name)=\(Self.encoded($0.value))" }.joined(separator: "&")
        return text + (text.contains("?") ? (text.hasSuffix("?") || text.hasSuffix("&") ? "" : "&") : "?") + query
    }

    private static func hostAndPort(_ authority: Substring) -> (host: String, port: String)? {
        guard !authority.contains("@"), !authority.isEmpty else { return nil }
        var host = authority, port: Substring = ""
        let afterBracket = authority.lastIndex(of: "]") ?? authority.startIndex
        if let colon = authority[afterBracket...].lastIndex(of: ":") {
            (host, port) = (authority[..<colon], authority[authority.index(after: colon)...])
            guard (1...5).contains(port.count), port.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                Int(port).map({ $0 <= 65_535 }) == true
            else { return nil }
        }
        guard !host.isEmpty, isIPv6(host) || host.utf8.allSatisfy({ Self.isHostByte($0) }) else { return nil }
        return (host.lowercased(), String(port))
    }

    /// An address in brackets (RFC 3986 §3.2.2).
    private static func isIPv6(_ host: Substring) -> Bool {
        guard host.hasPrefix("["), host.hasSuffix("]"), host.utf8.count > 2 else { return false }
        var address = in6_addr()
        return inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address) == 1
    }

    /// RFC 3986 §2: unreserved, reserved and percent.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "-._~:/?#[]@!$&'()*+,;=%".utf8.contains(byte)
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool { isHostByte(byte) || byte == UInt8(ascii: "+") }

    private static func encoded(_ value: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in value.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
