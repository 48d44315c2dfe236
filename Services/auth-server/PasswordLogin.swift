import Credentials
import HTTPService
import MailModel
import Metrics
import Platform
import Storage

/// Finds out whether somebody is who they say: by the API's login and by the pages of OAuth2 alike.
struct PasswordLogin: Sendable {
    let platform: Platform
    let passwords: PasswordHash
    let secondFactor: SecondFactor
    let throttle: LoginThrottle

    /// Bytes; as many as a column for addresses has characters.
    private static let longestEmail = 320

    init(platform: Platform, passwords: PasswordHash, secondFactor: SecondFactor, throttle: LoginThrottle) {
        self.platform = platform
        self.passwords = passwords
        self.secondFactor = secondFactor
        self.throttle = throttle
        Counter.declare(
            "logins_total", by: "outcome",
            ["success", "wrong", "suspended", "totp_required", "totp", "throttled"])
    }

    /// What somebody shows, and where it comes from.
    struct Attempt: Sendable {
        let email: String
        let password: String
        /// A code of an authenticator app, or a recovery code.
        var totp: String?
        /// The address of the client.
        let source: String
        let requestID: String
    }

    /// Password and, where it is on, second factor.
    ///
    /// - Throws: As `checkPassword` and `checkSecondFactor`; `unauthorized` `totp_required` when only that is missing.
    func authenticate(_ attempt: Attempt) async throws -> Principal {
        let principal = try await checkPassword(attempt)
        if try await secondFactor.isOn(for: principal.subject) {
            guard let code = attempt.totp else {
                await lacksSecondFactor(principal, source: attempt.source, requestID: attempt.requestID)
                throw Failure(
                    .unauthorized, code: "totp_required", "Send the code of the authenticator app too, as totp.")
            }
            try await checkSecondFactor(code, of: principal, source: attempt.source, requestID: attempt.requestID)
        }
        return principal
    }

    /// - Throws: `Failure`: `tooManyRequests` after too many failures; `unauthorized` `invalid_credentials` for an unknown
    ///   address as for a wrong password; `forbidden` `account_suspended` only with the right password.
    func checkPassword(_ attempt: Attempt) async throws -> Principal {
        let wrong = Failure(.unauthorized, code: "invalid_credentials", "The address or the password is wrong.")
        // Nobody has such an address: it is neither looked up nor counted, and nothing of it is kept.
        guard attempt.email.utf8.count <= Self.longestEmail else {
            Self.count("wrong")
            throw wrong
        }
        let counted = LoginThrottle.Attempt(email: attempt.email, source: attempt.source)
        try await begin(counted, attempt.email, nil, attempt.source, attempt.requestID)
        let found = try await decided(counted) {
            try await self.principal(email: attempt.email, password: attempt.password)
        }
        guard let principal = found else {
            await refused("wrong", attempt.email, nil, attempt.source, attempt.requestID)
            throw wrong
        }
        await throttle.succeeded(counted)
        guard principal.isActive else {
            await refused("suspended", attempt.email, principal, attempt.source, attempt.requestID)
            throw Failure(.forbidden, code: "account_suspended", "This account is suspended.")
        }
        return principal
    }

    /// - Throws: `Failure`: `unauthorized` `totp_invalid`; `tooManyRequests`.
    func checkSecondFactor(_ code: String, of principal: Principal, source: String, requestID: String) async throws {
        let counted = LoginThrottle.Attempt(email: "totp:" + principal.subject, source: source)
        try await begin(counted, principal.email, principal, source, requestID)
        let verified = try await decided(counted) { try await secondFactor.verify(code, for: principal.subject) }
        guard let proof = verified else {
            await refused("totp", principal.email, principal, source, requestID)
            throw Failure(
                .unauthorized, code: "totp_invalid", "The code is wrong or was used; wait for the next one.")
        }
        await throttle.succeeded(counted)
        if proof == .recoveryCode {
            await platform.audit.record(
                .init(
                    actor: principal.subject, customerID: principal.customerID, action: "recovery_code.used",
                    target: principal.email, ip: source, requestID: requestID))
        }
    }

    /// A stolen access token is not enough to change how its owner logs in: the password too, and where a code is wanted
    /// that as well.
    ///
    /// - Parameter code: nil where the call asks for none; it counts only while the second factor is on.
    /// - Throws: As `checkPassword` and `checkSecondFactor`.
    func prove(_ person: Caller.Person, password: String, code: String?, _ context: CallerContext) async throws {
        let principal = try await checkPassword(
            .init(
                email: person.email, password: password, source: context.clientAddress, requestID: context.requestID))
        guard principal.subject == person.subject else {
            throw Failure(.unauthorized, code: "invalid_credentials", "The password is wrong.")
        }
        if let code, try await secondFactor.isOn(for: person.subject) {
            try await checkSecondFactor(
                code, of: principal, source: context.clientAddress, requestID: context.requestID)
        }
    }

    /// Notes that the password was right and the second factor was not shown yet: somebody else may know the password.
    func lacksSecondFactor(_ principal: Principal, source: String, requestID: String) async {
        Self.count("totp_required")
        await platform.audit.recordHourly(
            .init(
                actor: principal.subject, customerID: principal.customerID, action: "login.failed",
                target: principal.email, detail: #"{"reason":"totp_required"}"#, ip: source, requestID: requestID))
    }

    /// Notes that somebody is in; who is in is in, also when that cannot be written down.
    func succeeded(_ principal: Principal, client: String? = nil, source: String, requestID: String) async {
        Self.count("success")
        if principal.subject.hasPrefix("account:") {
            do { try await platform.database.accounts.recordLogin(principal.id) } catch {}
        }
        await platform.audit.record(
            .init(
                actor: principal.subject, customerID: principal.customerID, action: "login.succeeded",
                target: principal.email, detail: client.map { #"{"client_id":"\#($0)"}"# }, ip: source,
                requestID: requestID))
    }

    /// Whoever a token's `sub` names, as of now; nil when there is nobody any more.
    func principal(subject: String) async throws -> Principal? {
        let parts = subject.split(separator: ":")
        guard parts.count == 2, let id = Int64(parts[1]) else { return nil }
        if parts[0] == "account" { return try await platform.database.accounts.login(id: id).map { Principal($0) } }
        do { return Principal(try await platform.database.users.find(id, scope: .everything)) } catch let failure
            as Failure
            where failure.kind == .notFound
        { return nil }
    }

    /// Whose password this is. A wrong one is hashed twice whoever has the address, a user, a mailbox, both or nobody,
    /// so that the time tells nothing.
    private func principal(email text: String, password: String) async throws -> Principal? {
        var hashed = 0
        if let email = try? EmailAddress(text) {
            if let user = try await platform.database.users.credentials(email: email) {
                hashed += 1
                if try await passwords.verify(password, against: user.passwordHash) { return Principal(user.user) }
            }
            if let mailbox = try await platform.database.accounts.login(email: email.description) {
                hashed += 1
                if try await passwords.verify(password, against: mailbox.passwordHash) { return Principal(mailbox) }
            }
        }
        for _ in hashed..<2 { try await passwords.verifyDummy(password) }
        return nil
    }

    /// An attempt that we could not decide, for want of a database or of time, is no failed one.
    private func decided<Answer>(
        _ attempt: LoginThrottle.Attempt, _ decide: () async throws -> Answer
    ) async throws -> Answer {
        do { return try await decide() } catch let failure as Failure
            where failure.kind == .unavailable || failure.kind == .timeout
        {
            await throttle.undecided(attempt)
            throw failure
        }
    }

    /// Begins an attempt; one that is held back is on record, once an hour for each address.
    private func begin(
        _ counted: LoginThrottle.Attempt, _ email: String, _ principal: Principal?, _ source: String,
        _ requestID: String
    ) async throws {
        do { try await throttle.begin(counted) } catch {
            Self.count("throttled")
            await platform.audit.recordHourly(
                .init(
                    actor: principal?.subject ?? AuditStore.anonymous, customerID: principal?.customerID,
                    action: "login.throttled", target: email, ip: source, requestID: requestID))
            throw error
        }
    }

    private func refused(
        _ outcome: String, _ email: String, _ principal: Principal?, _ source: String, _ requestID: String
    ) async {
        Self.count(outcome)
        await platform.audit.record(
            .init(
                actor: principal?.subject ?? "anonymous", customerID: principal?.customerID, action: "login.failed",
                target: email, detail: #"{"reason":"\#(outcome)"}"#, ip: source, requestID: requestID))
    }

    private static func count(_ outcome: String) {
        Counter(label: "logins_total", dimensions: [("outcome", outcome)]).increment()
    }
}
