import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import MailModel
import NIOHTTP1

/// What happens to every request on its way in and to every answer on its way out.
struct Edge: RouterMiddleware {
    typealias Context = ServiceContext

    let trustedProxies: TrustedProxies
    let deadlines: Deadlines
    let deadline: Duration?
    let metrics: Prometheus?
    let table: RouteTable
    let logRequests: Bool
    let shutdown: ShutdownDelay?

    func routeMetrics(method: String, path: String) -> RouteMetrics? {
        metrics.map { RouteMetrics($0, method: method, route: path) }
    }

    /// The path for requests that no route wants.
    func handle(
        _ request: Request, context: ServiceContext, next: (Request, ServiceContext) async throws -> Response
    ) async throws -> Response {
        let started = ContinuousClock.now
        let context = opened(context, request)
        let allowed = table.methods(for: request.uri.path)
        let response =
            allowed.isEmpty
            ? Problem.response(
                .notFound, code: "not_found", detail: "There is nothing at this path.", requestID: context.requestID)
            : Problem.response(
                .methodNotAllowed, code: "method_not_allowed", detail: "This path does not take \(request.method).",
                requestID: context.requestID,
                headers: [.allow: Set(allowed.map(\.rawValue)).sorted().joined(separator: ", ")])
        return closed(
            response, request, context, started: started, isLogged: logRequests,
            metrics: routeMetrics(method: "other", path: "unmatched"))
    }

    func opened(_ context: ServiceContext, _ request: Request) -> ServiceContext {
        var context = context
        let given = request.headers[.xRequestID].flatMap { RequestIdentifier.isSane($0) ? $0 : nil }
        context.trace = RequestTrace(
            requestID: given ?? context.id, traceParent: request.headers[.traceParent],
            traceState: request.headers[.traceState])
        context.logger[metadataKey: "hb.request.id"] = nil
        context.logger[metadataKey: "request_id"] = .string(context.requestID)
        if let traceID = context.trace.traceID { context.logger[metadataKey: "trace_id"] = .string(traceID) }
        context.find(clientBehind: trustedProxies, forwardedFor: request.headers[.xForwardedFor])
        return context
    }

    func failed(_ error: any Error, _ request: Request, _ context: ServiceContext) -> Response {
        if let response = Problem.response(for: error, requestID: context.requestID) { return response }
        context.logger.error(
            "Request failed for a reason nobody foresaw",
            metadata: ["error": "\(error)", "error_type": "\(Swift.type(of: error))"])
        return Problem.internalError(requestID: context.requestID)
    }

    func closed(
        _ response: Response, _ request: Request, _ context: ServiceContext, started: ContinuousClock.Instant,
        isLogged: Bool, metrics: RouteMetrics?
    ) -> Response {
        var response = response
        EntityTags.apply(request, to: &response)
        response.headers.append(HTTPField(name: .xRequestID, value: context.requestID))
        SecurityHeaders.add(to: &response.headers)
        // The next request of this client belongs to another replica.
        if shutdown?.isEnding == true, response.status != .switchingProtocols {
            response.headers[.connection] = "close"
        }
        let elapsed = started.duration(to: .now)
        metrics?.record(status: response.status.code, elapsed)
        let isFine = response.status.code < 500
        if isLogged || !isFine {
            let status = response.status.code
            // The client need not wait for the line.
            context.channel.eventLoop.execute {
                context.logger.log(
                    level: isFine ? .info : .warning, "Request answered",
                    metadata: [
                        "method": .string(request.method.rawValue), "path": .string(request.uri.path),
                        "status": .stringConvertible(status), "ms": .stringConvertible(elapsed.milliseconds),
                        "client": .string(context.clientAddress),
                    ])
            }
        }
        return response
    }
}

/// One route with its edge around it.
struct EdgeResponder: HTTPResponder {
    let edge: Edge
    let options: RouteOptions
    let metrics: RouteMetrics?
    let next: any HTTPResponder<ServiceContext>

    func respond(to request: Request, context: ServiceContext) async throws -> Response {
        let started = ContinuousClock.now
        let context = edge.opened(context, request)
        let response: Response
        do {
            response = try await RequestTrace.$current.withValue(context.trace) { try await answer(request, context) }
        } catch let error as HTTPParserError {
            // The connection is beyond use; Hummingbird answers 400 and closes it.
            throw error
        } catch {
            response = edge.failed(error, request, context)
        }
        return edge.closed(
            response, request, context, started: started, isLogged: options.isLogged, metrics: metrics)
    }

    private func answer(_ request: Request, _ context: ServiceContext) async throws -> Response {
        if let deadline = options.deadline {
            return try await edge.deadlines.run(within: deadline, on: options.isQuick ? context.executor : nil) {
                [next] in try await next.respond(to: request, context: context)
            }
        }
        if options.isQuick { return try await next.respond(to: request, context: context) }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try await next.respond(to: request, context: context)
        }
    }
}

/// What browsers are told of every answer that does not say otherwise.
enum SecurityHeaders {
    private static let noSniff = HTTPField(name: .xContentTypeOptions, value: "nosniff")
    private static let noStore = HTTPField(name: .cacheControl, value: "no-store")
    private static let nothing = HTTPField(
        name: .contentSecurityPolicy, value: "default-src 'none'; frame-ancestors 'none'")

    static func add(to headers: inout HTTPFields) {
        headers.append(noSniff)
        if !headers.contains(.cacheControl) { headers.append(noStore) }
        if !headers.contains(.contentSecurityPolicy) { headers.append(nothing) }
    }
}

extension Duration {
    /// With three digits after the point.
    var milliseconds: Double {
        (Double(components.seconds) * 1000 + Double(components.attoseconds / 1_000_000_000_000) / 1000)
    }
}
