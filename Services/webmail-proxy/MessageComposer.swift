import MIME
import MailModel

/// A message ready to be written: what is in memory, and attachments that are read when their place comes.
///
/// The message is composed with a short random stand-in for each large attachment; where the stand-in's line of base64
/// comes out, the attachment's lines are written instead. So a message of any size costs as little memory as its text.
struct ComposedMessage: Sendable {
    enum Piece: Sendable {
        case bytes([UInt8])
        case base64(OutgoingAttachment)
    }

    /// What is larger stays where it is until it is written: bytes.
    private static let inlineSize = 64 << 10
    /// Bytes whose base64 is one line that nothing else in a message is.
    private static let standInSize = 48

    let pieces: [Piece]
    /// Bytes.
    let size: Int
    let has8Bit: Bool

    /// - Parameter read: Gives an attachment's whole content, for those that cannot be encoded: enclosed messages.
    /// - Throws: `Failure` of kind `invalid` naming the field, and what `read` throws.
    init(
        _ message: OutgoingMessage, _ attachments: [OutgoingAttachment], showingBcc: Bool = false,
        read: (OutgoingAttachment) async throws -> [UInt8]
    ) async throws {
        var message = message
        var standIns: [[UInt8]: OutgoingAttachment] = [:]
        for attachment in attachments {
            var content: [UInt8]
            let isEnclosedMessage = attachment.contentType.lowercased().hasPrefix("message/")
            if attachment.size > Self.inlineSize, !isEnclosedMessage {
                content = (0..<Self.standInSize).map { _ in .random(in: 0...255) }
                var lines = Base64Lines()
                standIns[lines.encode(content) + lines.finish()] = attachment
            } else if case .bytes(let bytes) = attachment.source {
                content = bytes
            } else {
                content = try await read(attachment)
            }
            message.attachments.append(
                OutgoingMessage.Attachment(
                    filename: attachment.filename, contentType: attachment.contentType,
                    contentID: attachment.contentID, content: content))
        }
        let encoded: [UInt8]
        do { encoded = try message.encoded(showingBcc: showingBcc) } catch { throw Failure(error) }
        pieces = Self.split(encoded, at: standIns)
        size = pieces.reduce(0) { $0 + $1.size }
        has8Bit = encoded.contains { $0 >= 0x80 }
    }

    private static func split(_ encoded: [UInt8], at standIns: [[UInt8]: OutgoingAttachment]) -> [Piece] {
        guard !standIns.isEmpty, let length = standIns.keys.first?.count else { return [.bytes(encoded)] }
        var pieces: [Piece] = []
        var start = 0
        var lineStart = 0
        while lineStart < encoded.count {
            let lineEnd = encoded[lineStart...].firstIndex(of: 0x0a) ?? encoded.count
            // The line, its CR, its LF.
            if lineEnd - lineStart == length + 1,
                let attachment = standIns[Array(encoded[lineStart..<lineStart + length])]
            {
                pieces.append(.bytes(Array(encoded[start..<lineStart])))
                pieces.append(.base64(attachment))
                start = lineStart + length
            }
            lineStart = lineEnd + 1
        }
        pieces.append(.bytes(Array(encoded[start...])))
        return pieces
    }

    /// Writes the message.
    func write(
        from attachments: Attachments, of mailbox: Mailbox, to sink: ([UInt8]) async throws -> Void
    ) async throws {
        for piece in pieces {
            switch piece {
            case .bytes(let bytes): try await sink(bytes)
            case .base64(let attachment):
                var lines = Base64Lines()
                try await attachments.read(attachment, of: mailbox) { try await sink(lines.encode($0)) }
                try await sink(lines.finish())
            }
        }
    }
}

extension ComposedMessage.Piece {
    fileprivate var size: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .base64(let attachment): Base64Lines.size(of: attachment.size)
        }
    }
}

/// Base64 in lines of 76 characters (RFC 2045 §6.8), a piece at a time; no line end after the last.
struct Base64Lines {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    /// Bytes that make a line.
    private static let group = 57

    private var rest: [UInt8] = []
    private var isFirst = true

    static func size(of count: Int) -> Int {
        guard count > 0 else { return 0 }
        return (count + 2) / 3 * 4 + ((count + group - 1) / group - 1) * 2
    }

    /// The lines that are full.
    mutating func encode(_ bytes: [UInt8]) -> [UInt8] {
        let all = rest.isEmpty ? bytes : rest + bytes
        let full = all.count / Self.group * Self.group
        var output: [UInt8] = []
        output.reserveCapacity(full / Self.group * 78)
        all.withUnsafeBufferPointer { all in
            for start in stride(from: 0, to: full, by: Self.group) {
                line(all[start..<start + Self.group], to: &output)
            }
        }
        rest = Array(all[full...])
        return output
    }

    /// The last line.
    mutating func finish() -> [UInt8] {
        guard !rest.isEmpty else { return [] }
        var output: [UInt8] = []
        rest.withUnsafeBufferPointer { line($0[...], to: &output) }
        rest = []
        return output
    }

    private mutating func line(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, to output: inout [UInt8]) {
        if !isFirst { output.append(contentsOf: [0x0d, 0x0a]) }
        isFirst = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let count = bytes.endIndex - index
            let second = count > 1 ? UInt32(bytes[index + 1]) : 0
            let third = count > 2 ? UInt32(bytes[index + 2]) : 0
            let bits = UInt32(bytes[index]) << 16 | second << 8 | third
            output.append(Self.alphabet[Int(bits >> 18)])
            output.append(Self.alphabet[Int(bits >> 12 & 63)])
            output.append(count > 1 ? Self.alphabet[Int(bits >> 6 & 63)] : UInt8(ascii: "="))
            output.append(count > 2 ? Self.alphabet[Int(bits & 63)] : UInt8(ascii: "="))
            index += 3
        }
    }
}

extension Failure {
    /// What cannot stand in a message.
    init(_ error: MIMEError) {
        switch error {
        case .invalidHeader(let name):
            self = .invalid("headers.\(name)", code: "invalid_header", "cannot be set, or holds a control character")
        case .invalidAddress(let header):
            self = .invalid(header.lowercased(), code: "invalid_address", "holds an address that cannot be written")
        case .tooLarge(let limit):
            self = Failure(.tooLarge, code: "message_too_large", "The message is larger than \(limit) bytes.")
        case .noMessage: self = Failure(.malformed, code: "empty_message", "There is no message.")
        }
    }
}
