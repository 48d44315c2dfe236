import Foundation

/// A server process of one test, which may be stopped, killed and started again; in a folder of its own below `/tmp`.
public final class PrivateServer: Sendable {
    /// Where its files are; removed with it.
    public let folder: String
    private let command: [String]
    private let isReady: @Sendable (_ folder: String) -> Bool
    private let running = Running()

    /// The processes, which Foundation lets only one thread touch at a time.
    private final class Running: @unchecked Sendable {
        private let lock = NSLock()
        private var process: Process?

        func replace(with next: Process?) -> Process? {
            lock.withLock {
                defer { process = next }
                return process
            }
        }

        var processID: Int32? { lock.withLock { process?.processIdentifier } }
    }

    public struct NotStarted: Error, CustomStringConvertible { public let description: String }

    init(folder: String, command: [String], isReady: @escaping @Sendable (String) -> Bool) {
        self.folder = folder
        self.command = command
        self.isReady = isReady
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Redis without persistence; listens at `url` only.
    public static func redis() async throws -> (server: PrivateServer, url: String) {
        let folder = try makeFolder()
        let port = try freePort()
        let server = PrivateServer(
            folder: folder,
            command: [
                "redis-server", "--bind", "127.0.0.1", "--port", "\(port)", "--save", "", "--appendonly", "no",
                "--dir", folder,
            ],
            isReady: { _ in (try? Self.run(["redis-cli", "-p", "\(port)", "ping"])) == 0 })
        try await server.start()
        return (server, "redis://127.0.0.1:\(port)/0")
    }

    /// MariaDB with an empty database `test`; listens at the socket `folder/socket` only, for `root` without
    /// a password.
    public static func mariadb() async throws -> PrivateServer {
        try await mariadb(folder: makeFolder(), listening: ["--skip-networking"])
    }

    /// - Parameter statements: Run, after each start, before it counts as ready.
    static func mariadb(
        folder: String, listening options: [String], statements: String = ""
    ) async throws -> PrivateServer {
        let common = [
            "--no-defaults", "--user=mysql", "--datadir=\(folder)/data", "--tmpdir=\(folder)",
            "--innodb-log-file-size=8M",
        ]
        let install = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        let server = PrivateServer(
            folder: folder,
            command: ["mariadbd"] + common + options + [
                "--socket=\(folder)/socket", "--innodb-buffer-pool-size=16M", "--log-error=\(folder)/log",
            ],
            isReady: { folder in
                let client = ["mariadb", "--no-defaults", "-uroot", "-S", "\(folder)/socket"]
                return (try? Self.run(client + ["-e", "CREATE DATABASE IF NOT EXISTS test; \(statements)"])) == 0
            })
        guard try run(["mariadb-install-db"] + common + install) == 0 else {
            throw NotStarted(description: "mariadb-install-db failed")
        }
        try await server.start()
        return server
    }

    /// Starts it (again) and waits until it answers.
    public func start() async throws {
        let process = try Self.process(command)
        try process.run()
        _ = running.replace(with: process)
        for _ in 0..<300 {
            if isReady(folder) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw NotStarted(description: "\(command[0]) did not come up within 15 s")
    }

    /// kill -9, and waits for its end.
    public func kill() {
        guard let process = running.replace(with: nil) else { return }
        signal(SIGKILL, process.processIdentifier)
        process.waitUntilExit()
    }

    /// Stops it in mid-air: it keeps its connections and answers nothing.
    public func freeze() {
        signal(SIGSTOP)
        // The others go on until the one that the signal was given to has had its turn.
        let deadline = ContinuousClock.now + .seconds(2)
        while hasRunningThreads, ContinuousClock.now < deadline { usleep(500) }
    }

    /// Whether a thread is in another state than stopped (proc_pid_stat(5)).
    private var hasRunningThreads: Bool {
        guard let id = running.processID else { return false }
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        return threads.contains { thread in
            let stat = try? String(contentsOfFile: "/proc/\(id)/task/\(thread)/stat", encoding: .utf8)
            return stat?.split(separator: ")").last?.hasPrefix(" T ") == false
        }
    }

    public func thaw() { signal(SIGCONT) }

    private func signal(_ number: Int32, _ id: Int32? = nil) {
        if let id = id ?? running.processID { Glibc.kill(id, number) }
    }

    static func run(_ command: [String]) throws -> Int32 {
        let process = try process(command)
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private static func process(_ command: [String]) throws -> Process {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/usr/bin"
        let places = path.split(separator: ":").map { "\($0)/\(command[0])" }
        guard let executable = places.first(where: FileManager.default.isExecutableFile) else {
            throw NotStarted(description: "\(command[0]) is not installed")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    static func makeFolder() throws -> String {
        var template = Array("/tmp/xynap-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw NotStarted(description: "no folder below /tmp") }
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // The database server has a user of its own.
        chmod(folder, 0o777)
        return folder
    }

    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard status else { throw NotStarted(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
