import Redis
import TestSupport
import Testing

@Suite struct ClientTests {
    private func client() throws -> RedisClient {
        RedisClient(try Redis.Configuration(url: try TestStack.load().redisURL))
    }

    private func key() -> String { "zz:test:\(UInt64.random(in: 0 ... .max))" }

    @Test func everyKindOfAnswer() async throws {
        let redis = try client()
        let key = key()
        let bytes: [UInt8] = [0, 13, 10, 36, 42, 255]
        #expect(try await redis.command("SET", key, bytes, "PX", 60_000) == .status("OK"))
        #expect(try await redis.command("GET", key) == .bulk(bytes))
        #expect(try await redis.command("DEL", key, "\(key):other") == .integer(1))
        #expect(try await redis.command("GET", key) == .null)
        #expect(
            try await redis.command("EVAL", "return {1, {'a', false}, ''}", 0)
                == .array([.integer(1), .array([.bulk([97]), .null]), .bulk([])]))
        let error = await #expect(throws: RedisError.self) { try await redis.command("NOSUCH") }
        #expect(error?.isUnavailable == false)
        await redis.close()
        await #expect(throws: RedisError.closed) { try await redis.ping() }
    }

    @Test func argumentsCannotBecomeCommands() async throws {
        let redis = try client()
        let key = key()
        let hostile = "x\r\n*1\r\n$8\r\nFLUSHALL\r\n"
        try await redis.command("SET", key, hostile, "PX", 60_000)
        #expect(try await redis.command("GET", key).string == hostile)
        await redis.close()
    }

    @Test func manyAtOnceGetTheirOwnAnswers() async throws {
        let redis = try client()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<2000 {
                tasks.addTask {
                    let answer = try await redis.command("ECHO", number)
                    #expect(answer.string == "\(number)")
                }
            }
            try await tasks.waitForAll()
        }
        let large = [UInt8](repeating: 65, count: 4_000_000)
        #expect(try await redis.command("ECHO", large).bytes == large)
        #expect(try await redis.pipeline([["ECHO", "a"], ["ECHO", "b"]]).map(\.string) == ["a", "b"])
        await redis.close()
    }

    @Test func tooManyAreRefused() async throws {
        var configuration = try Redis.Configuration(url: try TestStack.load().redisURL)
        configuration.maximumPending = 10
        let redis = RedisClient(configuration)
        try await redis.ping()
        let refused = await withTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<200 {
                tasks.addTask {
                    do { try await redis.command("EVAL", "for i = 1, 200000 do end", 0) } catch {
                        return error as? RedisError == .overloaded
                    }
                    return false
                }
            }
            return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused > 0)
        #expect(refused < 200)
        try await redis.ping()
        await redis.close()
    }
}
