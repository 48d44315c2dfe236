import ArgumentParser
import HTTPService
import MailModel
import Platform
import Storage

/// Where somebody is logged in.
struct Sessions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "List the live sessions of a mailbox or a user.")

    @Option(help: "A mailbox.") var email: String?
    @Option(help: "A user, by id.") var user: Int64?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (email == nil) != (user == nil) else { throw ValidationError("Name one of --email and --user.") }
    }

    func run() async throws {
        let database = Database(await AuthServer.commandSettings().platform.database)
        let whose: SessionStore.Whose
        if let email {
            let address = try EmailAddress(email).description
            guard let account = try await database.accounts.find(email: address, scope: .everything) else {
                throw Failure.notFound("This mailbox")
            }
            whose = .mailbox(address, subject: "account:\(account.id)")
        } else {
            whose = .subject("user:\(try await database.users.find(user ?? 0, scope: .everything).id)")
        }
        let sessions = try await database.sessions.list(whose, PageRequest(page: 1, perPage: 200)).items
        await database.close()
        try CommandOutput(isJSON: json).table(
            ["id", "subject", "client", "mailbox", "ip", "user_agent", "created_at", "last_used_at"],
            sessions.map {
                [$0.id, $0.subject, $0.client, $0.mailbox, $0.ip, $0.userAgent, $0.createdAt, $0.lastUsedAt]
            })
    }
}
