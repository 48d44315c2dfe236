import CoreMetrics
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MailModel
import NIOConcurrencyHelpers
import Testing

@testable import HTTPService

@Suite struct OperationsTests {
    @Test func everyServiceTellsHowItIs() async throws {
        let readiness = Readiness()
        let state = NIOLockedValueBox(Readiness.State.down)
        readiness.add("mariadb") { state.withLockedValue { $0 } }
        readiness.add("redis", isCritical: false) { .down }
        let metrics = Prometheus()
        let deadlines = Deadlines()
        let router = ServiceRouter(
            deadline: .seconds(5), trustedProxies: .none, deadlines: deadlines, metrics: metrics, logRequests: false)
        let openAPI = "paths:\n  /things/{id}:\n    get:\n      summary: One <thing>\n"
        OperationsRoutes(
            name: "test", version: "1", openAPI: openAPI, readiness: readiness, metrics: metrics,
            shutdown: ShutdownDelay(.zero)
        ).add(to: router)
        let application = Application(router: router, services: [deadlines])
        try await application.test(.live) { client in
            func get(_ path: String) async throws -> TestResponse {
                try await client.executeRequest(uri: path, method: .get, headers: [:], body: nil)
            }
            #expect(try await get("/healthz").status == .ok)
            let down = try await get("/readyz")
            #expect(down.status == .serviceUnavailable)
            #expect(String(buffer: down.body).contains(#""mariadb":"down""#))
            state.withLockedValue { $0 = .ok }
            try await Task.sleep(for: .milliseconds(1100))
            let degraded = try await get("/readyz")
            #expect(degraded.status == .ok)
            #expect(String(buffer: degraded.body).contains(#""status":"degraded""#))
            #expect(try await String(buffer: get("/openapi.yaml").body) == openAPI)
            #expect(try await String(buffer: get("/docs").body).contains("One &lt;thing>"))
            #expect(try await String(buffer: get("/version").body).contains(#""version":"1""#))
            let text = String(buffer: try await get("/metrics").body)
            #expect(text.contains(#"http_requests_total{method="GET",route="/readyz",status="5xx"} 1.0"#))
            #expect(text.contains(#"http_request_duration_seconds_bucket{method="GET",route="/healthz",le="+Inf"} 1"#))
            #expect(text.contains("process_resident_memory_bytes"))
            #expect(text.contains("process_start_time_seconds"))
            #expect(text.contains(#"dependency_up{dependency="mariadb"} 1.0"#))
            #expect(text.contains(#"dependency_up{dependency="redis"} 0.0"#))
            let lines = text.split(separator: "\n")
            for (line, above) in zip(lines.dropFirst(), lines) where line.hasPrefix("# TYPE ") {
                #expect(above.hasPrefix("# HELP \(line.split(separator: " ")[2]) "), "above \(line): \(above)")
            }
            #expect(lines.first?.hasPrefix("# HELP ") == true)
        }
    }

    @Test func labelSetsAreBounded() {
        let metrics = Prometheus(seriesLimit: 3)
        for index in 0..<10 {
            metrics.makeCounter(label: "hits", dimensions: [("user", "\(index)\"\n")]).increment(by: 1)
        }
        let text = metrics.text()
        #expect(text.contains(#"hits{overflow="true"} 7.0"#))
        #expect(text.contains(#"hits{user="0\"\n"} 1.0"#))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("hits{") }.count == 4)
    }

    @Test func pagesAreReadFromTheQuery() async throws {
        try await withRouter { router in
            router.get("/list") { request, _ in
                let page = try PageRequest(request)
                return "\(page.page)/\(page.perPage)"
            }
        } test: { (client: any TestClientProtocol) async throws -> Void in
            func get(_ query: String) async throws -> TestResponse {
                try await client.executeRequest(uri: "/list\(query)", method: .get, headers: [:], body: nil)
            }
            #expect(try await String(buffer: get("").body) == "1/50")
            #expect(try await String(buffer: get("?page=3&per_page=200").body) == "3/200")
            for bad in ["page=0", "page=x", "per_page=201", "per_page=0", "page=99999999999999999999"] {
                #expect(try await get("?\(bad)").status == .unprocessableContent)
            }
            #expect(try await get("?page=%zz").status == .badRequest)
        }
    }
}
