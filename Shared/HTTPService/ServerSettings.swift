public import Logging

/// The settings every service has.
public struct ServerSettings: ServiceSettings {
    public enum LogFormat: String, Sendable { case json, text }

    public let host: String
    public let port: Int
    public let logLevel: Logger.Level
    public let logFormat: LogFormat
    public let logRequests: Bool
    public let trustedProxies: TrustedProxies
    /// How long a handler may take.
    public let requestDeadline: Duration
    /// How long an idle connection is kept.
    public let idleTimeout: Duration
    /// How long requests are still taken after SIGTERM, while `/healthz` says that the service is ending.
    public let shutdownDelay: Duration
    /// How long requests in flight may take to finish after SIGTERM.
    public let drainTimeout: Duration

    public init(_ read: SettingsReader) { self.init(read, defaultPort: 8080) }

    init(_ read: SettingsReader, defaultPort: Int) {
        host = read.string("host", default: "127.0.0.1", "The address to listen on")
        port = read.int("port", default: defaultPort, in: 0...65_535, "The port to listen on")
        let level = read.choice(
            "log.level", of: Logger.Level.allCases.map(\.rawValue), default: "info", "The least level that is logged")
        logLevel = Logger.Level(rawValue: level) ?? .info
        let format = read.choice("log.format", of: ["json", "text"], default: "json", "The form of log lines")
        logFormat = LogFormat(rawValue: format) ?? .json
        logRequests = read.bool("log.requests", default: true, "Whether each request is logged, or only the failed")
        let networks = read.list(
            "trusted.proxies", "Addresses or networks whose X-Forwarded-For is believed (10.0.0.0/8,::1)")
        trustedProxies =
            TrustedProxies(networks) ?? read.refuse("trusted.proxies", "must be addresses or networks", .none)
        requestDeadline = read.duration(
            "request.deadline", default: .seconds(10), "How long a request may take before it is answered with 504")
        idleTimeout = read.duration("idle.timeout", default: .seconds(75), "How long an idle connection is kept")
        shutdownDelay = read.duration(
            "shutdown.delay", default: .zero, in: .zero ... .seconds(300),
            "How long requests are still taken at shutdown, until load balancers have seen that /healthz is 503")
        drainTimeout = read.duration(
            "drain.timeout", default: .seconds(15), "How long requests in flight may take to finish at shutdown")
    }
}
