import ArgumentParser
import HTTPService
import Credentials
import Logging
import MailModel
import Platform
import Storage

/// A new signing key: after an incident, or before the old one is too old.
struct RotateKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-keys",
        abstract: "Make a new signing key; the old one verifies until its last token is dead.",
        discussion: """
            The new key is published at once and signs twelve minutes later, when everybody who verifies tokens has heard \
            of it. With --now it signs within seconds, and verifiers that keep the key set refuse its tokens until they \
            ask for it again.
            """)

    @Flag(help: "Let it sign at once, unknown as it is.") var now = false

    func run() async throws {
        let settings = await AuthServer.commandSettings()
        let database = Database(settings.platform.database)
        try await database.migrate()
        let ring = KeyRing(
            database: database, box: try SecretBox(file: settings.masterKeyFile), settings: settings,
            logger: Logger(label: "rotate-keys"))
        // Proves that the master key is the right one before anything is sealed with it.
        _ = try await ring.load()
        let kid = try await ring.rotate(
            ifOlderThan: .max, publishedFor: now ? .zero : KeyRing.publication, by: "command")
        await database.close()
        print(kid ?? "")
    }
}
