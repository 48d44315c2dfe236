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
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let given = event.metadata { merged.merge(given) { $1 } }
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
        let output = JSONOutput()
        let level = output.open(object: true)
        func field(_ name: String, _ value: String) {
            _ = output.next(level: level)
            output.key(name)
            output.string(value)
        }
        field("at", Timestamp.rfc3339(milliseconds: Timestamp.now()))
        field("level", event.level.rawValue)
        field("logger", label)
        field("message", event.message.description)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            _ = output.next(level: level)
            output.key(key)
            write(value, to: output)
        }
        output.close(downTo: 0)
        return output.bytes + [0x0a]
    }

    private func write(_ value: Logger.Metadata.Value, to output: JSONOutput) {
        switch value {
        case .string(let text): output.string(text)
        case .stringConvertible(let number as any BinaryInteger): output.integer(number)
        case .stringConvertible(let number as Double): if !output.double(number) { output.raw("null") }
        case .stringConvertible(let other): output.string(other.description)
        case .array(let items):
            let level = output.open(object: false)
            for item in items {
                _ = output.next(level: level)
                write(item, to: output)
            }
            output.close(downTo: level - 1)
        case .dictionary(let members):
            let level = output.open(object: true)
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                _ = output.next(level: level)
                output.key(key)
                write(member, to: output)
            }
            output.close(downTo: level - 1)
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
