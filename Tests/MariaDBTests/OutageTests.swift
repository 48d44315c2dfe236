import MariaDB
import Testing
import TestSupport

/// What happens when the server dies, hangs or is slow; on a server of the test's own.
@Suite(.serialized) struct OutageTests {
    private let clock = ContinuousClock()

    private func pool(_ server: PrivateServer, connections: Int = 2, waiting: Int = 2048) -> MariaDB {
        var configuration = MariaDB.Configuration(
            socket: "\(server.folder)/socket", user: "root", password: "", database: "test", connections: connections)
        configuration.connectTimeout = .seconds(1)
        configuration.queryTimeout = .seconds(1)
        configuration.maximumWaiting = waiting
        return MariaDB(configuration)
    }

    /// How long a call takes to fail; the least of five, since other tests run as well.
    private func refusal(by database: MariaDB) async -> Duration {
        var least = Duration.seconds(60)
        for _ in 0..<5 {
            let took = await clock.measure { await #expect(throws: MariaDBError.self) { try await database.ping() } }
            least = min(least, took)
        }
        return least
    }

    /// How long until a call succeeds.
    private func recovery(of database: MariaDB) async throws -> Duration {
        let start = clock.now
        while clock.now - start < .seconds(10) {
            if (try? await database.ping()) != nil { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        return clock.now - start
    }

    @Test func aServerThatDiesIsMissedAtOnceAndFoundAgain() async throws {
        let server = try await PrivateServer.mariadb()
        let database = pool(server)
        try await database.ping()
        server.kill()
        let error = await #expect(throws: MariaDBError.self) { try await database.ping() }
        #expect(error?.isUnavailable == true)
        #expect(await refusal(by: database) < .milliseconds(250))
        try await server.start()
        #expect(try await recovery(of: database) < .seconds(2))
        // Connections that a restart broke while they were idle are noticed before they are used.
        server.kill()
        try await server.start()
        try await database.ping()
        await database.close()
    }

    @Test func aServerThatHangsIsBounded() async throws {
        let server = try await PrivateServer.mariadb()
        let database = pool(server)
        try await database.ping()
        server.freeze()
        let hung = await clock.measure {
            await withTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask { await #expect(throws: MariaDBError.self) { try await database.ping() } }
                }
            }
        }
        #expect(hung < .seconds(4))
        #expect(await refusal(by: database) < .milliseconds(250))
        server.thaw()
        #expect(try await recovery(of: database) < .seconds(2))
        await database.close()
    }

    @Test func aSlowStatementIsEndedAndCostsNoConnection() async throws {
        let server = try await PrivateServer.mariadb()
        let database = pool(server, connections: 1)
        let before = try await database.query("SELECT CONNECTION_ID() AS id").first?.int64("id")
        let took = await clock.measure {
            await #expect(throws: MariaDBError.timedOut) {
                try await database.query(
                    "SELECT COUNT(*) AS n FROM seq_1_to_1000000 a, seq_1_to_1000000 b WHERE a.seq <> b.seq")
            }
        }
        #expect(took < .seconds(1.5))
        #expect(try await database.query("SELECT CONNECTION_ID() AS id").first?.int64("id") == before)
        // The queue is bounded.
        let full = pool(server, connections: 1, waiting: 3)
        let refused = await withTaskGroup(of: Bool.self) { tasks in
            for _ in 0..<10 {
                tasks.addTask {
                    do { _ = try await full.query("SELECT SLEEP(0.05)") } catch {
                        return error as? MariaDBError == .overloaded
                    }
                    return false
                }
            }
            return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused == 6)
        await full.close()
        await database.close()
    }
}
