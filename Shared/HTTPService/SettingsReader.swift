import Configuration
import FoundationEssentials

/// What a service can be told from outside: one struct of values, read once at start.
public protocol ServiceSettings: Sendable {
    /// Reads every key once; faults are collected by the reader, which reports them all together.
    init(_ read: SettingsReader) throws
}

/// Reads settings: environment before YAML file before default.
///
/// The key `database.socket` is the variable `XYNAP_DATABASE_SOCKET` and `socket:` below `database:` in the file. Each
/// read declares its key, which is how `--help` and `check-config` know of it. An empty value counts as none.
public final class SettingsReader {
    /// One declared key.
    struct Declaration {
        let key: String
        let variable: String
        let meaning: String
        /// nil for a key that must be set.
        let fallback: String?
        let isSecret: Bool
        var value: String?
        var source: String
    }

    private let environment: ConfigReader
    private let file: ConfigReader?
    private(set) var declarations: [Declaration] = []
    /// What is wrong, for a person, naming keys.
    private(set) var faults: [String] = []

    /// - Parameters:
    ///   - environment: The variables.
    ///   - file: Path of a YAML file; nil for none.
    /// - Throws: When the file cannot be read or is no YAML mapping.
    public init(environment: [String: String], file: String? = nil) async throws {
        let variables = EnvironmentVariablesProvider(environmentVariables: environment)
        self.environment = ConfigReader(provider: variables.prefixKeys(with: "xynap"))
        if let file, !file.isEmpty {
            let path = ConfigReader(
                provider: InMemoryProvider(values: ["filePath": .init(.string(file), isSecret: false)]))
            self.file = ConfigReader(provider: try await FileProvider<YAMLSnapshot>(config: path))
        } else {
            self.file = nil
        }
    }

    /// A text with a default.
    public func string(_ key: String, default fallback: String, _ meaning: String) -> String {
        value(key, fallback: fallback, meaning) ?? fallback
    }

    /// A text that must be set; the start fails without it.
    public func string(_ key: String, _ meaning: String) -> String { value(key, fallback: nil, meaning) ?? "" }

    /// A text that may be missing.
    public func optionalString(_ key: String, _ meaning: String) -> String? {
        let text = value(key, fallback: "", meaning) ?? ""
        return text.isEmpty ? nil : text
    }

    /// A whole number within a range.
    public func int(
        _ key: String, default fallback: Int, in range: ClosedRange<Int> = 0...Int.max, _ meaning: String
    ) -> Int {
        guard let text = value(key, fallback: String(fallback), meaning) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            let most = range.upperBound == .max ? "" : " to \(range.upperBound)"
            return refuse(key, "must be a whole number from \(range.lowerBound)\(most)", fallback)
        }
        return number
    }

    /// `true` or `false`; `yes`, `no`, `1`, `0` are understood too.
    public func bool(_ key: String, default fallback: Bool, _ meaning: String) -> Bool {
        switch value(key, fallback: String(fallback), meaning)?.lowercased() {
        case nil: fallback
        case "true", "yes", "1": true
        case "false", "no", "0": false
        default: refuse(key, "must be true or false", fallback)
        }
    }

    /// A length of time, within a range if there is one: `250ms`, `10s`, `5m`, `1h`; a bare number is seconds.
    public func duration(
        _ key: String, default fallback: Duration, in range: ClosedRange<Duration>? = nil, _ meaning: String
    ) -> Duration {
        guard let text = value(key, fallback: DurationText.format(fallback), meaning) else { return fallback }
        guard let duration = DurationText.parse(text) else {
            return refuse(key, "must be a time like 250ms, 10s, 5m or 1h", fallback)
        }
        if let range, !range.contains(duration) {
            let least = DurationText.format(range.lowerBound), most = DurationText.format(range.upperBound)
            return refuse(key, "must be a time from \(least) to \(most)", fallback)
        }
        return duration
    }

    /// Texts separated by commas, or a YAML list.
    public func list(_ key: String, default fallback: [String] = [], _ meaning: String) -> [String] {
        guard let text = value(key, fallback: fallback.joined(separator: ","), meaning) else { return fallback }
        return text.split(separator: ",").map { $0.trimming { $0.isWhitespace } }.filter { !$0.isEmpty }
    }

    /// A secret, in the variable itself or in a file that `<KEY>_FILE` names; the start fails without it.
    public func secret(_ key: String, _ meaning: String) -> String {
        value(key, fallback: nil, meaning, isSecret: true) ?? ""
    }

    /// As `secret`, with a default.
    public func secret(_ key: String, default fallback: String, _ meaning: String) -> String {
        value(key, fallback: fallback, meaning, isSecret: true) ?? fallback
    }

    /// As `secret`, which may be missing.
    public func optionalSecret(_ key: String, _ meaning: String) -> String? {
        let text = value(key, fallback: "", meaning, isSecret: true) ?? ""
        return text.isEmpty ? nil : text
    }

    /// One of the words.
    public func choice(_ key: String, of words: [String], default fallback: String, _ meaning: String) -> String {
        let word = string(key, default: fallback, "\(meaning) (\(words.joined(separator: ", ")))")
        guard words.contains(word) else {
            return refuse(key, "must be one of \(words.joined(separator: ", "))", fallback)
        }
        return word
    }

    // MARK: Inside

    /// The name of the environment variable of a key.
    static func variable(of key: String) -> String {
        "XYNAP_" + key.uppercased().replacing(".", with: "_").replacing("-", with: "_")
    }

    private func value(_ key: String, fallback: String?, _ meaning: String, isSecret: Bool = false) -> String? {
        var declaration = Declaration(
            key: key, variable: Self.variable(of: key), meaning: meaning, fallback: fallback, isSecret: isSecret,
            value: nil, source: "default")
        if let (text, source) = found(key) ?? (isSecret ? foundInFile(key) : nil) {
            declaration.value = text
            declaration.source = source
        } else if fallback == nil {
            declaration.source = "missing"
            let orFile = isSecret ? " or \(declaration.variable)_FILE" : ""
            faults.append("\(key) is not set: set \(declaration.variable)\(orFile) (\(meaning))")
        }
        if !declarations.contains(where: { $0.key == key }) { declarations.append(declaration) }
        return declaration.value
    }

    private func found(_ key: String) -> (text: String, source: String)? {
        let configKey = ConfigKey(key.split(separator: ".").map(String.init))
        for (reader, source) in [(Optional(environment), "environment"), (file, "file")] {
            guard let reader else { continue }
            if let text = reader.string(forKey: configKey), !text.isEmpty { return (text, source) }
            if source == "file", let items = reader.stringArray(forKey: configKey), !items.isEmpty {
                return (items.joined(separator: ","), source)
            }
        }
        return nil
    }

    private func foundInFile(_ key: String) -> (text: String, source: String)? {
        guard let (path, _) = found(key + "_file") else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            faults.append("\(key): the file \(path) cannot be read")
            return nil
        }
        let text = String(decoding: data, as: UTF8.self).trimming { $0.isNewline || $0 == " " }
        guard !text.isEmpty else {
            faults.append("\(key): the file \(path) is empty")
            return nil
        }
        return (text, "file \(path)")
    }

    /// Notes a fault of a key that was read, and goes on with the fallback.
    public func refuse<Value>(_ key: String, _ what: String, _ fallback: Value) -> Value {
        faults.append("\(key) (\(Self.variable(of: key))) \(what)")
        return fallback
    }
}

extension StringProtocol {
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> String {
        let head = drop(while: isTrimmed)
        guard let last = head.lastIndex(where: { !isTrimmed($0) }) else { return "" }
        return String(head[...last])
    }
}

/// Lengths of time as people write them.
enum DurationText {
    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number < 1_000_000_000 else { return nil }
        return switch text.dropFirst(digits.count) {
        case "ms": .milliseconds(number)
        case "", "s": .seconds(number)
        case "m": .seconds(number * 60)
        case "h": .seconds(number * 3600)
        case "d": .seconds(number * 86_400)
        default: nil
        }
    }

    static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds != 0 { return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms" }
        if seconds >= 3600, seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        if seconds >= 60, seconds % 60 == 0 { return "\(seconds / 60)m" }
        return "\(seconds)s"
    }
}
