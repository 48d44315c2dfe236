import ArgumentParser
import HTTPService
import Credentials
import MailModel
import Platform
import Storage

/// The way to the first service token: whoever can start this can read the database anyway.
struct CreateToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-token", abstract: "Make a service token and print it, once.")

    @Option(help: "What it is for, as lists and the audit log show it.") var name: String
    @Option(help: "What it may do (mail:read, auth:introspect, …); * is everything. May be repeated.")
    var scope: [String] = ["*"]
    @Option(help: "A domain that it is limited to. May be repeated.") var domain: [String] = []
    @Option(help: "A mailbox that it is limited to. May be repeated.") var address: [String] = []
    @Option(help: "Days until it ends; without it, it does not.") var days: Int?
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if let days, !(1...3650).contains(days) { throw ValidationError("--days must be 1 to 3650") }
    }

    func run() async throws {
        let grant = try ServiceTokenGrant(
            scopes: scope, domains: domain.isEmpty ? nil : domain, addresses: address.isEmpty ? nil : address)
        let settings = await AuthServer.commandSettings()
        let database = Database(settings.platform.database)
        try await database.migrate()
        let token = OpaqueToken(new: .service)
        let made = try await database.serviceTokens.create(
            name: try DisplayName(name).text, hash: token.hash, scopes: grant.scopes, limits: grant.limits,
            expiresAt: days.map { Timestamp.now() + Int64($0) * 86_400_000 })
        await database.close()
        if json {
            try CommandOutput(isJSON: true).table(
                ["id", "name", "scopes", "domains", "addresses", "token", "expires_at"],
                [
                    [
                        "\(made.id)", made.name, made.scopes.joined(separator: " "),
                        made.domains?.joined(separator: " "), made.addresses?.joined(separator: " "), token.text,
                        made.expiresAt,
                    ]
                ])
        } else {
            print(token.text)
        }
    }
}
