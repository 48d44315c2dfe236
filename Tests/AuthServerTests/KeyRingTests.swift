import Credentials
import FoundationEssentials
import HTTPService
import Logging
import MailModel
import MariaDB
import Storage
import TestSupport
import Testing

@testable import AuthServer

/// The signing keys of several replicas over one database.
@Suite(.timeLimit(.minutes(1))) struct KeyRingTests {
    let database: Database
    /// The same database, for what time would do to it.
    let time: MariaDB
    let folder: String

    init() async throws {
        let server = try await KeyDatabase.shared.server()
        let name = "keys_\(UInt32.random(in: 0 ... .max))"
        let socket = server.folder + "/socket"
        let root = MariaDB(.init(socket: socket, user: "root", password: "", database: "test", connections: 1))
        try await root.execute("CREATE DATABASE \(unsafeRaw: name)")
        await root.close()
        database = Database(
            .init(
                socket: socket, host: "", port: 0, user: "root", password: "", database: name, connections: 8))
        time = MariaDB(.init(socket: socket, user: "root", password: "", database: name, connections: 1))
        folder = server.folder
        try await database.migrate()
    }

    private func box(_ name: String = "master.key") throws -> SecretBox {
        try SecretBox(file: "\(folder)/\(name)")
    }

    private func ring(_ box: SecretBox) async throws -> KeyRing {
        KeyRing(
            database: database, box: box, settings: AuthSettings(try await SettingsReader(environment: [:])),
            logger: Logger(label: "keys"))
    }

    private func keys(_ ring: KeyRing) -> SigningKeys {
        SigningKeys(issuer: "https://mail.test") { try await ring.load() }
    }

    private func token() -> AccessToken {
        .mailAccess(
            issuer: "https://mail.test", subject: "user:1", jti: "j", issuedAt: Timestamp.now(), family: "f",
            email: "a@example.com")
    }

    private func loadedByFour(_ box: SecretBox) async throws -> [[String]] {
        let rings = [try await ring(box), try await ring(box), try await ring(box), try await ring(box)]
        return try await withThrowingTaskGroup(of: [String].self) { group in
            for ring in rings { group.addTask { try await ring.load() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func replicasThatStartTogetherAgreeOnOneKey() async throws {
        let loaded = try await loadedByFour(box())
        #expect(Set(loaded).count == 1 && loaded[0].count == 1)
        #expect(try await database.signingKeys.all().count == 1)
    }

    @Test func aKeyThatIsTooOldIsReplacedOnce() async throws {
        let box = try box()
        let first = try await ring(box).load()
        try await time.execute("UPDATE signing_keys SET created_at = created_at - 91 * 86400000")
        for loaded in try await loadedByFour(box) { #expect(loaded.count == 2 && loaded.contains(first[0])) }
        #expect(try await database.signingKeys.all().count == 2)
    }

    @Test func afterARotationTheOldTokensLiveOutTheirTime() async throws {
        let ring = try await ring(box())
        let keys = keys(ring)
        #expect(await keys.keySet.refresh())
        let kid = try keys.kid()
        let old = try await keys.sign(token())
        let new = try #require(try await ring.rotate(ifOlderThan: .max, publishedFor: .zero))
        #expect(await keys.keySet.refresh())
        #expect(try keys.jwks().contains(new) && keys.jwks().contains(kid), "both are published")
        #expect(try await keys.keySet.verify(old, as: .mailAccess).jti == "j")
        try await ring.purge()
        #expect(await keys.keySet.refresh())
        #expect(try await keys.keySet.verify(old, as: .mailAccess).jti == "j", "not before its last token is dead")

        try await time.execute("UPDATE signing_keys SET retired_at = 1 WHERE kid = \(kid)")
        try await ring.purge()
        #expect(await keys.keySet.refresh())
        #expect(try !keys.jwks().contains(kid) && keys.jwks().contains(new))
        await #expect(throws: Failure.self) { try await keys.keySet.verify(old, as: .mailAccess) }
    }

    @Test func anotherMasterKeyOpensNothingAndWritesNothingOver() async throws {
        _ = try await ring(box()).load()
        let before = try await database.signingKeys.all()
        let stranger = try await ring(box("another.key"))
        await #expect(throws: SecretBox.Unopenable.self) { try await stranger.load() }
        try await time.execute("UPDATE signing_keys SET created_at = 1")
        await #expect(throws: SecretBox.Unopenable.self, "nor when it is too old") { try await stranger.load() }
        #expect(try await database.signingKeys.all().map(\.sealed) == before.map(\.sealed))
    }

    @Test func theSealedKeyIsNoKey() async throws {
        _ = try await ring(box()).load()
        let sealed = try #require(try await database.signingKeys.all().first).sealed
        #expect(!String(decoding: sealed, as: UTF8.self).contains("PRIVATE"))
    }
}

/// One server for all of these tests: making one takes seconds.
private actor KeyDatabase {
    static let shared = KeyDatabase()
    private var starting: Task<PrivateServer, any Error>?

    func server() async throws -> PrivateServer {
        if let starting { return try await starting.value }
        let task = Task { try await PrivateServer.mariadb() }
        starting = task
        return try await task.value
    }
}
