import ArgumentParser
import HTTPService
import Credentials
import Logging
import MailModel
import Platform
import Storage

/// A new signing key at once: after an incident, or before the old one is too old.
struct RotateKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-keys",
        abstract: "Sign with a new key from now on; the old one verifies until its last token is dead.")

    func run() async throws {
        let settings = await AuthServer.commandSettings()
        let database = Database(settings.platform.database)
        try await database.migrate()
        let ring = KeyRing(
            database: database, box: try SecretBox(file: settings.masterKeyFile), settings: settings,
            logger: Logger(label: "rotate-keys"))
        // Proves that the master key is the right one before anything is sealed with it.
        _ = try await ring.load()
        let kid = try await ring.rotate(ifOlderThan: .max, by: "command")
        await database.close()
        print(kid ?? "")
    }
}
