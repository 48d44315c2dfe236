import ArgumentParser
import EventBus
import HTTPService
import Logging
import MailModel
import Platform
import Storage

/// What `POST /api/v1/auth/revocations` does, when the API cannot be asked.
struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "End everything that was issued until now to a mailbox, a user or a session.")

    @Option(help: "A mailbox: every token that opens it, and its live sessions.") var email: String?
    @Option(help: "A user, by id.") var user: Int64?
    @Option(help: "A session, by its id.") var session: String?
    @Option(help: "One token, by its jti.") var jti: String?

    func validate() throws {
        guard [email, user.map(String.init), session, jti].compactMap(\.self).count == 1 else {
            throw ValidationError("Name exactly one of --email, --user, --session and --jti.")
        }
        if let jti, !(1...64).contains(jti.utf8.count) { throw ValidationError("--jti must be the jti of a token.") }
    }

    func run() async throws {
        let settings = await AuthServer.commandSettings()
        let platform = Platform(command: settings.platform, logger: Logger(label: "revoke"))
        let revoker = Revoker(platform: platform)
        let (kind, value) = try await target(platform.database)
        let revocation = try await revoker.revoke(kind, value).revocation
        try await platform.database.audit.record(
            .init(actor: "command", action: "token.revoked", target: "\(kind.rawValue) \(value)"))
        await platform.bus.close()
        await platform.database.close()
        print("revocation \(revocation.id): \(kind.rawValue) \(value)")
    }

    private func target(_ database: Database) async throws -> (Revocation.Kind, String) {
        if let email {
            let address = try EmailAddress(email).description
            guard try await database.accounts.find(email: address, scope: .everything) != nil else {
                throw Failure.notFound("This mailbox")
            }
            return (.account, address)
        }
        if let user {
            return (.user, "user:\(try await database.users.find(user, scope: .everything).id)")
        }
        if let session {
            guard try await database.sessions.owner(of: session) != nil else { throw Failure.notFound("This session") }
            return (.family, session)
        }
        return (.jti, jti ?? "")
    }
}
