import Crypto
import FoundationEssentials

/// A key shared with a name server, which signs the messages to it (RFC 8945), by HMAC-SHA256.
public struct TSIGKey: Sendable {
    private static let algorithm = "hmac-sha256"
    /// Seconds that the two clocks may differ.
    private static let fudge: UInt16 = 300

    private let name: String
    private let secret: SymmetricKey

    /// - Parameter secret: Base64, as `tsig-keygen` prints it.
    /// - Returns: nil when it is not.
    public init?(name: String, secret: String) {
        guard let bytes = Data(base64Encoded: secret), !bytes.isEmpty, (try? DNSName.encode(name)) != nil else {
            return nil
        }
        self.name = name.lowercased()
        self.secret = SymmetricKey(data: bytes)
    }

    /// The message with its signature as the last record (RFC 8945 §5.1).
    ///
    /// - Parameter time: Seconds since 1970.
    func sign(_ message: DNSMessage, time: UInt64) throws(DNSError) -> [UInt8] {
        let bytes = try message.encoded()
        let digest = try mac(of: bytes, time: time)
        var data = try DNSName.encode(Self.algorithm)
        data += Self.timers(time)
        data.append(uint16: UInt16(digest.count))
        data += digest
        data.append(uint16: message.id)
        // No error, and no other data.
        data += [0, 0, 0, 0]
        var signed = message
        signed.additional.append(
            DNSResourceRecord(name: name, type: .tsig, recordClass: .any, ttl: 0, data: data))
        return try signed.encoded()
    }

    /// RFC 8945 §4.3.3: the message, then the variables of the record.
    private func mac(of message: [UInt8], time: UInt64) throws(DNSError) -> [UInt8] {
        var text = message
        text += try DNSName.encode(name)
        text.append(uint16: DNSClass.any.rawValue)
        text.append(uint32: 0)
        text += try DNSName.encode(Self.algorithm)
        text += Self.timers(time)
        text += [0, 0, 0, 0]
        return Array(HMAC<SHA256>.authenticationCode(for: text, using: secret))
    }

    /// 48 bits of time and 16 of what the clocks may differ.
    private static func timers(_ time: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(uint16: UInt16(truncatingIfNeeded: time >> 32))
        bytes.append(uint32: UInt32(truncatingIfNeeded: time))
        bytes.append(uint16: fudge)
        return bytes
    }
}
