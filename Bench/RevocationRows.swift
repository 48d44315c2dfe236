import Foundation

/// From the call that revokes a mailbox to its token refused by another replica of auth-server, and to its live IMAP
/// session ended by Dovecot.
struct RevocationRows {
    let product: Product
    let rounds: Int
    let roundsWithoutRedis: Int

    /// Milliseconds until the second replica refused, and until the session was ended.
    private struct Timings {
        var refused: [Double] = []
        var ended: [Double] = []
    }

    func run() throws -> [Result] {
        let replica = try SecondReplica(product)
        defer { replica.stop() }
        let quick = try timings(rounds, replica) { revoke in
            try revoke()
            return {}
        }
        let healed = try timings(roundsWithoutRedis, replica) { revoke in
            kill(try product.processID(of: "redis"), SIGKILL)
            try revoke()
            let stack = try product.startAgain("redis")
            return { stack.waitUntilExit() }
        }
        return [
            row("revoked to refused by the second replica, p99 (ms)", quick.refused),
            row("revoked to the live IMAP session ended, p99 (ms)", quick.ended),
            row("the same while Redis is killed and started again: refused (ms)", healed.refused, within: 6000),
            row("the same while Redis is killed and started again: ended (ms)", healed.ended, within: 6000),
        ]
    }

    /// - Parameter around: Calls what revokes, and returns what is to be waited for after the round.
    private func timings(
        _ rounds: Int, _ replica: SecondReplica, around revoking: (() throws -> Void) throws -> () -> Void
    ) throws -> Timings {
        var timings = Timings()
        for _ in 0..<rounds {
            let token = try product.mailToken()
            let session = try BareIMAP(port: product.imapPort, user: product.mailbox, token: token)
            let introspection = try replica.introspection(of: token)
            guard try Self.isActive(introspection) else { throw Socket.Failed(description: "a new token is refused") }
            let revocation = try HTTPCall(
                port: product.authPort, "POST", "/api/v1/auth/revocations",
                headers: ["x-service-token": product.serviceToken, "Content-Type": "application/json"],
                body: #"{"email":"\#(product.mailbox)"}"#)
            let begun = ContinuousClock.now
            let finish = try revoking { try revocation() }
            while try Self.isActive(introspection) { usleep(500) }
            timings.refused.append(Self.milliseconds(since: begun))
            session.awaitEnd()
            timings.ended.append(Self.milliseconds(since: begun))
            finish()
            // A mailbox is kicked again within the second, which must not pass for the next round's kick.
            usleep(1_200_000)
        }
        return timings
    }

    private func row(_ what: String, _ milliseconds: [Double], within bound: Double = 1000) -> Result {
        let sample = Sample(milliseconds)
        return Result(
            what: what,
            measured: String(
                format: "p50 %.0f ms, p99 %.0f ms of %d", sample.median, sample.percentile(0.99),
                milliseconds.count),
            value: sample.percentile(0.99), budget: .atMost(bound))
    }

    private static func isActive(_ introspection: HTTPCall) throws -> Bool {
        String(decoding: try introspection(), as: UTF8.self).contains(#""active":true"#)
    }

    private static func milliseconds(since begun: ContinuousClock.Instant) -> Double {
        let elapsed = begun.duration(to: .now).components
        return Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15
    }
}

/// Another auth-server beside the stack's own, with the same settings.
private struct SecondReplica {
    private let process = Process()
    private let port: Int
    private let credentials: String

    init(_ product: Product) throws {
        port = product.authPort + 6000
        credentials = Base64.encode(Array(product.introspectionCredentials.utf8))
        let pid = try product.processID(of: "auth-server")
        var environment: [String: String] = [:]
        for variable in try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ")).split(separator: 0) {
            let parts = String(decoding: variable, as: UTF8.self).split(separator: "=", maxSplits: 1)
            if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
        }
        environment["XYNAP_PORT"] = "\(port)"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = [
            "--reuid", "5000", "--regid", "5000", "--clear-groups", "--",
            try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe"),
        ]
        process.environment = environment
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<500 {
            if let ready = try? HTTPCall(port: port, "GET", "/readyz", headers: [:]), (try? ready()) != nil { return }
            usleep(20_000)
        }
        throw Socket.Failed(description: "the second auth-server did not start")
    }

    func introspection(of token: String) throws -> HTTPCall {
        try HTTPCall(
            port: port, "POST", "/api/v1/auth/token/introspect",
            headers: [
                "Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic \(credentials)",
            ], body: "token=\(token)")
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
