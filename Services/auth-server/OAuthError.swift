import HTTPService
import HTTPTypes
import Hummingbird
import MailModel

/// An error of an OAuth endpoint, told as its RFC has it (RFC 6749 §5.2, RFC 8628 §3.5, RFC 7591 §3.2.2).
struct OAuthError: Error, Equatable {
    /// `invalid_request`, `invalid_grant`, `authorization_pending`, …
    let code: String
    /// For the programmer of the client; never what was sent.
    let description: String
    let status: HTTPResponse.Status

    init(_ code: String, _ description: String, status: HTTPResponse.Status = .badRequest) {
        self.code = code
        self.description = description
        self.status = status
    }

    static func invalidRequest(_ description: String) -> OAuthError { OAuthError("invalid_request", description) }
    static func invalidGrant(_ description: String) -> OAuthError { OAuthError("invalid_grant", description) }
    static let unknownClient = OAuthError("invalid_client", "No client has this client_id.", status: .unauthorized)
    static let invalidScope = OAuthError(
        "invalid_scope", "The scope may name imap, smtp and urn:ietf:params:oauth:scope:mail.")

    private struct Body: Encodable {
        let error: String
        let error_description: String
    }

    func response() throws -> Response {
        try .json(
            Body(error: code, error_description: description), status: status,
            headers: [.cacheControl: "no-store"])
    }

    /// Answers the errors of an OAuth endpoint in OAuth's own way. What tells of us and not of the request (503, 504,
    /// 429) stays a problem: OAuth has no words for it.
    static func answering(_ body: () async throws -> Response) async throws -> Response {
        do { return try await body() } catch let error as OAuthError { return try error.response() } catch let failure
            as Failure
        {
            switch failure.kind {
            case .malformed, .unsupportedMediaType, .tooLarge:
                return try OAuthError.invalidRequest(failure.detail).response()
            default: throw failure
            }
        }
    }
}

/// The parameters of an OAuth request: each may be given once (RFC 6749 §3.1, §3.2), and an empty one counts as left out.
struct OAuthParameters: Sendable {
    private let fields: FormFields

    init(_ fields: FormFields) { self.fields = fields }

    /// - Throws: `OAuthError` `invalid_request` when it is repeated, too long or holds control characters.
    subscript(_ name: String) -> String? {
        get throws(OAuthError) {
            let values = fields.all(name)
            guard values.count <= 1 else { throw .invalidRequest("\(name) is given more than once.") }
            guard let value = values.first, !value.isEmpty else { return nil }
            guard value.utf8.count <= 8192, !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
                throw .invalidRequest("\(name) is too long or holds control characters.")
            }
            return value
        }
    }

    /// - Throws: `OAuthError` `invalid_request` also when it is missing.
    func required(_ name: String) throws(OAuthError) -> String {
        guard let value = try self[name] else { throw .invalidRequest("\(name) is missing.") }
        return value
    }
}
