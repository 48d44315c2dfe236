import MailModel

/// An address on another host, as far as we go there: `http` or `https`, a host, no credentials.
public struct PublicURL: Sendable, Equatable {
    public let isSecure: Bool
    /// A name in A-labels, or an IP address without brackets, in lower case.
    public let host: String
    public let port: Int
    /// Path and query as they are sent: visible ASCII alone.
    public let target: String

    /// nil for every other URL.
    public init?(_ text: String) {
        guard text.utf8.count <= 8000, let colon = text.firstIndex(of: ":") else { return nil }
        switch text[..<colon].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: return nil
        }
        let rest = text[text.index(after: colon)...]
        guard rest.hasPrefix("//") else { return nil }
        let place = rest.dropFirst(2)
        let authority = place.prefix { !"/?#\\".contains($0) }
        guard let (host, port) = Self.hostAndPort(authority) else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        target = Self.target(place[authority.endIndex...])
    }

    private init(isSecure: Bool, host: String, port: Int, target: String) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.target = target
    }

    /// What a `Location` header means here (RFC 9110 §10.2.2).
    public func resolving(_ location: String) -> PublicURL? {
        if location.hasPrefix("//") { return PublicURL((isSecure ? "https:" : "http:") + location) }
        let scheme = location.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
        if !scheme.isEmpty, location[scheme.endIndex...].hasPrefix(":") { return PublicURL(location) }
        guard location.utf8.count <= 8000 else { return nil }
        let path = target.prefix { $0 != "?" }
        let reference: String
        if location.hasPrefix("/") {
            reference = location
        } else if location.hasPrefix("?") {
            reference = "\(path)\(location)"
        } else {
            let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
            reference = "\(folder)\(location)"
        }
        return PublicURL(isSecure: isSecure, host: host, port: port, target: Self.target(reference[...]))
    }

    /// The value of the `Host` header.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    private static func hostAndPort(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority
        var port: Int?
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            let digits = authority[authority.index(after: colon)...]
            host = authority[..<colon]
            if !digits.isEmpty {
                guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                    (1...65_535).contains(number)
                else { return nil }
                port = number
            }
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast().lowercased()
            guard address.contains(":"), address.utf8.allSatisfy({ $0 == 0x3a || $0 == 0x2e || isHex($0) }) else {
                return nil
            }
            return (address, port)
        }
        guard let name = try? DomainName(String(host.hasSuffix(".") ? host.dropLast() : host)) else {
            // Addresses in figures and names of one label are no domains; they are checked like any other.
            let name = host.lowercased()
            guard (1...253).contains(name.utf8.count), name.utf8.allSatisfy({ isName($0) }) else { return nil }
            return (name, port)
        }
        return (name.description, port)
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isName(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x2d || byte == 0x2e || byte == 0x5f
    }

    /// Percent-encodes all but visible ASCII; the fragment is not sent.
    private static func target(_ text: Substring) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte == UInt8(ascii: "#") { break }
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "/"))
            case 0x21...0x7e: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        if bytes.first != UInt8(ascii: "/") { bytes.insert(UInt8(ascii: "/"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
