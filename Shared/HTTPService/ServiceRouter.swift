public import HTTPTypes
public import Hummingbird
import HummingbirdCore
import NIOConcurrencyHelpers

/// The routes of a service.
///
/// Hummingbird's router with what every route of ours gets: a request id, a deadline, problems for errors, metrics and
/// a line in the request log. Groups and middleware work as Hummingbird's do; a trailing slash is ignored, and a
/// captured segment keeps its percent-encoding (`RequestContext.pathParameter` decodes it).
public final class ServiceRouter: RouterMethods, HTTPResponderBuilder {
    public typealias Context = ServiceContext

    private let router = Router(context: ServiceContext.self, options: [.autoGenerateHeadEndpoints])
    private var middlewares: [any MiddlewareProtocol<Request, Response, ServiceContext>] = []
    private let table: RouteTable
    private let edge: Edge

    /// - Parameters:
    ///   - deadline: How long a handler may take before its request is answered with 504; nil for no limit.
    ///   - trustedProxies: Whose `X-Forwarded-For` is believed.
    public convenience init(deadline: Duration? = .seconds(10), trustedProxies: TrustedProxies = .none) {
        self.init(
            deadline: deadline, trustedProxies: trustedProxies, deadlines: Deadlines(), metrics: nil, logRequests: true)
    }

    init(
        deadline: Duration?, trustedProxies: TrustedProxies, deadlines: Deadlines, metrics: Prometheus?,
        logRequests: Bool, shutdown: ShutdownDelay? = nil
    ) {
        self.table = RouteTable()
        self.edge = Edge(
            trustedProxies: trustedProxies, deadlines: deadlines, deadline: deadline, metrics: metrics, table: table,
            logRequests: logRequests, shutdown: shutdown)
    }

    /// Every route so far, as `GET /path/{id}`.
    public var routes: [String] { table.all.map { "\($0.method) \($0.path)" } }

    @discardableResult public func on<Responder: HTTPResponder>(
        _ path: RouterPath, method: HTTPRequest.Method, responder: Responder
    ) -> Self where Responder.Context == ServiceContext {
        add(
            path, method: method, responder: responder,
            options: RouteOptions(deadline: edge.deadline, isLogged: edge.logRequests))
        return self
    }

    /// Adds middleware to the routes that follow.
    @discardableResult public func add(
        middleware: any MiddlewareProtocol<Request, Response, ServiceContext>
    ) -> Self {
        middlewares.append(middleware)
        return self
    }

    /// The same routes with another deadline (nil for none), or left out of the request log while all goes well.
    ///
    /// - Parameter quick: They run on the event loop of their connection, which saves every switch of threads. They must
    ///   not block it: no computing beyond a millisecond (`offLoop` has a place for that).
    public func with(deadline: Duration?, logged: Bool = true, quick: Bool = false) -> OptionedRoutes {
        OptionedRoutes(
            router: self,
            options: RouteOptions(deadline: deadline, isLogged: logged && edge.logRequests, isQuick: quick))
    }

    /// The same routes on the event loop of their connection, as `with(quick:)` says.
    public func quick() -> OptionedRoutes { with(deadline: edge.deadline, quick: true) }

    /// The same routes for what is asked very often and ends by itself: left out of the request log while all goes well,
    /// quick, and without a deadline, which would cost more than the answer.
    public func unlogged() -> OptionedRoutes { with(deadline: nil, logged: false, quick: true) }

    func routeMetrics(method: String, path: String) -> RouteMetrics? { edge.routeMetrics(method: method, path: path) }

    public func buildResponder() -> RouterResponder<ServiceContext> {
        // Middleware added now stands before the not-found answer alone.
        router.add(middleware: edge)
        return router.buildResponder()
    }

    func add(
        _ path: RouterPath, method: HTTPRequest.Method, responder: any HTTPResponder<ServiceContext>,
        options: RouteOptions
    ) {
        table.add(path, method: method)
        var next = responder
        for middleware in middlewares.reversed() {
            let inner = next
            next = CallbackResponder { request, context in
                try await middleware.handle(request, context: context) { try await inner.respond(to: $0, context: $1) }
            }
        }
        router.on(
            path, method: method,
            responder: EdgeResponder(
                edge: edge, options: options,
                metrics: edge.routeMetrics(method: method.rawValue, path: path.description),
                next: next))
    }
}

struct RouteOptions: Sendable {
    var deadline: Duration?
    var isLogged = true
    var isQuick = false
}

/// Adds routes to a `ServiceRouter` with options of their own.
public struct OptionedRoutes: RouterMethods {
    public typealias Context = ServiceContext
    let router: ServiceRouter
    let options: RouteOptions

    @discardableResult public func on<Responder: HTTPResponder>(
        _ path: RouterPath, method: HTTPRequest.Method, responder: Responder
    ) -> Self where Responder.Context == ServiceContext {
        router.add(path, method: method, responder: responder, options: options)
        return self
    }

    @discardableResult public func add(
        middleware: any MiddlewareProtocol<Request, Response, ServiceContext>
    ) -> Self {
        router.add(middleware: middleware)
        return self
    }
}

/// Which paths and methods there are: read when nothing matched, to tell 405 from 404.
final class RouteTable: Sendable {
    struct Route: Sendable {
        let path: RouterPath
        let method: HTTPRequest.Method
    }

    private let routes = NIOLockedValueBox<[Route]>([])

    var all: [Route] { routes.withLockedValue { $0 } }

    func add(_ path: RouterPath, method: HTTPRequest.Method) {
        routes.withLockedValue { $0.append(Route(path: path, method: method)) }
    }

    /// The methods of the path that the router takes for one: where a word and a capture both match, the word.
    func methods(for path: String) -> [HTTPRequest.Method] {
        let segments = path.split(separator: "/")
        let matching = all.filter { $0.path.matches(segments) }
        let words = matching.map(\.path.words).max { $0.lexicographicallyPrecedes($1) }
        var methods = matching.filter { $0.path.words == words }.map(\.method)
        if methods.contains(.get), !methods.contains(.head) { methods.append(.head) }
        return methods
    }
}

extension RouterPath {
    /// For each component whether it is a word (1), or matches any (0).
    fileprivate var words: [Int] {
        components.map { "{:*".contains($0.description.first ?? "*") ? 0 : 1 }
    }

    fileprivate func matches(_ segments: [Substring]) -> Bool {
        for (index, component) in components.enumerated() {
            if component == .recursiveWildcard { return true }
            guard index < segments.count, component ~= segments[index] else { return false }
        }
        return components.count == segments.count
    }
}
