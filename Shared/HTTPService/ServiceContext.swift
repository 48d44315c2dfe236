public import Hummingbird
import Logging
public import MailModel
public import NIOCore

/// What every request carries: its id, its logger, where it came from.
public struct ServiceContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The caller's `X-Request-ID`, where that was sane, or one of ours; in the answer and in every log line.
    public var requestID: String { trace.requestID }
    /// The same, with what a tracing system knows the request by.
    var trace = RequestTrace(requestID: "")
    /// Set by `Authenticator`, and read by `CallerContext` alone, where it is never nil.
    var caller: Caller?
    private let peer: SocketAddress?
    /// The client's connection.
    public let channel: any Channel

    public init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.peer = source.channel.remoteAddress
        self.channel = source.channel
    }

    /// Runs tasks on the connection's event loop.
    var executor: LoopExecutor { LoopExecutor(channel.eventLoop) }

    /// The address the request came from: the peer's, or, when that is a trusted proxy, the nearest address in
    /// `X-Forwarded-For` that is none. `unknown` for a socket without one.
    public private(set) var clientAddress = "unknown"

    mutating func find(clientBehind proxies: TrustedProxies, forwardedFor: String?) {
        clientAddress = proxies.client(peer: peer?.ipAddress, forwardedFor: forwardedFor)
    }

    public var responseEncoder: JSONResponses { JSONResponses() }
    public var maxUploadSize: Int { JSONBody.maximumLength }
}

/// The context of a route that wants a caller: it cannot exist without one.
public struct CallerContext: ChildRequestContext {
    public var coreContext: CoreRequestContextStorage
    public let caller: Caller
    public let requestID: String
    /// The hold on the call's `Idempotency-Key`, where it has one and the route honours it.
    public var idempotency: IdempotencyClaim?
    private let parent: ServiceContext

    /// - Throws: `Failure` `unauthorized` where no `Authenticator` stands before the route.
    public init(context: ServiceContext) throws {
        guard let caller = context.caller else {
            throw Failure(.unauthorized, code: "unauthorized", "This call needs credentials.")
        }
        self.coreContext = context.coreContext
        self.caller = caller
        self.requestID = context.requestID
        self.parent = context
    }

    /// As `ServiceContext.clientAddress`.
    public var clientAddress: String { parent.clientAddress }

    public var responseEncoder: JSONResponses { JSONResponses() }
    public var maxUploadSize: Int { JSONBody.maximumLength }
}

extension RequestContext {
    /// A captured path segment, percent-decoded; a `%2F` in it becomes a `/` and does not divide segments.
    ///
    /// - Throws: `Failure` `notFound` when it is not valid percent-encoded UTF-8: nothing can have that name.
    public func pathParameter(_ name: String) throws -> String {
        guard let raw = parameters.get(name), let decoded = PercentEncoding.decode(raw), !decoded.utf8.contains(0)
        else {
            throw Failure.notFound("What this path names")
        }
        return decoded
    }

    /// A captured path segment as a positive id.
    ///
    /// - Throws: `Failure` `notFound` when it is not one: ids of that form do not exist.
    public func idParameter(_ name: String = "id") throws -> Int64 {
        guard let raw = parameters.get(name), let id = Int64(raw), id > 0, raw.utf8.allSatisfy({ $0 >= 0x30 }) else {
            throw Failure.notFound("What this path names")
        }
        return id
    }
}

extension Caller {
    /// The service token behind the call.
    ///
    /// - Throws: `Failure` `forbidden` for a person, and for a token without the scope.
    @discardableResult public func requirePlatform(_ scope: String) throws -> Platform {
        guard case .platform(let platform) = self else { throw Failure.forbidden("This call wants a service token.") }
        guard platform.may(scope) else { throw Failure.forbidden("The service token has no scope \(scope).") }
        return platform
    }

    /// Lets service tokens with the scope pass, and every person (whose tenant scope the stores apply).
    ///
    /// - Throws: `Failure` `forbidden` for a service token without the scope.
    public func require(_ scope: String) throws {
        if case .platform = self { try requirePlatform(scope) }
    }

    /// Lets service tokens with the scope pass, and the admins of a customer.
    ///
    /// - Throws: `Failure` `forbidden` otherwise.
    public func requireAdmin(_ scope: String) throws {
        switch self {
        case .platform: try requirePlatform(scope)
        case .person(let person):
            guard person.role == .admin else { throw Failure.forbidden("This call is for admins.") }
        }
    }
}
