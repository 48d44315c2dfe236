import Glibc

/// Networks in CIDR notation whose `X-Forwarded-For` is believed.
public struct TrustedProxies: Sendable {
    private struct Network {
        let prefix: [UInt8]
        let bits: Int
    }

    private var networks: [Network] = []

    public static let none = TrustedProxies()

    private init() {}

    /// - Parameter networks: `10.0.0.0/8`, `::1`, …
    /// - Returns: nil when one of them is not an address or a network.
    public init?(_ networks: [String]) {
        for text in networks {
            let parts = text.split(separator: "/", maxSplits: 1)
            guard let first = parts.first, let address = Self.bytes(of: String(first)) else { return nil }
            let mapped = !first.contains(":")
            var bits = 128
            if parts.count == 2 {
                guard let length = Int(parts[1]), (0...(mapped ? 32 : 128)).contains(length) else { return nil }
                bits = mapped ? 96 + length : length
            }
            self.networks.append(Network(prefix: address, bits: bits))
        }
    }

    /// Where a request came from: the peer, or, when that is trusted, the nearest address before it that is not.
    ///
    /// - Parameters:
    ///   - peer: The address that the connection came from; nil for a socket without one.
    ///   - forwardedFor: The header `X-Forwarded-For`.
    func client(peer: String?, forwardedFor: String?) -> String {
        guard let peer else { return "unknown" }
        guard let forwardedFor, contain(peer) else { return peer }
        var nearest = peer
        for hop in forwardedFor.split(separator: ",").reversed() {
            let address = String(hop.trimmingPrefix { $0 == " " }.prefix { $0 != " " })
            nearest = address
            if !contain(address) { break }
        }
        return nearest
    }

    func contain(_ address: String) -> Bool {
        guard !networks.isEmpty, let bytes = Self.bytes(of: address) else { return false }
        return networks.contains { network in
            let whole = network.bits / 8
            guard bytes[..<whole] == network.prefix[..<whole] else { return false }
            let rest = network.bits % 8
            return rest == 0 || (bytes[whole] ^ network.prefix[whole]) >> (8 - rest) == 0
        }
    }

    /// Sixteen bytes: IPv4 is mapped into IPv6 (RFC 4291 §2.5.5.2), so that one comparison serves both.
    private static func bytes(of address: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if address.contains(":") { return inet_pton(AF_INET6, address, &bytes) == 1 ? bytes : nil }
        var four = [UInt8](repeating: 0, count: 4)
        guard inet_pton(AF_INET, address, &four) == 1 else { return nil }
        return [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] + four
    }
}
