import HTTPService
import NIOCore
import Testing

@Suite struct PublicAddressTests {
    private func isOpen(_ address: String, _ addresses: PublicAddresses = .internet) throws -> Bool {
        addresses.contains(try SocketAddress(ipAddress: address, port: 80))
    }

    @Test(arguments: ["1.1.1.1", "93.184.216.34", "223.255.255.255", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
    func theInternetIsOpen(address: String) throws { #expect(try isOpen(address)) }

    @Test(arguments: [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.5",
        "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:1.1.1.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fe80::1",
        "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2001::1", "100::1", "fec0::1",
        "3fff::1",
    ])
    func allElseIsClosed(address: String) throws { #expect(try !isOpen(address)) }

    @Test func networksCanBeAllowed() throws {
        let lab = try #require(PublicAddresses(allowing: ["127.0.0.0/8", "fd00::/8", "10.1.2.3"]))
        for address in ["127.0.0.1", "fd12::1", "10.1.2.3", "1.1.1.1"] { #expect(try isOpen(address, lab)) }
        for address in ["10.1.2.4", "::1", "fe80::1", "192.168.0.1"] {
            #expect(try !isOpen(address, lab))
        }
        for text in ["x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/x", "/8", ""] {
            #expect(PublicAddresses(allowing: [text]) == nil, "\(text)")
        }
    }
}
