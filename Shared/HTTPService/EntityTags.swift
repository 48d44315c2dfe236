import Credentials
import HTTPTypes
import Hummingbird

/// Validators of JSON answers (RFC 9110 §8.8.3): who has an answer already is told so, in a few bytes.
public enum EntityTags {
    private static let revalidated = "private, no-cache"

    /// A strong tag: half of the body's SHA-256.
    static func tag(of body: [UInt8]) -> String { "\"\(OpaqueToken.hash(of: body).prefix(32))\"" }

    /// Completes an answer that has a tag: of a read it may be kept and asked for again, and becomes 304 where the caller
    /// has it (RFC 9110 §13.1.2); of anything else the tag says nothing.
    static func apply(_ request: Request, to response: inout Response) {
        guard let tag = response.headers[.eTag] else { return }
        guard request.method == .get || request.method == .head, response.status == .ok else {
            if request.method != .get, request.method != .head { response.headers[.eTag] = nil }
            return
        }
        if !response.headers.contains(.cacheControl) { response.headers[.cacheControl] = revalidated }
        guard request.headers[.ifNoneMatch].map({ matches($0, tag) }) == true else { return }
        response.status = .notModified
        response.headers[.contentType] = nil
        response.body = .init()
    }

    /// Whether a list of tags, weak ones too, holds this one.
    public static func matches(_ list: String, _ tag: String) -> Bool {
        list.split(separator: ",").contains { item in
            let item = item.drop { $0 == " " }
            return item == "*" || item == tag || item.hasPrefix("W/") && item.dropFirst(2) == tag
        }
    }
}
