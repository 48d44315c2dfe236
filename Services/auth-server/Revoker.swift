import Credentials
import HTTPService
import MailModel
import Platform
import Storage

/// The one place that ends what was issued: every revocation of this service passes through it.
struct Revoker: Sendable {
    let platform: Platform

    /// Everything of this value issued before now is dead: here at once, elsewhere as soon as the others hear of it.
    ///
    /// A token or a session that is dead already is not ended again: whoever shows it again and again ends nothing that
    /// its owner has opened since.
    /// - Parameter mailboxes: Whose live mail sessions end too, beside those the database knows to be concerned.
    @discardableResult func revoke(
        _ kind: Revocation.Kind, _ value: String, mailboxes: [String] = []
    ) async throws -> (revocation: Revocation, isNew: Bool) {
        let made = try await platform.database.revocations.addIfNew(kind, value, mailboxes: mailboxes)
        if made.isNew { await announce([made.revocation]) }
        return made
    }

    /// What was revoked together with a change, in its transaction.
    func announce(_ revocations: [Revocation]) async {
        platform.revocations.apply(revocations)
        await platform.announce(revocations)
    }

    /// Ends a session because a refresh token or a code of it was shown again: somebody else has a copy (RFC 9700
    /// §4.14.2).
    /// - Parameter action: The audit log's word for it.
    func endReplayed(_ family: String, as action: String, from context: ServiceContext) async throws {
        try await end(family: family)
        // The session has ended; whose it was is for the record alone.
        let owner = try? await platform.database.sessions.owner(of: family)
        await platform.audit.recordHourly(
            .init(
                actor: AuditStore.anonymous, customerID: owner?.customerID, action: action, target: owner?.email ?? "",
                detail: AuditStore.detail(["session": family, "subject": owner?.subject ?? ""]),
                ip: context.clientAddress, requestID: context.requestID))
    }

    /// Ends an app password, and what was opened with it.
    @discardableResult func end(
        appPassword id: Int64, of email: String
    ) async throws -> (revocation: Revocation, isNew: Bool) {
        let made = try await platform.database.appPasswords.delete(id, of: email)
        if made.isNew { await announce([made.revocation]) }
        return made
    }

    /// Ends a login session: its refresh tokens, and every token made from it.
    @discardableResult func end(family: String) async throws -> (revocation: Revocation, isNew: Bool) {
        try await revoke(.family, family)
    }
}
