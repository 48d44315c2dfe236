/// Entity tags of answers without a state of their own (RFC 9110 §8.8.3).
enum EntityTag {
    /// A strong tag of the bytes, the same on every replica.
    static func of(_ bytes: [UInt8]) -> String { "\"\(hash(bytes))-\(bytes.count)\"" }

    /// Which folder of which mailbox, in hexadecimal digits: uids and mod-sequences of another may be the same.
    static func place(_ account: String, _ folder: String) -> String { hash("\(account)\0\(folder)".utf8) }

    /// 64 bits of FNV-1a, in hexadecimal digits.
    static func hash(_ bytes: some Sequence<UInt8>) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
