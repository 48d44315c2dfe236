import ArgumentParser
import HTTPService
import MailModel
import Platform
import Storage

/// For somebody who has lost the authenticator app and the recovery codes, when the API cannot be asked.
struct ResetTOTP: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-totp", abstract: "Turn the second factor of a mailbox or a user off.")

    @Option(help: "A mailbox that logs in by itself.") var email: String?
    @Option(help: "A user, by id.") var user: Int64?

    func validate() throws {
        guard (email == nil) != (user == nil) else { throw ValidationError("Name one of --email and --user.") }
    }

    func run() async throws {
        let database = Database(await AuthServer.commandSettings().platform.database)
        let principal: Principal
        if let email {
            guard let mailbox = try await database.accounts.login(email: try EmailAddress(email).description) else {
                throw Failure.notFound("This mailbox")
            }
            principal = Principal(mailbox)
        } else {
            principal = Principal(try await database.users.find(user ?? 0, scope: .everything))
        }
        guard
            try await database.secondFactors.reset(
                principal.subject, email: principal.email, customerID: principal.customerID, by: .command)
        else { throw Failure.notFound("The second factor") }
        await database.close()
        print("\(principal.email) logs in without a second factor")
    }
}
