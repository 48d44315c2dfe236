import Foundation
import TestSupport

/// A webmail-proxy of its own that reaches Dovecot and Postfix through taps, with one IMAP session for each mailbox: what
/// a call says is all in one conversation, and nobody else's news are in it.
struct TappedProxy: Sendable {
    let imap: WireTap
    /// Speaks TLS to Postfix, and hears the product without.
    let smtp: WireTap
    let service: OwnService

    init(_ platform: Platform) async throws {
        let stack = platform.stack
        imap = try await WireTap(host: stack.imapHost, port: stack.imapPort)
        smtp = try await WireTap(host: stack.imapHost, port: stack.smtpsPort, authority: stack.tlsCA)
        service = try await OwnService(
            "webmail-proxy", of: platform,
            settings: [
                "IMAP_HOST": "127.0.0.1", "IMAP_PORT": "\(imap.port)", "IMAP_SESSIONS_PER_MAILBOX": "1",
                "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "\(smtp.port)", "SMTP_SECURITY": "plain",
            ])
    }

    /// The mailbox, read through this proxy.
    func client(of mailbox: Mailbox) -> Client { service.client.with(mailbox.client.credentials) }
}

extension WireTap {
    /// What was said for one mailbox since the tap was asked last. A replica also carries on with the mails of others.
    func take(of mailbox: Mailbox) -> [Speech] { take().filter { $0.account == mailbox.email } }
}

extension WireTap.Speech {
    /// Whom the connection is logged in as: both protocols write XOAUTH2 in one line.
    fileprivate var account: String? {
        let text = String(decoding: beginning, as: UTF8.self)
        guard let word = text.firstRange(of: "XOAUTH2 ") else { return nil }
        let encoded = String(text[word.upperBound...].prefix { $0 != "\r" && $0 != "\r\n" })
        guard let response = Data(base64Encoded: encoded) else { return nil }
        let user = String(decoding: response, as: UTF8.self).prefix { $0 != "\u{1}" }
        return user.hasPrefix("user=") ? String(user.dropFirst("user=".count)) : nil
    }
}
