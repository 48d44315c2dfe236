import Foundation
import Glibc
import TestSupport
import Testing

/// Services start in any order: each listens at once, says what it lacks, and finds it by itself.
extension FaultTests {
    @Test func eachServiceStartsWithoutMariaDBAndRedis() async throws {
        let services = try ["auth-server", "admin-api", "webmail-proxy", "mail-watcher"].map {
            try RunningService(name: $0, pid: stack.pid($0))
        }
        try await stack.down("mariadb", "redis")
        var started: [RunningService] = []
        for (number, service) in services.enumerated() {
            var service = service
            try await service.startAgain(port: OwnStack.portBase + 60 + number)
            started.append(service)
        }
        for service in started {
            let ready = try await service.client.get("/readyz")
            let lacksNothingVital = service.name == "webmail-proxy"
            #expect(ready.status == 503 || (lacksNothingVital && ready.status == 200), "\(service.name): \(ready.text)")
            #expect(ready.text.contains("down") || ready.text.contains("degraded"), "\(service.name): \(ready.text)")
        }
        // A token among the WebSocket's protocols is good, but whether it was revoked nobody can tell yet.
        let watcher = try #require(started.first { $0.name == "mail-watcher" })
        try await eventually(within: .seconds(5), "nobody listens before the revocations are known") {
            let reply = try await watcher.client.get(
                "/api/v1/mail/events", headers: [("Sec-WebSocket-Protocol", "bearer, \(alice.accessToken)")])
            return reply.status == 503 && reply.text.contains("list of revocations")
        }
        try await stack.up()
        for service in started {
            try await eventually(within: .seconds(5), "\(service.name) recovers by itself") {
                try await service.client.get("/readyz").status == 200
            }
            try await service.end()
        }
    }
}

/// One of our services, started a second time with the same settings on another port.
private struct RunningService {
    let name: String
    private let program: String
    private var environment: [String: String]
    private var process: Outside?
    private(set) var client = Client(base: "")

    init(name: String, pid: pid_t) throws {
        self.name = name
        program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
        let pairs = try Data(contentsOf: URL(filePath: "/proc/\(pid)/environ")).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self).split(separator: "=", maxSplits: 1).map(String.init) }
        environment = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { $1 }
    }

    /// Runs until it answers; a failure when that takes half a second or longer.
    mutating func startAgain(port: Int) async throws {
        environment["XYNAP_PORT"] = "\(port)"
        client = Client(base: "http://127.0.0.1:\(port)")
        let begun = ContinuousClock.now
        process = try Outside(
            URL(filePath: "/usr/bin/setpriv"), ["--reuid", "5000", "--regid", "5000", "--clear-groups", program],
            environment: environment)
        try await eventually(within: .seconds(5), "\(name) answers") { try await isAlive() }
        let lasted = ContinuousClock.now - begun
        #expect(lasted < .milliseconds(500), "\(name) took \(lasted)")
    }

    private func isAlive() async throws -> Bool {
        (try? await client.get("/healthz").status) == 200
    }

    func end() async throws {
        process?.terminate()
        let status = await process?.status()
        #expect(status == 0, "\(name) ended with \(String(describing: status))")
    }
}
