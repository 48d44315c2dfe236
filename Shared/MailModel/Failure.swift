/// Why a call could not be answered as asked: the one vocabulary of errors of the product.
///
/// Any code may throw a `Failure`; `HTTPService` alone turns it into an RFC 9457 problem. What is thrown and is no
/// `Failure` is a bug or an accident: a bare 500 for the caller, a log line for us.
public struct Failure: Error, Equatable {
    /// The class of the failure; each stands for one HTTP status.
    public enum Kind: Sendable, Equatable {
        /// 400: the request could not be read at all.
        case malformed
        /// 401: no credentials, or none that count.
        case unauthorized
        /// 403: the caller is known and may not do this.
        case forbidden
        /// 404: it does not exist, or belongs to another customer, which is the same.
        case notFound
        /// 409: it clashes with what exists.
        case conflict
        /// 412: a stated precondition does not hold.
        case preconditionFailed
        /// 413: more bytes than are taken.
        case tooLarge
        /// 415: a content type that is not understood.
        case unsupportedMediaType
        /// 422: well-formed but not valid; `Failure.fields` names what.
        case invalid
        /// 429: too often; try again after `Failure.retryAfter`.
        case tooManyRequests
        /// 502: a mail server refused.
        case upstream
        /// 503: a dependency is away; try again after `Failure.retryAfter`.
        case unavailable
        /// 504: a dependency did not answer in time.
        case timeout
    }

    /// One field of the request that is not acceptable.
    public struct Field: Sendable, Equatable {
        /// The JSON name of the field, with dots for nesting (`rules.0.match_type`).
        public let name: String
        /// A stable machine-readable word, snake_case.
        public let code: String
        /// What is wrong and what would be right, for a person.
        public let message: String

        public init(_ name: String, code: String, _ message: String) {
            self.name = name
            self.code = code
            self.message = message
        }
    }

    public let kind: Kind
    /// A stable machine-readable word, snake_case; clients switch on it.
    public let code: String
    /// What happened and what to do, for a person; never a token, SQL text or an upstream's banner.
    public let detail: String
    /// The offending fields; empty unless the kind is `invalid`.
    public let fields: [Field]
    /// How long to wait before trying again, where that is known.
    public let retryAfter: Duration?

    public init(_ kind: Kind, code: String, _ detail: String, fields: [Field] = [], retryAfter: Duration? = nil) {
        self.kind = kind
        self.code = code
        self.detail = detail
        self.fields = fields
        self.retryAfter = retryAfter
    }

    /// 422 for one field.
    public static func invalid(_ field: String, code: String, _ message: String) -> Failure {
        Failure(.invalid, code: "invalid", "\(field): \(message)", fields: [Field(field, code: code, message)])
    }

    /// 404; `what` is a noun with its article ("This domain").
    public static func notFound(_ what: String) -> Failure {
        Failure(.notFound, code: "not_found", "\(what) does not exist.")
    }

    /// 409 with a code of its own.
    public static func conflict(_ code: String, _ detail: String) -> Failure { Failure(.conflict, code: code, detail) }

    /// 403.
    public static func forbidden(_ detail: String) -> Failure { Failure(.forbidden, code: "forbidden", detail) }

    /// 503 for a dependency that is away, named for the operator ("MariaDB").
    public static func unavailable(_ dependency: String, retryAfter: Duration = .seconds(1)) -> Failure {
        Failure(
            .unavailable, code: "dependency_unavailable", "\(dependency) cannot be reached; try again shortly.",
            retryAfter: retryAfter)
    }

    /// 504 for a dependency that did not answer in time.
    public static func timeout(_ dependency: String) -> Failure {
        Failure(.timeout, code: "dependency_timeout", "\(dependency) did not answer in time; try again.")
    }
}
