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

    @Test(arguments: ["", "redis.example", "http://h", "redis://", "redis://h:x", "redis://h:99999", "redis://h/x"])
    func otherTextIsRefused(url: String) {
        #expect(throws: RedisError.self) { try Redis.Configuration(url: url) }
    }
}
