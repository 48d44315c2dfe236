import HTTPService
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// JSON that is written already.
    ///
    /// - Parameter entityTag: A strong one (RFC 9110 §8.8.3); who has the answer already is told so.
    static func json(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, entityTag: String? = nil
    ) -> Response {
        .json(ByteBuffer(bytes: bytes), status: status, entityTag: entityTag)
    }

    /// As above, for JSON that is in a buffer already.
    static func json(
        _ json: ByteBuffer, status: HTTPResponse.Status = .ok, entityTag: String? = nil
    ) -> Response {
        var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "private, no-cache"]
        if let entityTag { headers[.eTag] = entityTag }
        return Response(status: status, headers: headers, body: .init(byteBuffer: json))
    }

    /// What was read, with an entity tag made of the answer itself.
    static func json(read value: some Encodable) throws -> Response {
        let bytes = try JSONResponses.bytes(value)
        return .json(bytes, entityTag: EntityTag.of(bytes))
    }
}
