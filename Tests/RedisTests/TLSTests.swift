import Redis
import TestSupport
import Testing

@Suite struct TLSTests {
    @Test func theCertificateIsVerified() async throws {
        let (server, url) = try await PrivateServer.redisWithTLS()
        var configuration = try Redis.Configuration(url: url)
        configuration.tlsCAFile = server.authority
        let redis = RedisClient(configuration)
        #expect(try await redis.command("ECHO", "over TLS").string == "over TLS")
        await redis.close()
        // Of an authority nobody knows; for another name.
        for (authority, host) in [(nil, "localhost"), (server.authority, "127.0.0.1")] {
            configuration.tlsCAFile = authority
            configuration.host = host
            let other = RedisClient(configuration)
            let error = await #expect(throws: RedisError.self) { try await other.ping() }
            #expect(error?.isUnavailable == true)
            await other.close()
        }
    }
}
