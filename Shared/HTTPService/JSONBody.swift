public import HTTPTypes
public import Hummingbird
import MailModel
public import NIOCore

enum JSONBody {
    /// The longest JSON body taken, in bytes.
    static let maximumLength = 1 << 20
}

extension Request {
    /// The JSON body as a value; every field must be known, of its type, and there when it is not optional.
    ///
    /// - Parameter maximumLength: Bytes.
    /// - Throws: `Failure`: `unsupportedMediaType`, `tooLarge`, `malformed`, `invalid` naming the field
    ///   (`rules.0.match_type`).
    public func decode<T: Decodable>(
        _ type: T.Type = T.self, upTo maximumLength: Int = 1 << 20
    ) async throws -> T {
        let mediaType = mediaType
        guard mediaType == "application/json" || mediaType.hasSuffix("+json") || mediaType.isEmpty else {
            throw Failure(
                .unsupportedMediaType, code: "unsupported_media_type", "The body must be application/json.")
        }
        let buffer = try await bodyBytes(upTo: maximumLength)
        guard buffer.readableBytes > 0 else {
            throw Failure(.malformed, code: "empty_body", "A JSON body is expected.")
        }
        return try StrictJSONDecoder.decode(type, from: Array(buffer.readableBytesView))
    }

    /// The whole body.
    ///
    /// - Throws: `Failure` `tooLarge`.
    public func bodyBytes(upTo maximumLength: Int) async throws -> ByteBuffer {
        let tooLarge = Failure(
            .tooLarge, code: "body_too_large", "The body is longer than \(maximumLength) bytes.")
        if let announced = headers[.contentLength].flatMap({ Int($0) }), announced > maximumLength { throw tooLarge }
        do {
            return try await body.collect(upTo: maximumLength)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }
}

extension Response {
    /// A JSON answer; what may be read again has an entity tag.
    public static func json(
        _ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) throws -> Response {
        .json(bytes: try JSONOutputEncoder.encode(value), status: status, headers: headers)
    }

    /// As `json`, of what is written already (`JSONWriter`).
    public static func json(
        bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        if status == .ok, !headers.contains(.cacheControl), !headers.contains(.eTag) {
            headers[.eTag] = EntityTags.tag(of: bytes)
        }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// 204.
    public static var noContent: Response { Response(status: .noContent) }

    /// A page for people; it may load nothing but what it holds.
    public static func html(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: "text/html; charset=utf-8",
                .contentSecurityPolicy:
                    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
            ],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// How what a handler returns becomes JSON.
public struct JSONResponses: ResponseEncoder, Sendable {
    public init() {}

    public func encode(_ value: some Encodable, from request: Request, context: some RequestContext) throws -> Response
    {
        try .json(value)
    }

    /// The JSON of a value, as every answer has it.
    public static func bytes(_ value: some Encodable) throws -> [UInt8] { try JSONOutputEncoder.encode(value) }
}
