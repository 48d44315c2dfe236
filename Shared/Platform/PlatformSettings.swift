public import HTTPService
public import Redis
public import Storage

/// What every service is told of the others: where MariaDB and Redis are, and who issues tokens.
public struct PlatformSettings: ServiceSettings {
    /// The `iss` of every token: the public base URL.
    public let issuer: String
    public private(set) var redis: Redis.Configuration
    public private(set) var database: Database.Configuration

    public init(_ read: SettingsReader) {
        issuer = Self.issuer(read)
        redis = Self.redis(read)
        var database = Database.Configuration(
            socket: read.optionalString("database.socket", "Unix socket of MariaDB; without it host and port are used"),
            host: read.string("database.host", default: "127.0.0.1", "Host of MariaDB"),
            port: read.int("database.port", default: 3306, in: 1...65_535, "Port of MariaDB"),
            user: read.string("database.user", default: "xynap", "User of MariaDB"),
            password: read.secret("database.password", "Password of that user"),
            database: read.string("database.name", default: "xynap", "Name of the database"),
            connections: read.int(
                "database.connections", default: 4, in: 1...256, "Connections to MariaDB, each with a thread"))
        database.usesTLS =
            read.choice(
                "database.security", of: ["plain", "tls"], default: "plain", "TLS of MariaDB over host and port")
            == "tls"
        database.tlsCAFile = read.optionalString(
            "database.ca_file", "A PEM file of the roots to trust with it; the system's without one")
        self.database = database
    }

    /// Paths are put behind it, and clients compare it character by character (RFC 8414 §3.3).
    private static func issuer(_ read: SettingsReader) -> String {
        let url = read.string(
            "issuer", default: "http://127.0.0.1:8080", "Public base URL of the platform; the issuer of its tokens")
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), !url.hasSuffix("/"),
            !url.contains(where: { "?# ".contains($0) })
        else { return read.refuse("issuer", "must be an http or https URL without a slash at its end", url) }
        return url
    }

    /// The same for a service that others wait for: a store that hangs is taken for away sooner, so that they, who have
    /// three seconds themselves, hear of it.
    public var impatient: Self {
        var settings = self
        settings.database.timeout = .seconds(2)
        settings.redis.commandTimeout = .seconds(1)
        return settings
    }

    private static func redis(_ read: SettingsReader) -> Redis.Configuration {
        let url = read.secret(
            "redis.url", default: "redis://127.0.0.1:6379",
            "Redis, as redis:// or rediss:// URL, or redis+sentinel://:password@host:port,host:port/master/0")
        let authority = read.optionalString(
            "redis.ca_file", "A PEM file of the roots to trust with rediss; the system's without one")
        do {
            var configuration = try Redis.Configuration(url: url)
            configuration.tlsCAFile = authority
            return configuration
        } catch {
            return read.refuse("redis.url", "is no URL of Redis: \(error)", Redis.Configuration(host: "127.0.0.1"))
        }
    }
}
