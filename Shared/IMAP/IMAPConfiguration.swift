public import NIOCore
public import NIOSSL

/// Where a server is and how long to wait for it. Make it once: its copies share one TLS context.
public struct IMAPConfiguration: Sendable {
    public enum Security: String, Sendable {
        /// No TLS at all: for loopback and private networks.
        case plain
        /// TLS from the first byte (RFC 8314).
        case tls
        /// TLS after the STARTTLS command; without it no command is sent (RFC 9051 §6.2.1).
        case startTLS = "starttls"
    }

    public var host: String
    public var port: Int
    public var security: Security
    let tlsContext: TLSContext
    let knownCapabilities = KnownCapabilities()
    /// Until the greeting has come, TLS included.
    public var connectTimeout: TimeAmount
    /// How long a server may be silent while a command waits for it.
    public var commandTimeout: TimeAmount
    /// How long one command may take in all, however busy the server seems.
    public var commandLimit: TimeAmount
    public var limits: IMAPLimits
    /// Events held for an owner who does not fetch them; beyond that the oldest give way to `.lost`.
    public var eventCapacity: Int
    /// Commands held at once, sent or waiting.
    public var commandCapacity: Int
    /// Bytes read from the socket at a time at most, 64 or more. The buffer grows up to this with what comes, and stays:
    /// where many connections listen and little comes, small is better.
    public var largestRead: Int

    public init(
        host: String, port: Int, security: Security, tls: TLSConfiguration = .makeClientConfiguration(),
        connectTimeout: TimeAmount = .seconds(3), commandTimeout: TimeAmount = .seconds(30),
        commandLimit: TimeAmount = .minutes(10), limits: IMAPLimits = IMAPLimits(), eventCapacity: Int = 512,
        commandCapacity: Int = 256, largestRead: Int = 65_536
    ) {
        self.host = host
        self.port = port
        self.security = security
        tlsContext = TLSContext(tls)
        self.connectTimeout = connectTimeout
        self.commandTimeout = commandTimeout
        self.commandLimit = commandLimit
        self.limits = limits
        self.eventCapacity = eventCapacity
        self.commandCapacity = commandCapacity
        self.largestRead = largestRead
    }
}
