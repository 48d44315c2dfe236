import Credentials
import MailModel

/// What of its credentials can end a stream. No more of them is kept while it is open: there are many, and they last.
struct StreamSession: Sendable {
    private enum Credential: Sendable {
        /// The mailboxes in lower case.
        case person(tokenID: String, family: String, issuedAt: Int64, mailboxes: [String])
        case platform
    }

    /// Whose it is: the `sub` of a person's token, or the name of a service token.
    let subject: String
    /// Milliseconds since 1970; nil for what does not end by itself.
    let expires: Int64?
    private let credential: Credential

    init(_ identity: Subscriber.Identity) {
        switch identity {
        case .person(let token):
            var mailboxes = [token.email.lowercased()]
            for account in token.accounts ?? [] where !mailboxes.contains(account.lowercased()) {
                mailboxes.append(account.lowercased())
            }
            subject = token.sub
            expires = token.exp * 1000
            credential = .person(
                tokenID: token.jti, family: token.sid, issuedAt: token.issuedAt, mailboxes: mailboxes)
        case .platform(let platform):
            subject = platform.subject
            expires = platform.expiresAt
            credential = .platform
        }
    }

    /// A person's, who may have so many streams at a time; a service token speaks for many.
    var isPerson: Bool { if case .person = credential { true } else { false } }

    /// Whether it is dead by this revocation. Of a service token one mailbox may be taken away: that is not meant here.
    func isEnded(by revocation: Revocation) -> Bool {
        let value = revocation.value
        switch credential {
        case .platform: return revocation.kind == .jti && value == subject
        case .person(let tokenID, let family, let issuedAt, let mailboxes):
            switch revocation.kind {
            case .jti: return tokenID == value
            case .family: return family == value
            case .user: return subject == value && issuedAt < revocation.notBefore
            case .account: return issuedAt < revocation.notBefore && mailboxes.contains(value.lowercased())
            }
        }
    }
}
