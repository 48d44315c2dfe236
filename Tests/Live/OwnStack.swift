import Foundation
import Glibc
import TestSupport
import Testing

/// A second stack, for the suites that break things: the tests of the first one are not disturbed.
struct OwnStack: Sendable {
    /// The stack of the running suite.
    @TaskLocal static var current: OwnStack?

    let platform: Platform
    let state: String
    private let environment: [String: String]

    static let portBase = 24000

    /// Brings it up, from the binaries of the stack that the other tests use.
    fileprivate init() async throws {
        let binaries = try Self.rememberedBinaries(TestStack.load().state)
        state = Outside.repository.appending(path: ".local/faults").path()
        environment = ProcessInfo.processInfo.environment.merging(
            ["STATE": state, "PORT_BASE": "\(Self.portBase)", "BIN": binaries]) { $1 }
        try await Self.run(["down"], environment)
        try Self.clear(state)
        try await Self.run(["up"], environment)
        platform = Platform(stack: try TestStack.load(endpoints: state + "/endpoints.env"))
        // The servers are up before the tables are there, and with them the service token.
        try await eventually(within: .seconds(20), "the hoster is known") {
            try await platform.hoster.get("/api/v1/customers").status == 200
        }
    }

    /// Repairs whatever has died, as `make up` does; with names, only these processes.
    func up(_ names: String...) async throws { try await Self.run(["up"] + names, environment) }

    func down(_ names: String...) async throws { try await Self.run(["down"] + names, environment) }

    /// The process id of a server of the stack.
    func pid(_ name: String) throws -> pid_t {
        let text = try String(contentsOfFile: platform.stack.pidsDirectory + "/" + name, encoding: .utf8)
        guard let pid = pid_t(text.trimming("\n ")) else { throw Surprise("\(name) has no process id") }
        return pid
    }

    func kill(_ name: String) throws { try signal(SIGKILL, name) }

    /// With its children, which go on serving for a while when only their master was killed.
    func killWithChildren(_ name: String) throws {
        guard Glibc.kill(-(try pid(name)), SIGKILL) == 0 else { throw Surprise("\(name) was not running") }
    }

    /// Stops the process and all its children, as a machine that hangs would, while `body` runs.
    func freezing<T>(_ name: String, _ body: () async throws -> T) async throws -> T {
        let family = try -pid(name)
        guard Glibc.kill(family, SIGSTOP) == 0 else { throw Surprise("\(name) could not be stopped") }
        defer { _ = Glibc.kill(family, SIGCONT) }
        return try await body()
    }

    private func signal(_ signal: Int32, _ name: String) throws {
        guard Glibc.kill(try pid(name), signal) == 0 else { throw Surprise("\(name) was not running") }
    }

    /// Makes Postfix try at once what it had put off.
    func flushQueue() async throws {
        let flush = try Outside(
            URL(filePath: "/usr/sbin/postqueue"), ["-c", state + "/etc/postfix", "-f"])
        guard await flush.status() == 0 else { throw Surprise("postqueue -f failed") }
    }

    private static func run(_ arguments: [String], _ environment: [String: String]) async throws {
        let script = try Outside(
            Outside.repository.appending(path: "deploy/local/stack"), arguments, environment: environment)
        guard await script.status() == 0 else { throw Surprise("stack \(arguments.joined(separator: " ")) failed") }
    }

    private static func rememberedBinaries(_ state: String) throws -> String {
        let lines = try String(contentsOfFile: state + "/stack.env", encoding: .utf8).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("BIN=") }) else {
            throw Surprise("the running stack does not say where its binaries are")
        }
        return String(line.dropFirst(4))
    }

    /// All but Rspamd's compiled patterns, which take it 15 s to make.
    private static func clear(_ state: String) throws {
        let files = FileManager.default
        guard files.fileExists(atPath: state) else { return }
        for entry in try files.contentsOfDirectory(atPath: state) where entry != "data" && entry != "lock" {
            try files.removeItem(atPath: state + "/" + entry)
        }
        guard files.fileExists(atPath: state + "/data") else { return }
        for entry in try files.contentsOfDirectory(atPath: state + "/data") where entry != "rspamd" {
            try files.removeItem(atPath: state + "/data/" + entry)
        }
    }
}

/// Gives a suite a stack of its own, up before its first test and down after its last.
struct OnItsOwnStack: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing suite: @Sendable () async throws -> Void
    ) async throws {
        let stack = try await OwnStack()
        let outcome: Result<Void, any Error>
        do {
            try await OwnStack.$current.withValue(stack) { try await suite() }
            outcome = .success(())
        } catch { outcome = .failure(error) }
        try await stack.down()
        try outcome.get()
    }
}

extension Trait where Self == OnItsOwnStack {
    static var onItsOwnStack: Self { OnItsOwnStack() }
}
