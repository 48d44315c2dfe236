import Glibc

/// What counts as one place on the Internet: an IPv4 address, or an IPv6 network of 64 bits, since that is what one
/// subscriber has.
struct ClientNetwork: Sendable, Equatable {
    /// At most 45 bytes of ASCII.
    let text: String

    /// - Parameter address: As a request came from; what is no address stands for itself.
    init(of address: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard address.contains(":"), inet_pton(AF_INET6, address, &bytes) == 1 else {
            text = String(address.unicodeScalars.filter(\.isASCII).prefix(45).map(Character.init))
            return
        }
        if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] {
            text = bytes.suffix(4).map(String.init).joined(separator: ".")
            return
        }
        let groups = stride(from: 0, to: 8, by: 2).map {
            String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
        }
        text = groups.joined(separator: ":") + "::/64"
    }
}
