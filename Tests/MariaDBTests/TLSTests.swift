import MariaDB
import TestSupport
import Testing

@Suite struct TLSTests {
    private func configuration(_ server: PrivateServer, port: Int) -> MariaDB.Configuration {
        var configuration = MariaDB.Configuration(
            host: "localhost", port: port, user: "remote", password: "", database: "test", connections: 1)
        configuration.usesTLS = true
        configuration.tlsCAFile = server.authority
        return configuration
    }

    @Test func theConnectionIsEncryptedAndKept() async throws {
        let (server, port) = try await PrivateServer.mariadbWithTLS()
        let database = MariaDB(configuration(server, port: port))
        let cipher = try await database.query(
            "SELECT VARIABLE_VALUE AS cipher FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'")
        #expect(try cipher.first?.string("cipher").isEmpty == false)
        let before = try await database.query("SELECT CONNECTION_ID() AS id").first?.int64("id")
        try await Task.sleep(for: .milliseconds(200))
        #expect(try await database.query("SELECT CONNECTION_ID() AS id").first?.int64("id") == before)
        await database.close()
    }

    @Test func theCertificateIsVerified() async throws {
        let (server, port) = try await PrivateServer.mariadbWithTLS()
        let good = configuration(server, port: port)
        var unknownAuthority = good, otherName = good, noTLS = good
        unknownAuthority.tlsCAFile = nil
        otherName.host = "127.0.0.1"
        noTLS.usesTLS = false
        for configuration in [unknownAuthority, otherName, noTLS] {
            let database = MariaDB(configuration)
            await #expect(throws: MariaDBError.self) { try await database.ping() }
            await database.close()
        }
        let database = MariaDB(good)
        try await database.ping()
        await database.close()
    }
}
