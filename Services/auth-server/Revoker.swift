import Credentials
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

    /// Ends a login session: its refresh tokens, and every token made from it.
    @discardableResult func end(family: String) async throws -> (revocation: Revocation, isNew: Bool) {
        try await revoke(.family, family)
    }
}
