import Credentials
import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import Platform
import Storage
import WebSockets

/// Finds out who wants to listen, and to what.
struct Audience: Sendable {
    /// Accounts of one stream.
    static let limit = 200

    let platform: Platform
    let tickets: Tickets

    /// - Throws: `Failure`: `unauthorized`, `malformed` (two credentials, or a bad query), `forbidden`, `invalid` when a
    ///   service token names no account, `notFound` for an account of somebody else, `unavailable` when it is not known
    ///   whether the credentials count.
    func subscriber(for request: Request) async throws -> Subscriber {
        let query = try request.query()
        let identity = try await identity(of: request, ticket: query["ticket"])
        let named = try query.all("account").map { try EmailAddress($0).description }
        var accounts: [String] = []
        for account in named.isEmpty ? try Self.own(identity) : named where !accounts.contains(account) {
            accounts.append(account)
        }
        guard accounts.count <= Self.limit else {
            throw Failure.invalid("account", code: "too_many", "at most \(Self.limit) accounts in one stream")
        }
        if !named.isEmpty { try await check(accounts, identity) }
        return Subscriber(identity: identity, accounts: accounts)
    }

    /// Who calls, with the claims of the token, whose end ends the stream.
    func identity(of request: Request, ticket: String? = nil) async throws -> Subscriber.Identity {
        let offered = request.webSocketProtocols
        let inProtocol = offered.first?.lowercased() == "bearer" && offered.count > 1 ? offered[1] : nil
        let hasHeader = request.headers[.authorization] != nil || request.headers[.serviceToken] != nil
        guard [ticket != nil, inProtocol != nil, hasHeader].filter({ $0 }).count <= 1 else {
            throw Failure(.malformed, code: "ambiguous_credentials", "Send one kind of credentials, not several.")
        }
        if let ticket { return try await alive(tickets.redeem(ticket)) }
        if let inProtocol { return try await alive(.person(platform.keys.verify(inProtocol, as: .access))) }
        switch try await platform.authenticator.caller(of: request) {
        case .platform(let caller): return .platform(caller)
        case .person:
            // The authenticator found it good; what it does not tell is when the token ends.
            let token = request.headers[.authorization]?.split(separator: " ").last.map(String.init) ?? ""
            return try await alive(.person(platform.keys.verify(token, as: .access)))
        }
    }

    private func alive(_ identity: Subscriber.Identity) async throws -> Subscriber.Identity {
        guard case .person(let token) = identity else { return identity }
        // A ticket, or a token among the protocols, has not passed the authenticator.
        try platform.revocations.requireLoaded()
        if isRevoked(token) || token.exp * 1000 <= Timestamp.now() {
            throw Failure(.unauthorized, code: "invalid_token", "The token is not valid, has expired or was revoked.")
        }
        return identity
    }

    func isRevoked(_ token: AccessToken) -> Bool { platform.revocations.isRevoked(token) }

    private static func own(_ identity: Subscriber.Identity) throws -> [String] {
        switch identity {
        case .person(let token):
            let accounts = token.accounts ?? []
            guard !accounts.isEmpty else {
                throw Failure.conflict("no_active_mailbox", "This user has no mailbox to listen to.")
            }
            return accounts.map { $0.lowercased() }
        case .platform:
            throw Failure.invalid("account", code: "required", "a service token must name the accounts")
        }
    }

    /// Members are checked by their token alone, so that their streams open while the database is away.
    private func check(_ accounts: [String], _ identity: Subscriber.Identity) async throws {
        let caller = try identity.caller
        try caller.require("mail:read")
        let own =
            if case .person(let person) = caller { Set(person.accounts.map { $0.lowercased() }) } else { Set<String>() }
        for account in accounts where !own.contains(account) {
            if case .accounts = caller.scope { throw Failure.notFound("This mailbox") }
            guard try await platform.database.accounts.find(email: account, scope: caller.scope) != nil else {
                throw Failure.notFound("This mailbox")
            }
        }
    }
}

extension Subscriber.Identity {
    /// - Throws: `Failure` `unauthorized` for a token without the claims of a person.
    var caller: Caller {
        get throws {
            switch self {
            case .platform(let platform): return .platform(platform)
            case .person(let token):
                guard let person = token.person else {
                    throw Failure(.unauthorized, code: "invalid_token", "The token speaks for no person.")
                }
                return .person(person)
            }
        }
    }
}

extension HTTPField.Name {
    // A valid field name, spelled out here.
    static let serviceToken = HTTPField.Name("x-service-token")!
}
