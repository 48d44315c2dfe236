public import ArgumentParser
import CoreMetrics
import FoundationEssentials
import Glibc
import Hummingbird
import Logging
import MailModel
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// A service as a program: its `@main` type conforms, says what it is and puts itself together.
///
///     @main struct AuthServer: ServiceProgram {
///         static let name = "auth-server"
///         static let defaultPort = 8081
///         static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
///         static func assemble(_ service: ServiceAssembly, settings: AuthSettings) async throws { … }
///     }
///
/// Run without arguments it serves; `--help` and `check-config` print every setting; `--version` its version.
public protocol ServiceProgram {
    associatedtype Settings: ServiceSettings

    /// Its name in logs, metrics and on the command line.
    static var name: String { get }
    static var defaultPort: Int { get }
    /// The OpenAPI file, served at `/openapi.yaml`.
    static var openAPI: String { get }

    /// Adds routes, background work and readiness checks.
    ///
    /// It must not wait for anything outside the process: the server listens when it returns, and dependencies may
    /// come later.
    static func assemble(_ service: ServiceAssembly, settings: Settings) async throws

    /// What people at a shell can do beside serving; none unless a service says so.
    static var commands: [any AsyncParsableCommand.Type] { get }

    /// Whether all threads share one heap: it wastes less where very much that is small stays for hours, and they wait for
    /// each other where all allocate at once. False unless a service says so.
    static var sharesHeap: Bool { get }

    /// How many processors share an event loop: 1 unless a service says otherwise. The fewer loops, the more often a
    /// caller's connection and the one that is asked for it are on the same, and no thread has to wake another.
    static var processorsPerLoop: Int { get }
}

extension ServiceProgram {
    public static var commands: [any AsyncParsableCommand.Type] { [] }
    public static var sharesHeap: Bool { false }
    public static var processorsPerLoop: Int { 1 }
}

/// The version of the product.
public enum ProductVersion {
    public static let current = "0.1.0"
}

extension ServiceProgram {
    public static func main() async {
        signal(SIGPIPE, SIG_IGN)
        if sharesHeap { WorkingSet.shareHeap() }
        NIOSingletons.groupLoopCountSuggestion = max(1, System.coreCount / processorsPerLoop)
        let arguments = CommandLine.arguments.dropFirst()
        switch arguments.first {
        case nil: await serve()
        case "--help", "-h", "help": await help()
        case "check-config": await checkConfig()
        case "--version", "version": print("\(name) \(ProductVersion.current)")
        case let word?:
            guard let command = commands.first(where: { $0.configuration.commandName == word }) else {
                fail("\(name): unknown argument \(word); see \(name) --help", code: EX_USAGE)
            }
            await run(command, Array(arguments.dropFirst()))
        }
    }

    private static func run(_ command: any AsyncParsableCommand.Type, _ arguments: [String]) async {
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .error
            return handler
        }
        do {
            var parsed = try command.parseAsRoot(arguments)
            if var asynchronous = parsed as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try parsed.run()
            }
        } catch let failure as Failure {
            // What is away may be back later; all else is about what was asked for.
            let code = [.unavailable, .timeout].contains(failure.kind) ? EX_TEMPFAIL : EX_DATAERR
            fail("\(name): \(failure.detail)", code: code)
        } catch {
            command.exit(withError: error)
        }
    }

    /// The settings, for a command; a fault in them ends the program.
    public static func commandSettings() async -> Settings {
        let (_, settings, faults) = read(await reader())
        guard let settings, faults.isEmpty else {
            fail(faults.map { "\(name): \($0)" }.joined(separator: "\n"), code: EX_CONFIG)
        }
        return settings
    }

    private static func reader() async -> SettingsReader {
        let environment = ProcessInfo.processInfo.environment
        do {
            return try await SettingsReader(environment: environment, file: environment["XYNAP_CONFIG"])
        } catch {
            fail("\(name): the file that XYNAP_CONFIG names cannot be used: \(error)", code: EX_CONFIG)
        }
    }

    /// Reads everything, so that the reader knows every key and every fault.
    private static func read(
        _ reader: SettingsReader
    ) -> (server: ServerSettings, settings: Settings?, faults: [String]) {
        let server = ServerSettings(reader, defaultPort: defaultPort)
        do {
            let settings = try Settings(reader)
            return (server, settings, reader.faults)
        } catch {
            return (server, nil, reader.faults + ["\(error)"])
        }
    }

    private static func help() async {
        let reader = await reader()
        _ = read(reader)
        print(SettingsText.help(program: name, commands, reader.declarations))
    }

    private static func checkConfig() async {
        let reader = await reader()
        let (_, _, faults) = read(reader)
        print(SettingsText.values(reader.declarations))
        guard faults.isEmpty else { fail(faults.joined(separator: "\n"), code: EX_CONFIG) }
    }

    private static func serve() async {
        let (server, settings, faults) = read(await reader())
        guard let settings, faults.isEmpty else {
            fail(faults.map { "\(name): \($0)" }.joined(separator: "\n"), code: EX_CONFIG)
        }
        LoggingSystem.bootstrap { label in
            var handler = LogLine(label: label, format: server.logFormat)
            handler.logLevel = server.logLevel
            return handler
        }
        let metrics = Prometheus()
        MetricsSystem.bootstrap(metrics)
        let logger = Logger(label: name)
        do {
            try await run(server, settings, metrics, logger)
            logger.info("Stopped")
        } catch {
            logger.critical("Ended by an error", metadata: ["error": "\(error)"])
            exit(EXIT_FAILURE)
        }
    }

    private static func run(
        _ server: ServerSettings, _ settings: Settings, _ metrics: Prometheus, _ logger: Logger
    ) async throws {
        let deadlines = Deadlines()
        let shutdown = ShutdownDelay(server.shutdownDelay)
        let router = ServiceRouter(
            deadline: server.requestDeadline, trustedProxies: server.trustedProxies, deadlines: deadlines,
            metrics: metrics, logRequests: server.logRequests, shutdown: shutdown)
        let assembly = ServiceAssembly(router: router, readiness: Readiness(), server: server, logger: logger)
        OperationsRoutes(
            name: name, version: ProductVersion.current, openAPI: openAPI, readiness: assembly.readiness,
            metrics: metrics, shutdown: shutdown
        ).add(to: router)
        try await assemble(assembly, settings: settings)
        assembly.run("working set") {
            try await Task.sleep(for: .seconds(1))
            try await WorkingSet.keepSmall()
        }
        var serverLogger = logger
        serverLogger.logLevel = max(server.logLevel, .notice)
        let application = Application(
            router: router, server: assembly.serverBuilder,
            configuration: .init(address: .hostname(server.host, port: server.port), backlog: 1024),
            onServerRunning: { channel in
                logger.info(
                    "Listening",
                    metadata: ["host": "\(server.host)", "port": "\(channel.localAddress?.port ?? server.port)"])
            }, logger: logger)
        // Services end in the reverse order: first the wait for load balancers, then the server, which lets its requests
        // finish, then the rest.
        var configuration = ServiceGroupConfiguration(
            services: [deadlines] + assembly.background + [application, shutdown],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: serverLogger)
        configuration.maximumGracefulShutdownDuration = server.shutdownDelay + server.drainTimeout
        configuration.maximumCancellationDuration = .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        let line = Array((message + "\n").utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(code)
    }
}

/// The settings as text, for the command line.
enum SettingsText {
    static func help(
        program: String, _ commands: [any AsyncParsableCommand.Type], _ declarations: [SettingsReader.Declaration]
    ) -> String {
        let actions = commands.map { command in
            let name = "\(program) \(command.configuration.commandName ?? "")"
            return "       \(name)\(String(repeating: " ", count: max(1, 32 - name.count)))"
                + command.configuration.abstract
        }
        let keys = declarations.map { declaration in
            let file = declaration.isSecret ? " (or \(declaration.variable)_FILE)" : ""
            return "  \(declaration.variable)\(file)\n      \(declaration.meaning). \(fallback(declaration))\n"
                + "      In the file: \(declaration.key)"
        }
        return """
            Usage: \(program)                 serve
                   \(program) check-config    print every setting as it is now, and what is wrong
                   \(program) --help | --version
            \(actions.joined(separator: "\n"))

            Settings, from the environment or from the YAML file that XYNAP_CONFIG names (the environment wins):

            \(keys.joined(separator: "\n"))
            """
    }

    static func values(_ declarations: [SettingsReader.Declaration]) -> String {
        declarations.map { declaration in
            let value = declaration.value ?? declaration.fallback ?? ""
            let shown = declaration.isSecret && !value.isEmpty ? "********" : value
            return "\(declaration.variable)=\(shown)  # \(declaration.source); \(declaration.key): "
                + "\(declaration.meaning). \(fallback(declaration))"
        }
        .joined(separator: "\n")
    }

    private static func fallback(_ declaration: SettingsReader.Declaration) -> String {
        switch declaration.fallback {
        case nil: "Required."
        case ""?: "Default: none."
        case let text?: declaration.isSecret ? "Has a default." : "Default: \(text)."
        }
    }
}
