import Credentials
import ManageSieve
import MailModel

/// The scripts of mailboxes, kept by Dovecot, which is logged in to with a mail token as any client would.
struct SieveScripts: Sendable {
    private let server: ManageSieve
    private let tokens: MailTokenSource?

    /// - Throws: When the certificates to trust cannot be read.
    init(_ settings: AdminSettings) throws {
        server = ManageSieve(
            host: settings.sieveHost, port: settings.sievePort,
            tls: settings.sieveUsesTLS ? try SieveTLS(certificateAuthorityFile: settings.certificateAuthorityFile) : nil
        )
        tokens = settings.serviceToken.map { MailTokenSource(authURL: settings.authURL, serviceToken: $0) }
    }

    /// - Throws: `Failure`: `conflict` `no_active_mailbox` while it is suspended, `unavailable`, `timeout`, `upstream`.
    func rules(of email: String) async throws -> SieveRules {
        try await inSession(email) { session in
            try await session.get(SieveScript.name).flatMap(SieveScript.init(parsing:))?.rules ?? SieveRules()
        }
    }

    /// Changes the rules, and has them run; a script of the person's own that ran before runs after them from now on.
    /// - Throws: as `rules`.
    func change(
        _ email: String, _ change: @Sendable (inout SieveRules) -> Void
    ) async throws -> (before: SieveRules, after: SieveRules) {
        try await inSession(email) { session in
            let active = try await session.list().active
            let kept = try await session.get(SieveScript.name).flatMap(SieveScript.init(parsing:))
            let before = kept?.rules ?? SieveRules()
            var rules = before
            change(&rules)
            let personal = active.flatMap { $0 == SieveScript.name ? kept?.personal : $0 }
            try await session.put(SieveScript.name, SieveScript(rules, personal: personal).text)
            if active != SieveScript.name { try await session.activate(SieveScript.name) }
            return (before: before, after: rules)
        }
    }

    private func inSession<Value: Sendable>(
        _ email: String, _ body: (inout SieveSession) async throws -> Value
    ) async throws -> Value {
        guard let tokens else {
            throw Failure(
                .unavailable, code: "not_configured", "This platform keeps no Sieve scripts: service.token is not set.")
        }
        // A token that was revoked meanwhile is got anew, once.
        do { return try await attempt(email, tokens, body) } catch ManageSieveError.refused {
            await tokens.invalidate(email)
        } catch let error as ManageSieveError { throw Self.failure(error) }
        do { return try await attempt(email, tokens, body) } catch let error as ManageSieveError {
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: ManageSieveError) -> Failure {
        switch error {
        case .away, .ended: .unavailable("Dovecot")
        case .late: .timeout("Dovecot")
        case .refused: Failure(.upstream, code: "sieve_refused", "The mail server did not take the rules.")
        case .malformed:
            Failure(.upstream, code: "sieve_malformed", "The mail server's answer is not understood.")
        }
    }

    private func attempt<Value: Sendable>(
        _ email: String, _ tokens: MailTokenSource, _ body: (inout SieveSession) async throws -> Value
    ) async throws -> Value {
        try await server.withSession(user: email, token: tokens.token(for: email), body)
    }
}
