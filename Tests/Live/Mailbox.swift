import Foundation
import TestSupport
import Testing

/// One mailbox, with the ways a person has into it.
struct Mailbox: Sendable {
    let platform: Platform
    let id: Int
    let email: String
    let password: String
    /// Logged in with the mailbox's own address and password.
    let client: Client

    /// How an IMAP or SMTP client proves who it is.
    enum Proof: Sendable {
        case xoauth2(String)
        case oauthBearer(String)
        case password(String)

        var mechanism: JSON {
            switch self {
            case .xoauth2: "XOAUTH2"
            case .oauthBearer: "OAUTHBEARER"
            case .password: "PLAIN"
            }
        }

        var secret: JSON {
            switch self {
            case .xoauth2(let secret), .oauthBearer(let secret), .password(let secret): .string(secret)
            }
        }
    }

    enum IMAPPort: Sendable, CaseIterable { case plain, tls, gateway }
    enum SMTPPort: Sendable, CaseIterable { case tls, startTLS, gatewayTLS, gatewayStartTLS }

    // MARK: tokens

    /// A token for IMAP and SMTP, got with the mailbox's own login.
    func mailToken() async throws -> String {
        let answer = try await client.post("/api/v1/auth/mail-token").json(200)
        guard let token = answer["access_token"].string else { throw Surprise("no mail token: \(answer)") }
        return token
    }

    /// An app password, made with the mailbox's own login; what the API answers.
    func appPassword(_ name: String = "Phone", scope: String? = nil, code: String? = nil) async throws -> JSON {
        var body: [String: JSON] = ["name": .string(name), "password": .string(password)]
        if let scope { body["scope"] = .string(scope) }
        if let code { body["code"] = .string(code) }
        return try await client.post("/api/v1/auth/app-passwords", .object(body)).json(201)
    }

    var accessToken: String {
        guard case .bearer(let token) = client.credentials else { return "" }
        return token
    }

    func accountRoute(_ action: String = "") -> String { "/api/v1/mail/accounts/\(id)\(action)" }

    // MARK: IMAP and SMTP, by clients that are not ours

    /// A login and some actions of `outside/imap.py`: the login's outcome, then one result an action.
    func imap(_ proof: Proof, port: IMAPPort = .plain, _ actions: JSON...) async throws -> [JSON] {
        try await imapSession(proof, port: port, .array(actions)).results()
    }

    func imap(_ proof: Proof, actions: [JSON]) async throws -> [JSON] {
        try await imapSession(proof, port: .plain, .array(actions)).results()
    }

    func canLogInToIMAP(_ proof: Proof, port: IMAPPort = .plain) async throws -> Bool {
        try await imap(proof, port: port)[0]["authenticated"] == true
    }

    /// A session that stays open and reports its end.
    func holdIMAP(_ proof: Proof, seconds: Int) async throws -> Outside {
        let session = try imapSession(proof, port: .plain, [["hold", .int(seconds)]])
        guard try await session.next() == ["authenticated": true], try await session.next() == ["holding": true] else {
            throw Surprise("the IMAP session to hold was not admitted")
        }
        return session
    }

    private func imapSession(_ proof: Proof, port: IMAPPort, _ actions: JSON) throws -> Outside {
        try Outside(script: "imap.py", login(proof, port: port, actions: actions))
    }

    /// What `outside/imap.py` and the seed's own example read.
    func login(_ proof: Proof, port: IMAPPort, actions: JSON = []) -> JSON {
        let stack = platform.stack
        let number =
            switch port {
            case .plain: stack.imapPort
            case .tls: stack.imapsPort
            case .gateway: stack.gatewayIMAPSPort
            }
        return [
            "host": .string(stack.imapHost), "port": .int(number), "tls": .bool(port != .plain),
            "ca": .string(stack.tlsCA), "user": .string(email), "mechanism": proof.mechanism, "secret": proof.secret,
            "actions": actions,
        ]
    }

    /// Submits one mail as an ordinary mail client does: `{"accepted", "code", "text", "stage"}`.
    func submit(
        _ proof: Proof, port: SMTPPort = .tls, to recipient: String, from sender: String? = nil,
        subject: String = "Submitted"
    ) async throws -> JSON {
        let message = plainMail(from: sender ?? email, to: recipient, subject: subject)
        return try await Outside(
            script: "smtp.py", submission(proof, port: port, message, from: sender ?? email, to: recipient)
        ).next()
    }

    /// A session that logged in once and sends one mail after the other; it reports when it is refused.
    func holdSubmission(_ proof: Proof, to recipient: String, seconds: Int) async throws -> Outside {
        let message = plainMail(from: email, to: recipient, subject: "Again and again")
        let task = submission(proof, port: .startTLS, message, from: email, to: recipient)
        let session = try Outside(script: "smtp.py", task.with("hold", .int(seconds)))
        guard try await session.next() == ["holding": true] else {
            throw Surprise("the SMTP session to hold was not admitted")
        }
        return session
    }

    /// What `outside/smtp.py` reads.
    private func submission(
        _ proof: Proof, port: SMTPPort, _ message: String, from sender: String, to recipient: String
    ) -> JSON {
        let stack = platform.stack
        let (number, security): (Int, JSON) =
            switch port {
            case .tls: (stack.smtpsPort, "tls")
            case .startTLS: (stack.submissionPort, "starttls")
            case .gatewayTLS: (stack.gatewaySMTPSPort, "tls")
            case .gatewayStartTLS: (stack.gatewaySubmissionPort, "starttls")
            }
        return [
            "host": .string(stack.imapHost), "port": .int(number), "security": security,
            "ca": .string(stack.tlsCA), "user": .string(email), "mechanism": proof.mechanism,
            "secret": proof.secret, "from": .string(sender), "to": [.string(recipient)],
            "messages": [.string(message)],
        ]
    }

    // MARK: the webmail API

    func send(
        to recipient: String, subject: String, plain: String = "Hello.", html: String? = nil
    ) async throws
        -> Reply
    {
        var mail: [String: JSON] = [
            "to": [.string(recipient)], "subject": .string(subject), "plain": .string(plain),
        ]
        if let html { mail["html"] = .string(html) }
        return try await client.post("/api/v1/mail/webmail/send", .object(mail))
    }

    func messages(_ folder: String = "INBOX", _ query: String = "") async throws -> JSON {
        try await client.get("/api/v1/mail/webmail/messages/\(escaped(folder))\(query)").json(200)
    }

    func message(_ folder: String, _ uid: Int) -> String { "/api/v1/mail/webmail/messages/\(escaped(folder))/\(uid)" }

    /// The subjects of a folder's mails, as the API lists them.
    func subjects(_ folder: String = "INBOX") async throws -> [String] {
        try await messages(folder, "?per_page=200")["items"].items.compactMap { $0["subject"].string }
    }

    /// The uid of the mail with that subject, once it is there.
    func arrival(
        of subject: String, in folder: String = "INBOX", within limit: Duration = .seconds(10)
    ) async throws
        -> Int
    {
        var uid: Int?
        try await eventually(within: limit, "\"\(subject)\" arrives in \(folder)") {
            uid = try await messages(folder)["items"].items.first { $0["subject"].string == subject }?["uid"].int
            return uid != nil
        }
        return try #require(uid)
    }
}
