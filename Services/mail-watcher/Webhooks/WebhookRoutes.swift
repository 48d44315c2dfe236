import Crypto
import FoundationEssentials
import HTTPService
import Hummingbird
import MailModel
import NIOCore
import Platform
import Storage

/// The webhooks of a caller: made, listed, tried, deleted; and the events that could not be told.
struct WebhookRoutes: Sendable {
    /// Mailboxes named by one webhook.
    private static let maximumAccounts = 200
    /// Longer than a call to a receiver may take.
    static let deadline = Duration.seconds(15)

    let webhooks: WebhookStore
    let sender: WebhookSender
    let feed: WebhookFeed
    /// Watches mailboxes from now on.
    let watch: @Sendable ([String]) async -> Void
    /// Whether URLs without TLS are taken.
    let allowsInsecure: Bool

    func add(to routes: some RouterMethods<CallerContext>, once: some RouterMethods<CallerContext>) {
        routes.get("/api/v1/mail/webhooks", use: list)
        once.post("/api/v1/mail/webhooks", use: create)
        routes.get("/api/v1/mail/webhooks/{id}", use: find)
        routes.delete("/api/v1/mail/webhooks/{id}", use: delete)
        routes.post("/api/v1/mail/webhooks/{id}/test", use: test)
        routes.get("/api/v1/mail/webhooks/{id}/dead-letters", use: deadLetters)
        routes.post("/api/v1/mail/webhooks/{id}/dead-letters/retry", use: retry)
        routes.post("/api/v1/mail/webhooks/{id}/dead-letters/{letter}/retry", use: retry)
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(try await webhooks.list(PageRequest(request), scope: context.caller.scope))
    }

    private struct NewWebhook: Decodable {
        let url: String
        let accounts: [String]?
        let events: [String]?
    }

    /// The webhook with its secret, which is shown this once.
    private struct Created: Encodable {
        let webhook: Webhook
        let secret: String

        private enum Keys: String, CodingKey { case secret }

        func encode(to encoder: any Encoder) throws {
            try webhook.encode(to: encoder)
            var container = encoder.container(keyedBy: Keys.self)
            try container.encode(secret, forKey: .secret)
        }
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        // What it is told is what one may read.
        try context.caller.require("mail:read")
        let asked = try await request.decode(NewWebhook.self)
        try await check(url: asked.url)
        let draft = Webhook.Draft(
            url: asked.url, accounts: try accounts(asked.accounts, of: context.caller),
            events: try Self.events(asked.events ?? []))
        let secret = WebhookSignature.newSecret()
        let webhook = try await webhooks.create(
            draft, secret: try sender.secrets.seal(secret), owner: context.caller.webhookOwner,
            scope: context.caller.scope)
        await feed.begin()
        await watch(webhook.accounts)
        return try .json(Created(webhook: webhook, secret: secret), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(try await webhooks.find(context.idParameter(), scope: context.caller.scope))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        try await webhooks.delete(context.idParameter(), scope: context.caller.scope)
        return .noContent
    }

    private struct Tried: Encodable {
        let delivered: Bool
        let status: Int?
        let error: String?
        let ms: Int

        private enum CodingKeys: String, CodingKey { case delivered, status, error, ms }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(delivered, forKey: .delivered)
            try container.encode(status, forKey: .status)
            try container.encode(error, forKey: .error)
            try container.encode(ms, forKey: .ms)
        }
    }

    /// Sends one call at once, without retries, and says what became of it.
    @Sendable private func test(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        let id = try context.idParameter(), scope = context.caller.scope
        let webhook = try await webhooks.find(id, scope: scope)
        let body =
            #"{"type":"webhook.test","id":"","account":"","at":"\#(Timestamp.rfc3339(milliseconds: Timestamp.now()))","data":{}}"#
        let began = ContinuousClock.now
        let outcome = await sender.send(
            Array(body.utf8), id: "test_\(id)_\(Timestamp.now())", to: webhook.url,
            secret: try await webhooks.secret(of: id, scope: scope))
        let time = began.duration(to: .now).components
        return try .json(
            Tried(
                delivered: outcome.isTaken, status: outcome.status, error: outcome.error,
                ms: Int(time.seconds * 1000 + time.attoseconds / 1_000_000_000_000_000)))
    }

    @Sendable private func deadLetters(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(
            try await webhooks.deadLetters(
                of: context.idParameter(), PageRequest(request), scope: context.caller.scope))
    }

    private struct Retried: Encodable { let retried: Int }

    @Sendable private func retry(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        let letter = context.parameters.get("letter") == nil ? nil : try context.idParameter("letter")
        let count = try await webhooks.retryDeadLetters(
            of: context.idParameter(), only: letter, scope: context.caller.scope)
        return try .json(Retried(retried: count))
    }

    // MARK: What is asked for

    /// - Throws: `Failure` `invalid`.
    private func check(url text: String) async throws {
        guard text.utf8.count <= 2000, let url = PublicURL(text) else {
            throw Failure.invalid(
                "url", code: "malformed", "must be an https URL of at most 2000 bytes, without a user")
        }
        guard url.isSecure || allowsInsecure else {
            throw Failure.invalid("url", code: "insecure", "must begin with https://")
        }
        // A name may lead elsewhere later; each call checks the address that it connects to.
        guard await sender.mayReach(url) else {
            throw Failure.invalid("url", code: "private_address", "must not lead into a private network")
        }
    }

    private func accounts(_ asked: [String]?, of caller: Caller) throws -> [String] {
        var accounts: [String] = []
        for (index, text) in (asked ?? []).enumerated() {
            let address = try EmailAddress(text, field: "accounts.\(index)").description
            if !accounts.contains(address) { accounts.append(address) }
        }
        guard accounts.count <= Self.maximumAccounts else {
            throw Failure.invalid("accounts", code: "too_many", "at most \(Self.maximumAccounts) mailboxes")
        }
        guard accounts.isEmpty else { return accounts }
        switch caller.scope {
        case .everything, .customer: return []
        case .accounts(let own):
            guard !own.isEmpty else { throw Failure.conflict("no_active_mailbox", "This user has no mailbox.") }
            return own.map { $0.lowercased() }
        case .limited:
            throw Failure.invalid("accounts", code: "required", "a limited service token must name the mailboxes")
        }
    }

    private static let types = [
        "mail.new_message", "mail.folder_update", "mail.flags_changed", "mail.message_gone", "mail.resync",
    ]

    private static func events(_ asked: [String]) throws -> [String] {
        for (index, type) in asked.enumerated() where !types.contains(type) {
            throw Failure.invalid(
                "events.\(index)", code: "unknown", "must be one of \(types.joined(separator: ", "))")
        }
        return types.filter(asked.contains)
    }
}

extension Caller {
    fileprivate var webhookOwner: Webhook.Owner {
        switch scope {
        case .everything: .platform
        case .customer(let id): .customer(id)
        case .accounts, .limited: .mailboxes
        }
    }
}
