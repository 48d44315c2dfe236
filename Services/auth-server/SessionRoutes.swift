import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Where somebody is logged in, and ending it.
struct SessionRoutes: Sendable {
    let platform: Platform
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/auth/sessions", use: list)
        routes.delete("/api/v1/auth/sessions", use: endAll)
        routes.delete("/api/v1/auth/sessions/{id}", use: end)
    }

    /// The caller's own sessions, or, for who administers it, those of a user or mailbox.
    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try await platform.database.sessions.list(
            try await whose(request, context), PageRequest(request))
        return try .json(page)
    }

    @Sendable private func end(_ request: Request, _ context: CallerContext) async throws -> Response {
        let whose = try await whose(request, context)
        let family = try context.pathParameter("id")
        guard try await platform.database.sessions.isLive(family, of: whose) else {
            throw Failure.notFound("This session")
        }
        try await revoker.end(family: family)
        await record("session.ended", family, context)
        return .noContent
    }

    /// Logout everywhere.
    @Sendable private func endAll(_ request: Request, _ context: CallerContext) async throws -> Response {
        switch try await whose(request, context) {
        case .mailbox(let email, let subject):
            try await revoker.revoke(.account, email)
            await record("session.all_ended", subject, context)
        case .subject(let subject):
            // A mailbox that logged in by itself is revoked by its address, as its mail tokens are.
            if case .person(let person) = context.caller, person.subject == subject, subject.hasPrefix("account:") {
                try await revoker.revoke(.account, person.email)
            } else {
                try await revoker.revoke(.user, subject)
            }
            await record("session.all_ended", subject, context)
        }
        return .noContent
    }

    private func whose(_ request: Request, _ context: CallerContext) async throws -> SessionStore.Whose {
        let query = try request.query()
        switch (query["email"], try query.int("user_id")) {
        case (nil, nil): return .subject(try context.person().subject)
        case (let text?, nil):
            let email = try EmailAddress(text).description
            try context.caller.require("auth:sessions")
            guard let account = try await platform.database.accounts.find(email: email, scope: context.caller.scope)
            else { throw Failure.notFound("This mailbox") }
            return .mailbox(email, subject: "account:\(account.id)")
        case (nil, let id?):
            try context.caller.requireAdmin("auth:sessions")
            return .subject(
                "user:\(try await platform.database.users.find(Int64(id), scope: context.caller.scope).id)")
        default: throw Failure(.invalid, code: "invalid", "Name at most one of email and user_id.")
        }
    }

    private func record(_ action: String, _ target: String, _ context: CallerContext) async {
        await platform.audit.record(
            .init(
                actor: context.caller.actor, customerID: context.caller.customerID, action: action, target: target,
                ip: context.clientAddress, requestID: context.requestID))
    }
}
