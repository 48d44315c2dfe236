public import HTTPService
public import Storage

/// What every service is told of the others: where MariaDB and Redis are, and who issues tokens.
public struct PlatformSettings: ServiceSettings {
    /// The `iss` of every token: the public base URL.
    public let issuer: String
    public let redisURL: String
    public let database: Database.Configuration

    public init(_ read: SettingsReader) {
        issuer = read.string(
            "issuer", default: "http://127.0.0.1:8080", "Public base URL of the platform; the issuer of its tokens")
        redisURL = read.secret("redis.url", default: "redis://127.0.0.1:6379", "Redis, as redis:// or rediss:// URL")
        database = Database.Configuration(
            socket: read.optionalString("database.socket", "Unix socket of MariaDB; without it host and port are used"),
            host: read.string("database.host", default: "127.0.0.1", "Host of MariaDB"),
            port: read.int("database.port", default: 3306, in: 1...65_535, "Port of MariaDB"),
            user: read.string("database.user", default: "xynap", "User of MariaDB"),
            password: read.secret("database.password", "Password of that user"),
            database: read.string("database.name", default: "xynap", "Name of the database"),
            connections: read.int(
                "database.connections", default: 4, in: 1...256, "Connections to MariaDB, each with a thread"))
    }
}
