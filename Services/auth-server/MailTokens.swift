import HTTPService
import MailModel
import Platform
import Storage

/// Who gets a token for which mailbox: the rule behind `mail-token` and all of OAuth.
struct MailTokens: Sendable {
    let platform: Platform
    let issuer: TokenIssuer
    let rates: RateBound

    /// Mail tokens that one person may make in an hour: each can be revoked, which every service must remember.
    private static let hourlyLimit = 1000

    /// A token for IMAP and SMTP.
    struct Issued: Sendable {
        let token: String
        let email: String
        let scope: MailScope
        /// Seconds.
        let expiresIn: Int64
    }

    /// A token for a mailbox that the caller may use: the one named, or the first active one of a person.
    ///
    /// - Throws: `Failure`: `forbidden` for a mailbox that is not the caller's, `conflict` `no_active_mailbox` when there
    ///   is none, `invalid` when a service token names none, `tooManyRequests`.
    func issue(for caller: Caller, email wanted: String?, scope: MailScope = .all) async throws -> Issued {
        let issuedAt = Timestamp.now()
        switch caller {
        case .platform(let service):
            try caller.requirePlatform("auth:mail-token")
            guard let wanted else {
                throw Failure.invalid("email", code: "required", "a service token must name the mailbox")
            }
            let email = try EmailAddress(wanted).description
            guard service.reaches(email) else {
                throw Failure.forbidden("The service token does not reach this mailbox.")
            }
            guard try await isActive(email) else { throw Self.noActiveMailbox }
            return try await issue(
                email, subject: "service:\(service.tokenID)", family: "", scope: scope, issuedAt: issuedAt)
        case .person(let person):
            try await bound(person.subject)
            let email = try await mailbox(of: person, wanted: wanted)
            return try await issue(
                email, subject: person.subject, family: person.family, scope: scope, issuedAt: issuedAt)
        }
    }

    /// A token of an OAuth session, for the mailbox it was opened for.
    ///
    /// - Returns: nil when the person may not use that mailbox any more, or it is not active.
    /// - Throws: `Failure`: `tooManyRequests`.
    func issue(
        for principal: Principal, mailbox email: String, family: String, scope: MailScope, clientID: String,
        issuedAt: Int64
    ) async throws -> Issued? {
        guard principal.isActive, try await mayUse(principal, email) else { return nil }
        try await bound(principal.subject)
        return try await issue(
            email, subject: principal.subject, family: family, scope: scope, clientID: clientID, issuedAt: issuedAt)
    }

    /// The mailboxes a person can let a program into: its own ones that are active.
    func mailboxes(of principal: Principal) async throws -> [String] {
        var active: [String] = []
        for email in principal.accounts where try await isActive(email) { active.append(email) }
        return active
    }

    /// Whether the mailbox is active and one of the person's own, or of the customer whose admin it is.
    func mayUse(_ principal: Principal, _ email: String) async throws -> Bool {
        guard let mailbox = try await platform.database.accounts.login(email: email), mailbox.isActive else {
            return false
        }
        return principal.accounts.contains(email)
            || principal.role == .admin && principal.customerID == mailbox.customerID
    }

    private func bound(_ subject: String) async throws {
        guard await rates.admits("mail_token.\(subject)", upTo: Self.hourlyLimit, within: .seconds(3600)) else {
            throw Failure(
                .tooManyRequests, code: "too_many_mail_tokens",
                "Too many mail tokens were made; use one for its hour.",
                retryAfter: .seconds(600))
        }
    }

    private func issue(
        _ email: String, subject: String, family: String, scope: MailScope, clientID: String? = nil, issuedAt: Int64
    ) async throws -> Issued {
        let token = try await issuer.mail(
            email, subject: subject, family: family, scope: scope, clientID: clientID, issuedAt: issuedAt)
        return Issued(
            token: token, email: email, scope: scope, expiresIn: issuer.mailLifetime.components.seconds)
    }

    private func mailbox(of person: Caller.Person, wanted: String?) async throws -> String {
        if let wanted {
            let email = try EmailAddress(wanted).description
            let scope = Caller.person(person).scope
            guard try await platform.database.accounts.find(email: email, scope: scope) != nil else {
                throw Failure.forbidden("This mailbox is not yours to open.")
            }
            guard try await isActive(email) else { throw Self.noActiveMailbox }
            return email
        }
        for email in person.accounts where try await isActive(email) { return email }
        throw Self.noActiveMailbox
    }

    private func isActive(_ email: String) async throws -> Bool {
        try await platform.database.accounts.login(email: email)?.isActive ?? false
    }

    private static let noActiveMailbox = Failure.conflict(
        "no_active_mailbox", "There is no active mailbox to make a token for.")
}
