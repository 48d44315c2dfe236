import Glibc
public import Logging
import MailModel

/// Writes log lines to standard error: one JSON object, or one line of text, for each; metadata beside a static message.
public struct LogLine: LogHandler {
    public var logLevel: Logger.Level = .info
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let format: ServerSettings.LogFormat

    public init(label: String, format: ServerSettings.LogFormat) {
        self.label = label
        self.format = format
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var merged = event.metadata ?? [:]
        if let provided = metadataProvider?.get() { merged.merge(provided) { own, _ in own } }
        merged.merge(metadata) { own, _ in own }
        if let error = event.error { merged["error"] = "\(error)" }
        let bytes =
            switch format {
            case .json: json(event, merged)
            case .text: text(event, merged)
            }
        // One write(2) for a line, so that lines of threads do not mix; what cannot be written is lost.
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func json(_ event: LogEvent, _ metadata: Logger.Metadata) -> [UInt8] {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("at", at: Timestamp.now())
            json.field("level", event.level.rawValue)
            json.field("logger", label)
            json.field("message", event.message.description)
            Self.write(metadata, to: &json)
        }
        return json.bytes + [0x0a]
    }

    private static func write(_ members: Logger.Metadata, to json: inout JSONWriter) {
        for key in members.keys.sorted() {
            guard let value = members[key] else { continue }
            json.key(key)
            write(value, to: &json)
        }
    }

    private static func write(_ value: Logger.Metadata.Value, to json: inout JSONWriter) {
        switch value {
        case .string(let text): json.value(text)
        // The most frequent first: it is found without a search for conformances.
        case .stringConvertible(let number as Int): json.value(number)
        case .stringConvertible(let number as Double): json.value(number)
        case .stringConvertible(let number as any BinaryInteger) where number.bitWidth <= 64: json.value(number)
        case .stringConvertible(let other): json.value(other.description)
        case .array(let items): json.array(items) { write($1, to: &$0) }
        case .dictionary(let members): json.object { write(members, to: &$0) }
        }
    }

    private func text(_ event: LogEvent, _ metadata: Logger.Metadata) -> [UInt8] {
        let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let line =
            "\(Timestamp.rfc3339(milliseconds: Timestamp.now())) \(event.level.rawValue) \(label): "
            + "\(event.message)\(fields)"
        // A line stays a line, whatever a caller sent.
        return line.utf8.map { $0 < 0x20 ? 0x20 : $0 } + [0x0a]
    }
}
