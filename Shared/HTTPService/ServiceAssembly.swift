import Hummingbird
public import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// What a service is put together from: it adds its routes, its background work and its readiness checks.
public final class ServiceAssembly {
    /// The routes; `/healthz`, `/readyz`, `/metrics`, `/version`, `/openapi.yaml` and `/docs` are there already.
    public let router: ServiceRouter
    public let readiness: Readiness
    /// The settings every service has.
    public let server: ServerSettings
    public let logger: Logger
    /// How connections are served; a service with WebSockets sets its own builder.
    public var serverBuilder: HTTPServerBuilder
    private(set) var background: [any Service] = []

    init(router: ServiceRouter, readiness: Readiness, server: ServerSettings, logger: Logger) {
        self.router = router
        self.readiness = readiness
        self.server = server
        self.logger = logger
        self.serverBuilder = .http1OnLoop(.init(idleTimeout: TimeAmount(server.idleTimeout)))
    }

    /// Answers these routes at once where they can be; the router must know their paths too.
    public func answerPromptly(_ routes: PromptRoute...) {
        let routes = routes.map { (route: $0, metrics: router.routeMetrics(method: "POST", path: $0.path.description)) }
        serverBuilder = .http1OnLoop(
            .init(
                additionalChannelHandlers: [PromptInstaller(PromptHandler(routes))],
                idleTimeout: TimeAmount(server.idleTimeout)))
    }

    /// Adds work that runs beside the server, and is ended after it, in the reverse order of being added.
    ///
    /// It must run until graceful shutdown; one that returns or throws earlier ends the process.
    public func run(_ service: some Service) { background.append(service) }

    /// As `run(_:)` for a loop that is no type: it is cancelled at graceful shutdown.
    public func run(_ name: String, _ loop: @escaping @Sendable () async throws -> Void) {
        background.append(Loop(name: name, loop: loop))
    }
}

extension HTTPServerBuilder {
    fileprivate static func http1OnLoop(_ configuration: HTTP1Channel.Configuration) -> HTTPServerBuilder {
        HTTPServerBuilder { LoopChannel(connection: HTTP1Channel(responder: $0, configuration: configuration)) }
    }
}

private struct Loop: Service, CustomStringConvertible {
    let name: String
    let loop: @Sendable () async throws -> Void

    var description: String { name }

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do { try await loop() } catch is CancellationError where Task.isCancelled {}
            // A loop that ends by itself waits, so that work that is done once (a migration) does not end the service.
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        }
    }
}
