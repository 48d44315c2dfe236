import Foundation
import TestSupport

/// The running stack, as a hoster sees it: one gateway, one service token, and the mail ports.
struct Platform: Sendable {
    let stack: TestStack

    /// The stack named by `XYNAP_ENDPOINTS`; a missing one is a failure.
    init() throws { stack = try TestStack.load() }

    init(stack: TestStack) { self.stack = stack }

    /// Nobody, at the gateway.
    var stranger: Client { Client(base: stack.gatewayURL) }
    /// The hoster, at the gateway.
    var hoster: Client { stranger.with(.serviceToken(stack.serviceToken)) }
    /// What Dovecot does: introspection, at the auth-server itself.
    var dovecot: Client { Client(base: stack.authURL, credentials: .basic(stack.introspectCredentials)) }

    /// A new customer with one domain.
    func newTenant() async throws -> Tenant {
        let customer = try await hoster.post("/api/v1/customers", ["name": .string(unique("Customer"))]).json(201)
        guard let id = customer["id"].int else { throw Surprise("a customer without an id: \(customer)") }
        let domain = try await newDomain(unique("shop") + ".test", customer: id)
        return Tenant(platform: self, customerID: id, domainID: domain.id, domain: domain.name)
    }

    /// A customer that many tests share: for those to whom it does not matter whose mailbox it is. (Making a domain
    /// means making an RSA key.)
    func commonTenant() async throws -> Tenant { try await CommonTenant.shared.tenant(of: self) }

    func newDomain(_ name: String, customer: Int) async throws -> (id: Int, name: String) {
        let answer = try await hoster.post(
            "/api/v1/mail/domains", ["domain": .string(name), "customer_id": .int(customer)]
        ).json(201)
        guard let id = answer["id"].int, let domain = answer["domain"].string else {
            throw Surprise("a domain without id or name: \(answer)")
        }
        return (id, domain)
    }

    func introspect(_ token: String) async throws -> Reply {
        try await dovecot.postForm("/api/v1/auth/token/introspect", ["token": token])
    }

    /// `POST /api/v1/auth/login`
    func logIn(_ email: String, _ password: String) async throws -> Reply {
        try await stranger.post(
            "/api/v1/auth/login", ["email": .string(email), "password": .string(password)])
    }
}

private actor CommonTenant {
    static let shared = CommonTenant()
    private var making: Task<Tenant, any Error>?

    func tenant(of platform: Platform) async throws -> Tenant {
        if let making { return try await making.value }
        let task = Task { try await platform.newTenant() }
        making = task
        return try await task.value
    }
}

/// A name nobody has had before, so that tests neither disturb each other nor an earlier run.
func unique(_ prefix: String) -> String {
    prefix + "-" + UUID().uuidString.replacing("-", with: "").prefix(10).lowercased()
}
