import AsyncHTTPClient
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Testing

@testable import HTTPService

@Suite struct ShutdownTests {
    /// What a load balancer and its requests see of a replica between SIGTERM and its end.
    @Test func aReplicaThatEndsSaysSoBeforeItCloses() async throws {
        let shutdown = ShutdownDelay(.seconds(2))
        let deadlines = Deadlines()
        let router = ServiceRouter(
            deadline: .seconds(5), trustedProxies: .none, deadlines: deadlines, metrics: nil, logRequests: false,
            shutdown: shutdown)
        OperationsRoutes(
            name: "test", version: "1", openAPI: "", readiness: Readiness(), metrics: Prometheus(), shutdown: shutdown
        ).add(to: router)
        router.get("/slow") { _, _ in
            try await Task.sleep(for: .seconds(1))
            return "done"
        }
        let (port, started) = AsyncStream<Int>.makeStream()
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { started.yield($0.localAddress?.port ?? 0) })
        let group = ServiceGroup(
            configuration: .init(services: [deadlines, application, shutdown], logger: Logger(label: "test")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let number = await port.first { _ in true }
            let base = "http://127.0.0.1:\(try #require(number))"
            #expect(try await get(base + "/healthz").status == .ok)
            await group.triggerGracefulShutdown()
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await get(base + "/healthz").status == .serviceUnavailable)
            let late = try await get(base + "/slow")
            #expect(late.status == .ok)
            #expect(late.headers["connection"] == ["close"])
            try await tasks.waitForAll()
            await #expect(throws: (any Error).self) { try await get(base + "/healthz") }
        }
    }

    private func get(_ url: String) async throws -> HTTPClientResponse {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5))
        _ = try await response.body.collect(upTo: 1 << 16)
        return response
    }
}
