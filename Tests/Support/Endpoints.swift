import Glibc

/// The lines of `endpoints.env`.
struct Endpoints {
    let path: String
    private let values: [String: String]

    static func load() throws -> Endpoints {
        guard let path = getenv("XYNAP_ENDPOINTS").map({ String(cString: $0) }), !path.isEmpty else {
            throw TestStack.Missing.variable
        }
        return try load(path: path)
    }

    static func load(path: String) throws -> Endpoints {
        guard let file = fopen(path, "r") else { throw TestStack.Missing.file(path) }
        defer { fclose(file) }
        var text: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&block, 1, block.count, file), count > 0 { text += block[..<count] }
        return Endpoints(path: path, text: String(decoding: text, as: UTF8.self))
    }

    private init(path: String, text: String) {
        self.path = path
        let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
            guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { return nil }
            return (String(line[..<equals]), Self.unquoted(line[line.index(after: equals)...]))
        }
        values = Dictionary(pairs, uniquingKeysWith: { _, last in last })
    }

    func text(_ key: String) throws -> String {
        guard let value = values[key] else { throw TestStack.Missing.key(key, file: path) }
        return value
    }

    func number(_ key: String) throws -> Int {
        let value = try text(key)
        guard let number = Int(value) else { throw TestStack.Missing.notANumber(key, value: value) }
        return number
    }

    /// The file can also be read by a shell.
    private static func unquoted(_ value: Substring) -> String {
        guard value.count >= 2, let quote = value.first, quote == "'" || quote == "\"", value.last == quote else {
            return String(value)
        }
        return String(value.dropFirst().dropLast())
    }
}
