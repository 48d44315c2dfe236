import CHiredis
import NIOCore

/// One answer of the server (RESP2).
public enum RESPValue: Sendable, Equatable {
    case null
    case integer(Int64)
    /// A status line such as `OK`.
    case status(String)
    case bulk([UInt8])
    case array([RESPValue])
    case error(String)

    /// A bulk string's or a status' text; nil for anything else.
    public var string: String? {
        switch self {
        case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .null, .integer, .array, .error: nil
        }
    }

    public var bytes: [UInt8]? { if case .bulk(let bytes) = self { bytes } else { nil } }

    public var integer: Int64? { if case .integer(let number) = self { number } else { nil } }

    public var array: [RESPValue]? { if case .array(let values) = self { values } else { nil } }
}

/// What can be an argument of a command; any bytes are safe, since RESP gives every argument its length.
public protocol RedisArgument: Sendable {
    var redisBytes: [UInt8] { get }
}

extension String: RedisArgument { public var redisBytes: [UInt8] { Array(utf8) } }
extension Int: RedisArgument { public var redisBytes: [UInt8] { Array(String(self).utf8) } }
extension Int64: RedisArgument { public var redisBytes: [UInt8] { Array(String(self).utf8) } }
extension [UInt8]: RedisArgument { public var redisBytes: [UInt8] { self } }

/// hiredis' writer: one command as RESP.
enum RESPWriter {
    static func write(_ arguments: [any RedisArgument], to buffer: inout ByteBuffer) {
        var bytes: [UInt8] = []
        var lengths: [Int] = []
        for argument in arguments {
            let part = argument.redisBytes
            bytes += part
            lengths.append(part.count)
        }
        bytes.withUnsafeBytes { bytes in
            var rest = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            var pointers = lengths.map { length in
                defer { rest = rest.map { $0 + length } }
                return rest
            }
            var command: UnsafeMutablePointer<CChar>?
            let count = redisFormatCommandArgv(&command, Int32(arguments.count), &pointers, lengths)
            // Fails for want of memory only.
            precondition(count > 0)
            buffer.writeBytes(UnsafeRawBufferPointer(start: command, count: Int(count)))
            redisFreeCommand(command)
        }
    }
}

/// hiredis' incremental parser: bytes in, values out.
final class RESPReader {
    private let reader: UnsafeMutablePointer<redisReader>

    init() {
        // Fails for want of memory only.
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    func feed(_ buffer: ByteBuffer) throws(RedisError) {
        let status = buffer.withUnsafeReadableBytes {
            redisReaderFeed(reader, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard status == REDIS_OK else { throw failure }
    }

    /// The next value; nil when more bytes are needed.
    func next() throws(RedisError) -> RESPValue? {
        var reply: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw failure }
        guard let reply else { return nil }
        defer { freeReplyObject(reply) }
        return Self.value(reply.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private var failure: RedisError {
        .protocolViolation(
            withUnsafeBytes(of: reader.pointee.errstr) { text in
                String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            })
    }

    private static func value(_ reply: redisReply) -> RESPValue {
        let text = UnsafeRawBufferPointer(start: reply.str, count: reply.str == nil ? 0 : Int(reply.len))
        return switch reply.type {
        case REDIS_REPLY_INTEGER: .integer(reply.integer)
        case REDIS_REPLY_STATUS: .status(String(decoding: text, as: UTF8.self))
        case REDIS_REPLY_ERROR: .error(String(decoding: text, as: UTF8.self))
        case REDIS_REPLY_STRING: .bulk(Array(text))
        case REDIS_REPLY_ARRAY:
            .array((0..<Int(reply.elements)).map { reply.element[$0].map { value($0.pointee) } ?? .null })
        default: .null
        }
    }
}
