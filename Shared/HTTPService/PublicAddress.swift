public import NIOCore

/// Which addresses a request on behalf of a stranger may go to: those of the public Internet, so that nobody reaches
/// what stands in our own network by having us ask for it.
public struct PublicAddresses: Sendable {
    /// A network in CIDR notation: `10.0.0.0/8`, `fd00::/8`.
    struct Network: Sendable {
        let bytes: [UInt8]
        let length: Int

        init?(_ text: some StringProtocol) {
            let halves = text.split(separator: "/", maxSplits: 1)
            guard let first = halves.first, let address = try? SocketAddress(ipAddress: String(first), port: 0) else {
                return nil
            }
            bytes = address.addressBytes
            guard halves.count == 1 || Int(halves[1]) != nil else { return nil }
            length = halves.count == 2 ? Int(halves[1]) ?? 0 : bytes.count * 8
            guard (0...bytes.count * 8).contains(length) else { return nil }
        }

        func contains(_ address: [UInt8]) -> Bool {
            guard address.count == bytes.count else { return false }
            for bit in 0..<length {
                let mask = UInt8(0x80) >> UInt8(bit % 8)
                if address[bit / 8] & mask != bytes[bit / 8] & mask { return false }
            }
            return true
        }
    }

    /// What the IANA registries of special-purpose addresses (RFC 6890) keep from the Internet, multicast, and the one
    /// public address that a cloud answers inside its customers' networks.
    private static let closed = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
        // Of IPv6 only 2000::/3 is open, without what stands for IPv4 addresses or for documentation.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ].compactMap { Network($0) }
    private static let openIPv6 = Network("2000::/3")

    private let allowed: [Network]

    /// The public Internet alone.
    public static let internet = PublicAddresses(allowed: [])

    private init(allowed: [Network]) { self.allowed = allowed }

    /// - Parameter networks: What is allowed beside the Internet, in CIDR notation.
    /// - Returns: nil when one of them is none.
    public init?(allowing networks: [String]) {
        allowed = networks.compactMap { Network($0) }
        guard allowed.count == networks.count else { return nil }
    }

    /// Whether a connection to the address may be made.
    public func contains(_ address: SocketAddress) -> Bool {
        let bytes = address.addressBytes
        if allowed.contains(where: { $0.contains(bytes) }) { return true }
        switch bytes.count {
        case 4: return !Self.closed.contains { $0.contains(bytes) }
        case 16: return Self.openIPv6?.contains(bytes) == true && !Self.closed.contains { $0.contains(bytes) }
        default: return false
        }
    }
}

extension SocketAddress {
    /// In network order; empty for a socket that has no IP address.
    fileprivate var addressBytes: [UInt8] {
        // Where the address stands in sockaddr_in and sockaddr_in6 (RFC 3493 §3.3), whose fields Swift imports from
        // another module on each system.
        let place: Range<Int>
        switch self {
        case .v4: place = 4..<8
        case .v6: place = 8..<24
        case .unixDomainSocket: return []
        }
        return withSockAddr { Array(UnsafeRawBufferPointer(start: $0, count: $1)[place]) }
    }
}
