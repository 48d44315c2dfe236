import Foundation
import TestSupport
import Testing

/// A service of the stack as it was started: to be run again, as another replica or with a subcommand.
struct Launch: Sendable {
    let program: String
    let environment: [String: String]

    /// - Parameter pid: Of the one that runs.
    init(pid: pid_t) throws {
        program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
        let pairs = try Data(contentsOf: URL(filePath: "/proc/\(pid)/environ")).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self).split(separator: "=", maxSplits: 1).map(String.init) }
        environment = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { $1 }
    }

    /// The service of that name in the stack.
    init(_ name: String, of platform: Platform) throws {
        let path = platform.stack.pidsDirectory + "/" + name
        let text = try String(contentsOfFile: path, encoding: .utf8).trimming("\n ")
        guard let pid = pid_t(text) else { throw Surprise("\(name) has no process id") }
        try self.init(pid: pid)
    }

    /// As the user that the services run as.
    func run(
        _ arguments: [String] = [], changing changes: [String: String] = [:], showsErrors: Bool = true
    ) throws -> Outside {
        try Outside(
            URL(filePath: "/usr/bin/setpriv"),
            ["--reuid", "5000", "--regid", "5000", "--clear-groups", "--", program] + arguments,
            environment: environment.merging(changes) { $1 }, showsErrors: showsErrors)
    }

    /// What a subcommand printed, and how it ended.
    func output(_ arguments: [String], showsErrors: Bool = true) async throws -> (status: Int32, text: String) {
        let process = try run(arguments, showsErrors: showsErrors)
        let text = await process.text().joined(separator: "\n")
        return (await process.status(), text)
    }

    /// Another replica of the service, once it is ready.
    func replica(port: Int) async throws -> (process: Outside, base: String) {
        let process = try run(changing: ["XYNAP_PORT": "\(port)"])
        let base = "http://127.0.0.1:\(port)"
        try await eventually(within: .seconds(10), "the second replica is ready") {
            do { return try await Client(base: base).get("/readyz").status == 200 } catch { return false }
        }
        return (process, base)
    }
}
