import Foundation

/// Servers that show a certificate for `localhost`, by an authority of their own.
extension PrivateServer {
    /// The authority's certificate.
    public var authority: String { "\(folder)/ca.pem" }

    /// Redis that listens with TLS only, at `url`.
    public static func redisWithTLS() async throws -> (server: PrivateServer, url: String) {
        let folder = try makeFolder()
        try makeCertificate(in: folder)
        let port = try freePort()
        let server = PrivateServer(
            folder: folder,
            command: [
                "redis-server", "--bind", "127.0.0.1", "--port", "0", "--tls-port", "\(port)", "--tls-cert-file",
                "\(folder)/cert.pem", "--tls-key-file", "\(folder)/key.pem", "--tls-ca-cert-file", "\(folder)/ca.pem",
                "--tls-auth-clients", "no", "--save", "", "--appendonly", "no", "--dir", folder,
            ],
            isReady: { folder in
                let client = ["redis-cli", "-h", "localhost", "-p", "\(port)", "--tls", "--cacert", "\(folder)/ca.pem"]
                return (try? Self.run(client + ["ping"])) == 0
            })
        try await server.start()
        return (server, "rediss://localhost:\(port)/0")
    }

    /// MariaDB with an empty database `test` and a user `remote` without a password, who must come by TLS to `port` of
    /// `localhost`.
    public static func mariadbWithTLS() async throws -> (server: PrivateServer, port: Int) {
        let folder = try makeFolder()
        try makeCertificate(in: folder)
        let port = try freePort()
        let server = try await mariadb(
            folder: folder,
            listening: [
                "--bind-address=127.0.0.1", "--port=\(port)", "--ssl-cert=\(folder)/cert.pem",
                "--ssl-key=\(folder)/key.pem", "--ssl-ca=\(folder)/ca.pem",
            ],
            statements: "CREATE USER IF NOT EXISTS remote@'%' REQUIRE SSL; GRANT ALL ON test.* TO remote@'%'")
        return (server, port)
    }

    /// `ca.pem`, `cert.pem` and `key.pem`.
    private static func makeCertificate(in folder: String) throws {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        let name = "subjectAltName=DNS:localhost"
        let commands = [
            ["req", "-x509"] + key + [
                "-keyout", "\(folder)/ca-key.pem", "-out", "\(folder)/ca.pem", "-subj", "/CN=test CA",
            ],
            ["req", "-x509"] + key + [
                "-CA", "\(folder)/ca.pem", "-CAkey", "\(folder)/ca-key.pem", "-keyout", "\(folder)/key.pem", "-out",
                "\(folder)/cert.pem", "-subj", "/CN=localhost", "-addext", name, "-addext",
                "basicConstraints=critical,CA:FALSE",
            ],
        ]
        for command in commands where try run(["openssl"] + command) != 0 {
            throw NotStarted(description: "openssl \(command[0]) failed")
        }
        // The database server has a user of its own.
        chmod("\(folder)/key.pem", 0o644)
    }
}
