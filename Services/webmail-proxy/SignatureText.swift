import MailModel

/// Puts the signature that a message names below its text.
struct SignatureText: Sendable {
    struct Signature: Sendable {
        let html: String
        /// Made from the HTML when it is nil.
        let plain: String?
    }

    /// The signature of that id, for the mailbox; throws `Failure.notFound` for none.
    let find: @Sendable (_ id: Int64, _ mailbox: Mailbox) async throws -> Signature

    /// - Throws: `Failure` `invalid` naming `signature_id`.
    func append(to draft: inout SendRequest, of mailbox: Mailbox) async throws {
        guard let id = draft.signatureID else { return }
        let signature: Signature
        do { signature = try await find(id, mailbox) } catch let failure as Failure where failure.kind == .notFound {
            throw Failure.invalid("signature_id", code: "not_found", "there is no such signature")
        }
        // With neither text the signature is all there is, in both forms.
        let isEmpty = draft.html == nil && draft.plain == nil
        if draft.html != nil || isEmpty {
            draft.html = (draft.html ?? "") + "\n<div class=\"signature\">" + signature.html + "</div>"
        }
        guard let plain = signature.plain, draft.plain != nil || isEmpty else { return }
        // "-- " marks where a signature begins (RFC 3676 §4.3).
        draft.plain = (draft.plain ?? "") + "\r\n-- \r\n" + plain
    }
}
