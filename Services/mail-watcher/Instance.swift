import Glibc

/// The name of this replica: its host and port. A replica that was killed and comes back has the same name, and with it
/// the leases it held.
enum Instance {
    static func name(port: Int) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        let host =
            gethostname(&buffer, buffer.count - 1) == 0
            ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "host"
        return "\(host):\(port)"
    }
}
