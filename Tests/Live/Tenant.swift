/// A customer of the hoster, with one domain.
struct Tenant: Sendable {
    let platform: Platform
    let customerID: Int
    let domainID: Int
    let domain: String

    /// A new mailbox, logged in.
    func newMailbox(_ localPart: String, displayName: String = "") async throws -> Mailbox {
        let password = unique("password")
        let account = try await platform.hoster.post(
            "/api/v1/mail/domains/\(domainID)/accounts",
            [
                "local_part": .string(localPart), "password": .string(password), "quota_mb": 64,
                "display_name": .string(displayName),
            ]
        ).json(201)
        guard let id = account["id"].int, let email = account["email"].string else {
            throw Surprise("a mailbox without id or address: \(account)")
        }
        let client = try await logIn(email, password)
        return Mailbox(platform: platform, id: id, email: email, password: password, client: client)
    }

    /// A new user of this customer, logged in.
    func newUser(
        _ role: String, accounts: [String] = []
    ) async throws -> (
        id: Int, client: Client, password: String
    ) {
        let email = "\(unique("person"))@people.test", password = unique("password")
        let user = try await platform.hoster.post(
            "/api/v1/users",
            [
                "customer_id": .int(customerID), "email": .string(email), "password": .string(password),
                "role": .string(role), "accounts": .array(accounts.map(JSON.string)),
            ]
        ).json(201)
        guard let id = user["id"].int else { throw Surprise("a user without an id: \(user)") }
        return (id, try await logIn(email, password), password)
    }

    private func logIn(_ email: String, _ password: String) async throws -> Client {
        let session = try await platform.logIn(email, password).json(200)
        guard let token = session["access_token"].string else { throw Surprise("a login without a token") }
        return platform.stranger.with(.bearer(token))
    }
}
