import Foundation
import Glibc
import TestSupport

/// A program that is none of ours (`outside/*.py`, `dig`), running as a process of its own.
final class Outside: Sendable {
    /// What it printed, line by line; ends with the program.
    private let lines: AsyncStream<String>
    private let process: Process
    private let input: FileHandle

    /// The repository, found from this file.
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Starts a Python script of `outside/` and hands it `task`.
    convenience init(script: String, _ task: JSON) throws {
        try self.init(Self.python, [Self.file(script)], input: try task.data)
    }

    /// Starts a script that is told more on the way, with `say`; the task is the first line.
    convenience init(dialog script: String, _ task: JSON) throws {
        try self.init(
            Self.python, [Self.file(script)], input: try task.data + Data("\n".utf8), staysOpen: true)
    }

    private static let python = repository.appending(path: ".local/venv/bin/python3")
    private static func file(_ script: String) -> String {
        repository.appending(path: "Tests/Live/outside/\(script)").path()
    }

    /// - Parameters:
    ///   - staysOpen: Whether more may be said than `input`.
    ///   - showsErrors: Whether what it prints as errors is among its lines.
    init(
        _ executable: URL, _ arguments: [String], input: Data = Data(), environment: [String: String]? = nil,
        staysOpen: Bool = false, showsErrors: Bool = false
    ) throws {
        process = Process()
        process.executableURL = executable
        process.arguments = arguments
        if let environment { process.environment = environment }
        let input = (pipe: Pipe(), data: input), output = Pipe()
        process.standardInput = input.pipe
        process.standardOutput = output
        if showsErrors { process.standardError = output }
        self.input = input.pipe.fileHandleForWriting
        lines = Self.lines(of: output.fileHandleForReading)
        try process.run()
        try input.pipe.fileHandleForWriting.write(contentsOf: input.data)
        if !staysOpen { try input.pipe.fileHandleForWriting.close() }
    }

    /// Tells it one more line.
    func say(_ line: String) throws { try input.write(contentsOf: Data((line + "\n").utf8)) }

    /// What it prints next, as it is.
    func line() async throws -> String {
        for await line in lines { return line }
        throw Surprise("the outside program ended before it said what was wanted")
    }

    deinit {
        if process.isRunning { process.terminate() }
    }

    /// Everything it prints, as JSON values, when it has ended. The programs bound their own waits.
    func results() async throws -> [JSON] {
        var results: [JSON] = []
        for await line in lines { results.append(try JSON(parsing: Data(line.utf8))) }
        return results
    }

    /// What it prints next, as JSON.
    func next() async throws -> JSON {
        try JSON(parsing: Data(try await line().utf8))
    }

    /// All it printed, as it is.
    func text() async -> [String] {
        var text: [String] = []
        for await line in lines { text.append(line) }
        return text
    }

    var isRunning: Bool { process.isRunning }

    var pid: pid_t { process.processIdentifier }

    /// Asks it to end (`SIGTERM`).
    func terminate() { process.terminate() }

    /// Its exit status, once it has ended.
    func status() async -> Int32 {
        for await _ in lines {}
        process.waitUntilExit()
        return process.terminationStatus
    }

    private static func lines(of output: FileHandle) -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let reader = Thread {
            var rest = Data()
            // Not read(upToCount:), which waits until there is that much, nor availableData, which a signal ends.
            var block = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(output.fileDescriptor, &block, block.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { break }
                rest.append(contentsOf: block[..<count])
                while let end = rest.firstIndex(of: 0x0A) {
                    continuation.yield(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[rest.index(after: end)...])
                }
            }
            continuation.finish()
        }
        reader.start()
        return stream
    }
}

extension Platform {
    /// The answers of the stack's name server, one a record, as `dig +short` prints them; text records in one piece.
    func dig(_ type: String, _ name: String) async throws -> [String] {
        let dig = try Outside(
            URL(filePath: "/usr/bin/dig"),
            ["@127.0.0.1", "-p", "\(stack.dnsPort)", "+norecurse", "+short", "+time=2", "+tries=2", type, name])
        return await dig.text().map { line in
            line.hasPrefix("\"") ? line.replacing("\" \"", with: "").trimming("\"") : line
        }
    }

    /// Hands mails to an SMTP port as any other mail server would, without a login.
    func deliver(
        _ messages: [String], from sender: String, to recipient: String, port: Int? = nil
    ) async throws -> [JSON] {
        try await Outside(
            script: "smtp.py",
            [
                "host": .string(stack.imapHost), "port": .int(port ?? stack.smtpPort), "security": "plain",
                "ca": .string(stack.tlsCA), "from": .string(sender), "to": [.string(recipient)],
                "messages": .array(messages.map(JSON.string)),
            ]
        ).results()
    }
}

/// A mail as plain text, with what every mail should have.
func plainMail(from sender: String, to recipient: String, subject: String, body: String = "Hello.") -> String {
    """
    From: \(sender)\r
    To: \(recipient)\r
    Subject: \(subject)\r
    Date: Mon, 23 Nov 2026 10:00:00 +0000\r
    Message-ID: <\(unique("mail"))@client.outside.test>\r
    \r
    \(body)\r

    """
}

extension String {
    func trimming(_ characters: String) -> String { trimmingCharacters(in: CharacterSet(charactersIn: characters)) }
}
