import HTTPService
import HTTPTypes
import Hummingbird
import MIME
import MailModel
import Storage

/// Files to be attached later: they come as a browser's form sends them, and are kept for a day.
struct UploadRoutes: Sendable {
    /// Bytes that are held and written at once.
    private static let chunkSize = 256 << 10

    let access: MailboxAccess
    let store: UploadStore
    /// Bytes.
    let maximumSize: Int

    func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        var parser = MultipartParser(boundary: try Self.boundary(request))
        var file = IncomingFile(store: store, mailbox: mailbox.address, maximumSize: maximumSize)
        do {
            for try await buffer in request.body where !parser.isComplete {
                for event in try parser.feed(buffer.readableBytesView) { try await receive(event, &file) }
            }
            guard parser.isComplete else { throw MultipartParser.Malformed.boundary }
            let upload = try await file.finish()
            return .json(Self.json(upload), status: .created)
        } catch {
            await file.abandon()
            guard error is MultipartParser.Malformed else { throw error }
            throw Failure(.malformed, code: "malformed_form", "The body is not a whole multipart/form-data.")
        }
    }

    func read(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.idParameter()
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let json = Self.json(try await store.find(id, mailbox: mailbox.address))
        return .json(json, entityTag: EntityTag.of(json))
    }

    func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.idParameter()
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        try await store.delete(id, mailbox: mailbox.address)
        return .noContent
    }

    private func receive(_ event: MultipartParser.Event, _ file: inout IncomingFile) async throws {
        switch event {
        case .part(let headers):
            let disposition = FormDisposition(headers["content-disposition"] ?? [])
            guard let filename = disposition.filename else {
                throw Failure.invalid(
                    disposition.name ?? "body", code: "unknown_field", "the form must hold one file, and nothing else")
            }
            let type = String(decoding: headers["content-type"] ?? [], as: UTF8.self)
            try await file.begin(filename: filename, contentType: type)
        case .bytes(let bytes): try await file.write(bytes, chunkSize: Self.chunkSize)
        case .partEnd, .end: break
        }
    }

    /// - Throws: `Failure` `unsupportedMediaType`, `malformed`.
    private static func boundary(_ request: Request) throws -> [UInt8] {
        let (type, parameters) = HeaderValue.parse(Array((request.headers[.contentType] ?? "").utf8))
        guard type == "multipart/form-data" else {
            throw Failure(
                .unsupportedMediaType, code: "unsupported_media_type", "The body must be multipart/form-data.")
        }
        guard let boundary = parameters.first(where: { $0.name == "boundary" })?.value,
            (1...70).contains(boundary.count)
        else { throw Failure(.malformed, code: "malformed_form", "The Content-Type must name a boundary.") }
        return boundary
    }

    private static func json(_ upload: UploadStore.Upload) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("id", upload.id)
            json.field("filename", upload.filename)
            json.field("content_type", upload.contentType)
            json.field("size", upload.size)
            json.field("created_at", Timestamp.rfc3339(milliseconds: upload.createdAt))
            json.field("expires_at", Timestamp.rfc3339(milliseconds: upload.expiresAt))
        }
        return json.bytes
    }
}

/// The one file of an upload, on its way into the database.
private struct IncomingFile {
    let store: UploadStore
    let mailbox: String
    let maximumSize: Int
    /// Uploads that a mailbox may keep.
    private static let maximumKept = 200
    /// Of all of them: bytes.
    private static let maximumKeptBytes: Int64 = 500 << 20
    private var id: Int64?
    private var size = 0
    private var position = 0
    private var chunk: [UInt8] = []

    init(store: UploadStore, mailbox: String, maximumSize: Int) {
        self.store = store
        self.mailbox = mailbox
        self.maximumSize = maximumSize
    }

    mutating func begin(filename: String, contentType: String) async throws {
        guard id == nil else { throw Failure.invalid("body", code: "too_many_files", "the form must hold one file") }
        let name = filename.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        guard !name.isEmpty, name.utf8.count <= 255, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw Failure.invalid(
                "filename", code: "invalid_filename", "must be 1 to 255 bytes without control characters")
        }
        let isType =
            (3...255).contains(contentType.utf8.count) && contentType.contains("/")
            && contentType.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        let type = isType ? contentType : "application/octet-stream"
        id = try await store.begin(
            mailbox: mailbox, filename: name, contentType: type, atMost: Self.maximumKept,
            bytes: Self.maximumKeptBytes)
    }

    mutating func write(_ bytes: [UInt8], chunkSize: Int) async throws {
        size += bytes.count
        guard size <= maximumSize else {
            throw Failure(.tooLarge, code: "upload_too_large", "The file is larger than \(maximumSize) bytes.")
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(chunkSize - chunk.count)
            chunk += part
            rest = rest.dropFirst(part.count)
            if chunk.count == chunkSize { try await flush() }
        }
    }

    mutating func finish() async throws -> UploadStore.Upload {
        guard let id else { throw Failure.invalid("body", code: "required", "the form must hold a file") }
        if !chunk.isEmpty { try await flush() }
        return try await store.finish(id, size: Int64(size), mailbox: mailbox, atMost: Self.maximumKeptBytes)
    }

    /// Should this fail too, it expires.
    func abandon() async { if let id { try? await store.delete(id, mailbox: mailbox) } }

    private mutating func flush() async throws {
        guard let id else { return }
        try await store.append(chunk, position: position, to: id)
        position += 1
        chunk.removeAll(keepingCapacity: true)
    }
}

/// `Content-Disposition: form-data` (RFC 7578 §4.2).
private struct FormDisposition {
    let name: String?
    /// Nil for a field that is no file.
    let filename: String?

    init(_ raw: [UInt8]) {
        let (_, parameters) = HeaderValue.parse(raw)
        func value(_ name: String) -> String? {
            parameters.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) }
        }
        name = value("name")
        if parameters.contains(where: { $0.name == "filename*" }) {
            // Browsers do not send it (RFC 7578 §4.2 forbids it), other clients do.
            filename = MIMEParameters(raw: parameters.map { (Array($0.name.utf8), $0.value) })["filename"]
        } else {
            // As browsers escape it (WHATWG).
            filename = value("filename")?.replacing("%22", with: "\"").replacing("%0D", with: "")
                .replacing("%0A", with: "")
        }
    }
}

/// A header's value with parameters: `type; name=value; name="quoted value"`.
enum HeaderValue {
    /// - Returns: The value in lower case, and the parameters, their names in lower case.
    static func parse(_ raw: [UInt8]) -> (value: String, parameters: [(name: String, value: [UInt8])]) {
        var parts: [[UInt8]] = [[]]
        var isQuoted = false
        var isEscaped = false
        for byte in raw {
            if byte == UInt8(ascii: ";"), !isQuoted {
                parts.append([])
                continue
            }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            // Only a quote and a backslash are escaped: Windows paths are not (WHATWG).
            isEscaped = byte == UInt8(ascii: "\\") && isQuoted && !isEscaped
            parts[parts.count - 1].append(byte)
        }
        let parameters = parts.dropFirst().compactMap { part -> (name: String, value: [UInt8])? in
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let name = String(decoding: trimmed(part[..<equals]), as: UTF8.self).lowercased()
            return (name, unquoted(trimmed(part[(equals + 1)...])))
        }
        return (String(decoding: trimmed(parts[0][...]), as: UTF8.self).lowercased(), parameters)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let start = bytes.drop(while: isSpace)
        return start[..<(start.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start.startIndex)]
    }

    private static func unquoted(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let quote = UInt8(ascii: "\""), backslash = UInt8(ascii: "\\")
        guard bytes.count >= 2, bytes.first == quote, bytes.last == quote else { return Array(bytes) }
        var output: [UInt8] = []
        for byte in bytes.dropFirst().dropLast() {
            if output.last == backslash, byte == quote || byte == backslash { output.removeLast() }
            output.append(byte)
        }
        return output
    }
}
