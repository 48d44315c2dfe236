import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import NIOConcurrencyHelpers
import Storage

/// The mailbox that a call is about, which its caller may use.
struct Mailbox: Sendable {
    /// Lower case.
    let address: String
    /// Where the call came from, for the mail server's own bookkeeping.
    let clientAddress: String?
}

/// Says which mailbox a call is about: the caller's own, or the one that `X-Mail-Account` names.
final class MailboxAccess: Sendable {
    /// For how long a mailbox found in an admin's customer is not looked up again.
    private static let freshness = Duration.seconds(30)
    private static let capacity = 10_000

    private struct Key: Hashable {
        let customerID: Int64
        let address: String
    }

    private let accounts: AccountStore
    private let found = NIOLockedValueBox<[Key: ContinuousClock.Instant]>([:])

    init(accounts: AccountStore) { self.accounts = accounts }

    /// - Parameter scope: What a service token must be allowed to: `mail:read` or `mail:write`.
    /// - Throws: `Failure` `notFound` for a mailbox of another customer as for none, `forbidden` for a service token
    ///   without the scope, `invalid` when it names no mailbox, `conflict` `no_active_mailbox` for a person without one.
    func mailbox(_ request: Request, _ context: CallerContext, scope: String) async throws -> Mailbox {
        try context.caller.require(scope)
        let named = request.headers[.mailAccount]?.lowercased()
        let address = try await address(of: context.caller, named: named)
        return Mailbox(
            address: address, clientAddress: context.clientAddress == "unknown" ? nil : context.clientAddress)
    }

    private func address(of caller: Caller, named: String?) async throws -> String {
        switch caller {
        case .platform(let platform):
            guard let named else {
                throw Failure.invalid("X-Mail-Account", code: "required", "a service token must name the mailbox")
            }
            // auth-server gives no mail token for what is no mailbox.
            let address = try Self.address(named)
            guard platform.reaches(address) else { throw Failure.notFound("This mailbox") }
            return address
        case .person(let person):
            guard let named else {
                guard let own = person.accounts.first else {
                    throw Failure.conflict("no_active_mailbox", "You have no mailbox; name one with X-Mail-Account.")
                }
                return own
            }
            if person.accounts.contains(named) { return named }
            guard person.role == .admin else { throw Failure.notFound("This mailbox") }
            try await look(up: try Self.address(named), customerID: person.customerID)
            return named
        }
    }

    private static func address(_ text: String) throws -> String {
        do { return try EmailAddress(text).description } catch { throw Failure.notFound("This mailbox") }
    }

    private func look(up address: String, customerID: Int64) async throws {
        let key = Key(customerID: customerID, address: address)
        if let until = found.withLockedValue({ $0[key] }), until > .now { return }
        guard try await accounts.find(email: address, scope: .customer(customerID)) != nil else {
            throw Failure.notFound("This mailbox")
        }
        found.withLockedValue { found in
            if found.count >= Self.capacity { found.removeAll() }
            found[key] = .now + Self.freshness
        }
    }
}

extension RouterMethods where Context == ServiceContext {
    /// Routes about the mailbox of their caller, or the one that is named.
    func mailboxes(_ authenticator: Authenticator) -> RouterGroup<CallerContext> {
        authenticated(authenticator).add(middleware: MailboxAnswers())
    }
}

/// Tells caches what an answer depends on beside its URL: a browser may have several mailboxes open.
private struct MailboxAnswers: RouterMiddleware {
    typealias Context = CallerContext

    func handle(
        _ request: Request, context: CallerContext, next: (Request, CallerContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        response.headers[.vary] = "Authorization, X-Service-Token, X-Mail-Account"
        return response
    }
}

extension HTTPField.Name {
    /// The mailbox a call is about, by address.
    static let mailAccount = Self("X-Mail-Account")!
}
