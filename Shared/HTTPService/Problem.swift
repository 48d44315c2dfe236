import HTTPTypes
import Hummingbird
import MailModel
import NIOCore

/// RFC 9457: the only place where an error becomes HTTP.
struct Problem: Encodable {
    struct Item: Encodable {
        let field: String
        let code: String
        let message: String
    }

    let type = "about:blank"
    let title: String
    let status: Int
    let detail: String?
    let code: String
    let requestID: String
    let errors: [Item]?

    enum CodingKeys: String, CodingKey {
        case type, title, status, detail, code, errors
        case requestID = "request_id"
    }

    /// - Returns: nil for an error that tells the caller nothing: a bare 500, and a line in our log.
    static func response(for error: any Error, requestID: String) -> Response? {
        switch error {
        case let failure as Failure: response(failure: failure, requestID: requestID)
        case let error as HTTPError: response(http: error, requestID: requestID)
        case is NIOTooManyBytesError:
            response(.contentTooLarge, code: "body_too_large", detail: "The body is too long.", requestID: requestID)
        default: nil
        }
    }

    static func internalError(requestID: String) -> Response {
        response(
            .internalServerError, code: "internal_error",
            detail: "Something went wrong on our side; the request id helps to find out what.", requestID: requestID)
    }

    static func response(
        _ status: HTTPResponse.Status, code: String, detail: String?, fields: [Failure.Field] = [], requestID: String,
        headers: HTTPFields = [:]
    ) -> Response {
        let problem = Problem(
            title: status.reasonPhrase, status: status.code, detail: detail, code: code, requestID: requestID,
            errors: fields.isEmpty ? nil : fields.map { Item(field: $0.name, code: $0.code, message: $0.message) })
        var headers = headers
        headers[.contentType] = "application/problem+json"
        // Strings and an integer always encode.
        let bytes = (try? JSONOutputEncoder.encode(problem)) ?? []
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    private static func response(failure: Failure, requestID: String) -> Response {
        var headers = HTTPFields()
        if let wait = failure.retryAfter {
            let parts = wait.components
            headers[.retryAfter] = String(max(1, parts.seconds + (parts.attoseconds > 0 ? 1 : 0)))
        } else if failure.kind == .unavailable || failure.kind == .tooManyRequests {
            headers[.retryAfter] = "1"
        }
        if failure.kind == .unauthorized { headers[.wwwAuthenticate] = challenge(failure.code) }
        return response(
            failure.kind.status, code: failure.code, detail: failure.detail, fields: failure.fields,
            requestID: requestID, headers: headers)
    }

    /// RFC 6750 §3, RFC 7617 §2
    private static func challenge(_ code: String) -> String {
        switch code {
        case "invalid_token": #"Bearer realm="xynap-mail", error="invalid_token""#
        case BasicCredential.refusalCode: #"Basic realm="xynap-mail", charset="UTF-8""#
        default: #"Bearer realm="xynap-mail""#
        }
    }

    private static func response(http error: HTTPError, requestID: String) -> Response {
        let code = error.status.reasonPhrase.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" }
        return response(
            error.status, code: String(code), detail: error.body, requestID: requestID, headers: error.headers)
    }
}

extension Failure.Kind {
    /// The HTTP status of the class.
    var status: HTTPResponse.Status {
        switch self {
        case .malformed: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .preconditionFailed: .preconditionFailed
        case .tooLarge: .contentTooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .invalid: .unprocessableContent
        case .tooManyRequests: .tooManyRequests
        case .upstream: .badGateway
        case .unavailable: .serviceUnavailable
        case .timeout: .gatewayTimeout
        }
    }
}
