import FoundationEssentials
import MailModel
import NIOCore

/// Events as clients see them.
enum EventJSON {
    static func bytes(_ event: MailEvent) throws -> [UInt8] { Array(try JSONEncoder().encode(event)) }

    static func buffer(_ event: MailEvent) throws -> ByteBuffer { ByteBuffer(bytes: try bytes(event)) }

    /// One event of a stream. JSON holds no line end, so one `data` line takes it.
    static func serverSent(_ event: MailEvent) throws -> ByteBuffer {
        var buffer = ByteBuffer(string: "event: \(event.type)\n")
        if !event.id.isEmpty { buffer.writeString("id: \(event.id)\n") }
        buffer.writeString("data: ")
        buffer.writeBytes(try JSONEncoder().encode(event))
        buffer.writeString("\n\n")
        return buffer
    }
}
