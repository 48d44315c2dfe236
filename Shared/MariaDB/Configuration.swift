extension MariaDB {
    /// Where the server is, as whom to log in, and how long to wait.
    public struct Configuration: Sendable {
        /// Used when `socket` is nil.
        public var host: String
        public var port: Int
        /// The path of a Unix socket; takes precedence over `host` and `port`.
        public var socket: String?
        /// Whether the connection to `host` is TLS; its certificate is then verified, with its name.
        public var usesTLS = false
        /// A PEM file with the authorities to trust, in place of the system's.
        public var tlsCAFile: String?
        public var user: String
        public var password: String
        public var database: String
        /// How many connections at most, each with a thread of its own.
        public var connections: Int
        /// For the TCP connect and the login each; rounded up to whole seconds.
        public var connectTimeout: Duration
        /// The longest wait for the answer to one statement, also of a server that hangs; rounded up to whole
        /// seconds. The server is told to give up a little earlier.
        public var queryTimeout: Duration
        /// How many calls may wait for a connection; further ones fail with `MariaDBError.overloaded`.
        public var maximumWaiting: Int

        public init(
            host: String = "127.0.0.1", port: Int = 3306, socket: String? = nil, user: String, password: String,
            database: String, connections: Int = 8, connectTimeout: Duration = .seconds(2),
            queryTimeout: Duration = .seconds(3), maximumWaiting: Int = 2048
        ) {
            self.host = host
            self.port = port
            self.socket = socket
            self.user = user
            self.password = password
            self.database = database
            self.connections = connections
            self.connectTimeout = connectTimeout
            self.queryTimeout = queryTimeout
            self.maximumWaiting = maximumWaiting
        }
    }
}
