import Glibc

/// The name of this replica: its host and process, and a random part, since containers share process numbers.
enum Instance {
    static func name() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        let host = gethostname(&buffer, buffer.count - 1) == 0
            ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "host"
        return "\(host)-\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))"
    }
}
