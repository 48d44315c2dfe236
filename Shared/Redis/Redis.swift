/// What belongs to both the command client and the subscriber.
public enum Redis {
    /// Where the server is, how to log in, and how long to wait.
    public struct Configuration: Sendable {
        /// Without `sentinel`.
        public var host: String
        public var port: Int
        /// Who is asked where the server is, each time a connection is made.
        public var sentinel: Sentinel?
        /// Whether the connection is TLS.
        public var usesTLS: Bool
        /// A PEM file with the authorities to trust, in place of the system's.
        public var tlsCAFile: String?
        public var user: String?
        public var password: String?
        public var database: Int
        /// For the TCP connect.
        public var connectTimeout: Duration
        /// The longest wait for the answer to one command; the connection is given up after it.
        public var commandTimeout: Duration
        /// How many commands may wait for their answers; further ones fail with `RedisError.overloaded`.
        public var maximumPending: Int

        /// - Parameter url: `redis://user:password@host:port/database`, or `rediss:` for TLS; all but the host may be
        ///   missing. User and password are percent-encoded. With Sentinels
        ///   `redis+sentinel://user:password@host:port,host:port/master/database?sentinel_password=…`, or
        ///   `rediss+sentinel:`; the login is the servers'.
        /// - Throws: `RedisError.invalidURL`.
        public init(url: String) throws(RedisError) {
            let parts = try RedisURL(url)
            self.init(
                host: parts.host, port: parts.port, usesTLS: parts.usesTLS, user: parts.user,
                password: parts.password, database: parts.database)
            sentinel = parts.sentinel
        }

        public init(
            host: String, port: Int = 6379, usesTLS: Bool = false, user: String? = nil, password: String? = nil,
            database: Int = 0
        ) {
            self.host = host
            self.port = port
            self.usesTLS = usesTLS
            self.user = user
            self.password = password
            self.database = database
            sentinel = nil
            tlsCAFile = nil
            connectTimeout = .seconds(1)
            commandTimeout = .seconds(2)
            maximumPending = 16_384
        }
    }
}
