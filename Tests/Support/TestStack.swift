import Glibc

/// The running stack a test talks to, as the stack script describes it: the file of `KEY=value` lines that the
/// environment variable `XYNAP_ENDPOINTS` names.
public struct TestStack: Sendable {
    /// Why there is no stack to test with; the test that needs one fails with it.
    public enum Missing: Error, CustomStringConvertible {
        case variable
        case file(String)
        case key(String, file: String)
        case notANumber(String, value: String)

        public var description: String {
            switch self {
            case .variable: "XYNAP_ENDPOINTS is not set: it names the endpoints.env of a running stack (make test)"
            case .file(let path): "\(path), named by XYNAP_ENDPOINTS, cannot be read: is the stack up?"
            case .key(let key, let file): "\(file) has no \(key)"
            case .notANumber(let key, let value): "\(key)=\(value) is not a number"
            }
        }
    }

    /// The folder that holds `endpoints.env` and everything else of the stack.
    public let state: String
    public let gatewayURL: String
    /// Port 80 of an installed platform: autoconfig, and the way to TLS.
    public let gatewayPlainURL: String
    public let authURL: String
    public let adminURL: String
    public let webmailURL: String
    public let watcherURL: String
    public let serviceToken: String
    /// `user:password`
    public let introspectCredentials: String
    public let imapHost: String
    public let imapPort: Int
    public let imapsPort: Int
    public let smtpPort: Int
    public let smtpsPort: Int
    public let submissionPort: Int
    public let lmtpPort: Int
    /// The mail ports behind Traefik.
    public let gatewayIMAPSPort: Int
    public let gatewaySMTPPort: Int
    public let gatewaySMTPSPort: Int
    public let gatewaySubmissionPort: Int
    public let dnsPort: Int
    /// The path of the certificate that signs the mail servers'.
    public let tlsCA: String
    public let redisURL: String
    public let database: TestDatabase
    public let demoEmail: String
    public let demoPassword: String
    public let demo2Email: String
    public let demo2Password: String
    /// One file per process, named for it, with its process id.
    public let pidsDirectory: String

    /// The stack of this test run. Throws `Missing`.
    public static func load() throws -> TestStack { try TestStack(Endpoints.load()) }

    /// Another stack than that of the test run, by its `endpoints.env`. Throws `Missing`.
    public static func load(endpoints path: String) throws -> TestStack { try TestStack(Endpoints.load(path: path)) }

    private init(_ endpoints: Endpoints) throws {
        state = endpoints.path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        gatewayURL = try endpoints.text("GATEWAY_URL")
        gatewayPlainURL = try endpoints.text("GATEWAY_HTTP_URL")
        authURL = try endpoints.text("AUTH_URL")
        adminURL = try endpoints.text("ADMIN_URL")
        webmailURL = try endpoints.text("WEBMAIL_URL")
        watcherURL = try endpoints.text("WATCHER_URL")
        serviceToken = try endpoints.text("SERVICE_TOKEN")
        introspectCredentials = try endpoints.text("INTROSPECT_CREDENTIALS")
        imapHost = try endpoints.text("IMAP_HOST")
        imapPort = try endpoints.number("IMAP_PORT")
        imapsPort = try endpoints.number("IMAPS_PORT")
        smtpPort = try endpoints.number("SMTP_PORT")
        smtpsPort = try endpoints.number("SMTPS_PORT")
        submissionPort = try endpoints.number("SUBMISSION_PORT")
        lmtpPort = try endpoints.number("LMTP_PORT")
        gatewayIMAPSPort = try endpoints.number("GATEWAY_IMAPS_PORT")
        gatewaySMTPPort = try endpoints.number("GATEWAY_SMTP_PORT")
        gatewaySMTPSPort = try endpoints.number("GATEWAY_SMTPS_PORT")
        gatewaySubmissionPort = try endpoints.number("GATEWAY_SUBMISSION_PORT")
        dnsPort = try endpoints.number("DNS_PORT")
        tlsCA = try endpoints.text("TLS_CA")
        redisURL = try endpoints.text("REDIS_URL")
        database = try TestDatabase(endpoints)
        demoEmail = try endpoints.text("DEMO_EMAIL")
        demoPassword = try endpoints.text("DEMO_PASSWORD")
        demo2Email = try endpoints.text("DEMO2_EMAIL")
        demo2Password = try endpoints.text("DEMO2_PASSWORD")
        pidsDirectory = try endpoints.text("PIDS_DIR")
    }
}

/// The stack's database server, for tests that need nothing else of the stack.
public struct TestDatabase: Sendable {
    /// The path of a Unix socket.
    public let socket: String
    public let user: String
    public let password: String
    public let name: String

    /// Throws `TestStack.Missing`.
    public static func load() throws -> TestDatabase { try TestDatabase(Endpoints.load()) }

    init(_ endpoints: Endpoints) throws {
        socket = try endpoints.text("MARIADB_SOCKET")
        user = try endpoints.text("MARIADB_USER")
        password = try endpoints.text("MARIADB_PASSWORD")
        name = try endpoints.text("MARIADB_DATABASE")
    }
}
