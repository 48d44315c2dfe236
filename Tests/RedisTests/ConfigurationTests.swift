import Redis
import Testing

@Suite struct ConfigurationTests {
    @Test func urlsAreRead() throws {
        let full = try Redis.Configuration(url: "rediss://us%40er:p%3Aw%2F@redis.example:6380/3")
        #expect(full.usesTLS)
        #expect(full.user == "us@er")
        #expect(full.password == "p:w/")
        #expect(full.host == "redis.example")
        #expect(full.port == 6380)
        #expect(full.database == 3)
        let short = try Redis.Configuration(url: "redis://[::1]")
        #expect(short.host == "::1")
        #expect(short.port == 6379)
        #expect(short.password == nil)
        #expect(try Redis.Configuration(url: "redis://:pw@h:1").user == nil)
    }

    @Test func sentinelsAreRead() throws {
        let url = "rediss+sentinel://us:pw@a.example:1,[::1]/my%2Fmaster/2?sentinel_password=s%26"
        let configuration = try Redis.Configuration(url: url)
        #expect(configuration.usesTLS)
        #expect(configuration.password == "pw")
        #expect(configuration.database == 2)
        #expect(
            configuration.sentinel
                == Redis.Sentinel(
                    addresses: [.init(host: "a.example", port: 1), .init(host: "::1", port: 26_379)],
                    master: "my/master", password: "s&"))
    }

    @Test(arguments: [
        "rediss://h/0?tls=true", "redis+sentinel://a/m/0?tls=true", "redis+sentinel://a/m?x",
        "redis://h?sentinel_password=p",
    ])
    func otherParametersAreRefused(url: String) {
        #expect(throws: RedisError.self) { try Redis.Configuration(url: url) }
    }

    @Test(arguments: ["redis+sentinel://a,b", "redis+sentinel://a,/m", "redis://a,b/0", "redis+sentinel://a/m/0/1"])
    func otherSentinelsAreRefused(url: String) {
        #expect(throws: RedisError.self) { try Redis.Configuration(url: url) }
    }

    @Test(arguments: ["", "redis.example", "http://h", "redis://", "redis://h:x", "redis://h:99999", "redis://h/x"])
    func otherTextIsRefused(url: String) {
        #expect(throws: RedisError.self) { try Redis.Configuration(url: url) }
    }
}
