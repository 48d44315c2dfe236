import Foundation
import JWTKit

/// Introspection where the cache does not help: tokens that were never seen, and a machine that is busy with passwords.
struct TokenRows {
    let product: Product
    let tokens: Int

    func run() async throws -> [Result] { [try await newTokens(), try flooded()] }

    /// Connections, as in the other introspection rows.
    private static let connections = 32

    /// The server's own processor time for each new token, against that of the library's verification alone; both with
    /// always something to do.
    private func newTokens() async throws -> Result {
        let fresh = try (0..<tokens).map { _ in try product.mailToken() }
        let keys = try await JWTKeyCollection().add(jwksJSON: product.keySet())
        let sockets = try (0..<Self.connections).map { _ in try Socket(port: product.authPort) }
        let batchSize = 4 * Self.connections
        var rawSeconds = 0.0
        var serverSeconds = 0.0
        // In turns, since the speed of the machine drifts.
        for batch in stride(from: 0, to: tokens, by: batchSize) {
            let some = fresh[batch..<min(batch + batchSize, tokens)]
            let begun = Self.ownProcessorSeconds
            for token in some { _ = try await keys.verify(token, as: AnyClaims.self) }
            rawSeconds += Self.ownProcessorSeconds - begun
            let before = try product.processorSeconds(of: "auth-server")
            let calls = try zip(some, some.indices).map { token, index in
                try product.introspection(of: token, on: sockets[index % sockets.count])
            }
            for wave in stride(from: 0, to: calls.count, by: sockets.count) {
                let together = calls[wave..<min(wave + sockets.count, calls.count)]
                for call in together { try call.send() }
                for call in together { try call.answer() }
            }
            serverSeconds += try product.processorSeconds(of: "auth-server") - before
        }
        let rates = [serverSeconds, rawSeconds].map { Double(tokens) / $0 }
        return Result(
            what: "introspection, every token new, per core, against the library's verify",
            measured: String(format: "%.0f/s to %.0f/s", rates[0], rates[1]), value: rates[0] / rates[1],
            budget: .atLeast(0.7))
    }

    private static var ownProcessorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Warm introspection while wrong passwords come in from everywhere.
    private func flooded() throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("xynap-flood-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = folder.appendingPathComponent("flood.lua")
        // Each from another address and for another mailbox, so that the throttle lets them through to the hashing.
        let lua = """
            local n = 0
            request = function()
              n = n + 1
              return wrk.format("POST", "/api/v1/auth/login",
                {["Content-Type"] = "application/json", ["X-Forwarded-For"] = "10." .. math.floor(n / 65536) % 256
                  .. "." .. math.floor(n / 256) % 256 .. "." .. n % 256},
                '{"email":"nobody' .. n .. '@example.org","password":"guess"}')
            end
            """
        try lua.write(to: script, atomically: true, encoding: .utf8)
        let call = try product.introspection(of: product.mailToken())
        func latencies() throws -> [Double] {
            try (0..<4000).map { _ in try timed { try call() } }
        }
        _ = try latencies()
        var quiet: [Double] = []
        var busy: [Double] = []
        for _ in 0..<3 {
            quiet += try latencies()
            let flood = try Command.start(
                "wrk", ["-t1", "-c16", "-d30s", "-s", script.path, "http://127.0.0.1:\(product.authPort)"],
                output: Pipe())
            sleep(1)
            busy += try latencies()
            flood.terminate()
            flood.waitUntilExit()
            sleep(5)
        }
        let p99 = [busy, quiet].map { Sample($0).percentile(0.99) }
        return Result(
            what: "introspection, p99 during a flood of logins against quiet",
            measured: String(format: "%.2f ms to %.2f ms", p99[0], p99[1]), value: p99[0] / p99[1],
            budget: .atMost(1.5))
    }
}

/// Claims that nobody looks at.
private struct AnyClaims: JWTPayload {
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
