import HTTPService
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// JSON that is written already.
    ///
    /// - Parameter entityTag: A strong one (RFC 9110 §8.8.3).
    static func json(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, entityTag: String? = nil
    ) -> Response {
        .json(ByteBuffer(bytes: bytes), status: status, entityTag: entityTag)
    }

    private static func json(_ json: ByteBuffer, status: HTTPResponse.Status, entityTag: String?) -> Response {
        var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "private, no-cache"]
        if let entityTag { headers[.eTag] = entityTag }
        return Response(status: status, headers: headers, body: .init(byteBuffer: json))
    }

    /// JSON with its entity tag, or 304 where the caller has it already (RFC 9110 §13.1.2).
    static func json(_ bytes: () -> [UInt8], entityTag: String?, for request: Request) -> Response {
        .json({ ByteBuffer(bytes: bytes()) }, entityTag: entityTag, for: request)
    }

    /// As above, for JSON that is in a buffer already.
    static func json(_ json: () -> ByteBuffer, entityTag: String?, for request: Request) -> Response {
        guard let entityTag, request.headers[.ifNoneMatch].map({ $0.matches(entityTag) }) == true else {
            return .json(json(), status: .ok, entityTag: entityTag)
        }
        return Response(status: .notModified, headers: [.eTag: entityTag, .cacheControl: "private, no-cache"])
    }

    /// What was read, with an entity tag made of the answer itself, or 304.
    static func json(_ value: some Encodable, for request: Request) throws -> Response {
        let bytes = try JSONResponses.bytes(value)
        return .json({ bytes }, entityTag: EntityTag.of(bytes), for: request)
    }
}

extension String {
    /// Whether a list of entity tags, weak ones too, holds this one.
    func matches(_ entityTag: String) -> Bool {
        split(separator: ",").contains { item in
            let tag = item.drop { $0 == " " }
            return tag == "*" || tag == entityTag || tag.dropFirst(2) == entityTag && tag.hasPrefix("W/")
        }
    }
}
