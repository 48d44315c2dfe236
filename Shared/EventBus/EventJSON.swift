import Foundation
import MailModel
import Redis

/// Events as JSON. The id is known only once the event is logged, so it is put between two halves.
enum EventJSON {
    /// The JSON of an event up to its id and after it.
    static func aroundID(of event: MailEvent) throws -> (head: [UInt8], tail: [UInt8]) {
        let json = try encode(event)
        // Within strings quotes are escaped, so this can only be the key.
        guard let place = json.firstRange(of: Array(#""id":"""#.utf8)) else {
            throw EncodingError.invalidValue(
                event, .init(codingPath: [], debugDescription: "the JSON of an event has no empty id"))
        }
        let split = place.upperBound - 1
        return (Array(json[..<split]), Array(json[split...]))
    }

    /// The same bytes each time, so that an event that is published again is known.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from json: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(json))
    }

    /// An entry is `[id, ["head", …, "tail", …]]`.
    static func event(ofLogEntry entry: RESPValue) throws -> MailEvent {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].bytes, let fields = parts[1].array,
            fields.count == 4, let head = fields[1].bytes, let tail = fields[3].bytes
        else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "not an entry of the event log"))
        }
        return try decode(MailEvent.self, from: head + id + tail)
    }
}
