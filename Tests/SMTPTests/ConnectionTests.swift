import SMTP
import Testing

@Suite("Connections", .timeLimit(.minutes(1)))
struct ConnectionTests {
    typealias Turn = DialogServer.Turn

    private let hello = Turn("EHLO localhost", "250-me\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 AUTH PLAIN XOAUTH2")

    private var quick: SMTPTimeouts {
        var timeouts = SMTPTimeouts()
        timeouts.command = .milliseconds(300)
        timeouts.transaction = .milliseconds(300)
        timeouts.message = .milliseconds(300)
        return timeouts
    }

    private func connect(
        _ turns: [Turn], greeting: String? = "220 ready", security: SMTPSecurity = .plain, tls: SMTPTLS? = nil,
        host: String = "127.0.0.1"
    ) async throws -> SMTPConnection {
        let server = try await DialogServer.start(turns, greeting: greeting, isTLS: security == .implicitTLS)
        do {
            let connection = try await SMTPConnection.connect(
                host: host, port: server.port, security: security, tls: tls, timeouts: quick)
            try await server.stopListening()
            return connection
        } catch {
            try await server.stopListening()
            throw error
        }
    }

    private func failure(_ body: () async throws -> Void) async -> SMTPError? {
        do {
            try await body()
            return nil
        } catch { return error as? SMTPError }
    }

    private func trust() throws -> SMTPTLS {
        try SMTPTLS(certificateAuthority: Array(TestCertificate.certificate.utf8))
    }

    private let envelope = Envelope(sender: "a@x.y", recipients: ["b@x.y"])

    @Test("Login, two messages on one connection, QUIT")
    func session() async throws {
        let connection = try await connect([
            hello, Turn("AUTH XOAUTH2 dXNl", "235 2.7.0 ok"),
            Turn("MAIL FROM:<a@x.y>\r\n", "250 ok"), Turn("RCPT TO:<b@x.y>\r\n", "250 ok"), Turn("DATA", "354 go"),
            Turn("Subject: x\r\n", nil), Turn("\r\n", nil), Turn("..\r\n", nil), Turn(".\r\n", "250 2.0.0 queued"),
            Turn("RSET", "250 ok"),
            Turn("MAIL", "250 ok"), Turn("RCPT", "550 5.1.1 no"), Turn("DATA", "554 none"), Turn("RSET", "250 ok"),
            Turn("QUIT", "221 bye"),
        ])
        try await connection.authenticate(.xoauth2(user: "a@x.y", token: "t"))
        let delivery = try await connection.send(envelope, message: Array("Subject: x\n\n.\n".utf8))
        #expect(delivery.accepted == ["b@x.y"] && delivery.reply.text == "queued")
        try await connection.reset()
        let refused = await failure { _ = try await connection.send(envelope, message: [65]) }
        guard case .refused(.rcpt, let reply, let rejected)? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(reply.enhancedStatus == EnhancedStatusCode(5, 1, 1) && rejected.count == 1)
        #expect(connection.isOpen)
        await connection.quit()
        #expect(!connection.isOpen)
    }

    @Test("Refused credentials tell the challenge; 454 may be tried again")
    func authentication() async throws {
        let refusing = try await connect([
            hello, Turn("AUTH XOAUTH2", "334 eyJzdGF0dXMiOiI0MDEifQ=="), Turn("\r\n", "535 5.7.8 no"),
        ])
        let refused = await failure { try await refusing.authenticate(.xoauth2(user: "a", token: "t")) }
        guard case .authenticationFailed(let reply, let challenge)? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(reply.code == 535 && challenge == "{\"status\":\"401\"}" && refused?.isTransient == false)

        let away = try await connect([hello, Turn("AUTH PLAIN", "454 4.7.0 later")])
        let later = await failure { try await away.authenticate(.plain(user: "a", password: "b")) }
        guard case .authenticationUnavailable? = later else {
            Issue.record("\(String(describing: later))")
            return
        }
        #expect(later?.isTransient == true)
    }

    @Test("STARTTLS and implicit TLS, verified")
    func tls() async throws {
        let starting = [hello, Turn("STARTTLS", "220 go", startsTLS: true), hello, Turn("QUIT", "221 bye")]
        for host in ["127.0.0.1", "localhost"] {
            let connection = try await connect(starting, security: .startTLS, tls: trust(), host: host)
            #expect(connection.capabilities.hasPipelining)
            await connection.quit()
        }
        let implicit = try await connect([hello], security: .implicitTLS, tls: trust())
        #expect(implicit.isOpen)
        await implicit.quit()

        for security in [SMTPSecurity.startTLS, .implicitTLS] {
            let untrusted = await failure { _ = try await connect(starting, security: security) }
            guard case .tls? = untrusted else {
                Issue.record("\(String(describing: untrusted))")
                continue
            }
        }
    }

    @Test("STARTTLS is never skipped, and nothing is taken over from before it (RFC 3207 §4.2)")
    func stripping() async throws {
        let stripped = [Turn("EHLO", "250-me\r\n250 AUTH PLAIN")]
        #expect(
            await failure { _ = try await connect(stripped, security: .startTLS, tls: trust()) } == .startTLSUnavailable
        )
        let injected = [hello, Turn("STARTTLS", "220 go\r\n250 injected")]
        let error = await failure { _ = try await connect(injected, security: .startTLS, tls: trust()) }
        guard case .protocolViolation? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("Silence, hang-ups and nonsense end in typed errors")
    func failures() async throws {
        #expect(await failure { _ = try await connect([], greeting: nil) } == .timeout(.greeting))
        #expect(await failure { _ = try await connect([Turn("EHLO", nil)]) } == .timeout(.ehlo))
        #expect(await failure { _ = try await connect([]) } == .closed(.ehlo))
        #expect(
            await failure { _ = try await connect([], greeting: "SSH-2.0") }
                == .protocolViolation("the reply has no code"))
        let busy = await failure { _ = try await connect([], greeting: "421 4.3.2 busy") }
        #expect(busy?.isTransient == true)
        let hanging = try await connect([hello, Turn("MAIL", "250 ok"), Turn("RCPT", "250 ok"), Turn("DATA", "354 go")])
        #expect(await failure { _ = try await hanging.send(envelope, message: []) } == .closed(.message))
        #expect(await failure { _ = try await hanging.send(envelope, message: []) } != nil)
        let refused = await failure {
            _ = try await SMTPConnection.connect(host: "127.0.0.1", port: 1, security: .plain)
        }
        guard case .unreachable? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
    }

    @Test("A second exchange meanwhile is refused; cancelling one closes the connection")
    func exclusive() async throws {
        let connection = try await connect([hello, Turn("RSET", nil)])
        let first = Task { try await connection.reset() }
        try await Task.sleep(for: .milliseconds(50))
        #expect(await failure { try await connection.reset() } == .busy)
        first.cancel()
        #expect(await failure { try await first.value } == .closed(.reset))
        #expect(!connection.isOpen)
    }

    @Test("A message that is begun has the connection to itself; one that is closed instead is never whole")
    func begun() async throws {
        let turns = [
            hello, Turn("MAIL", "250 ok"), Turn("RCPT", "250 ok"), Turn("DATA", "354 go"), Turn("text\r\n", nil),
            Turn(".\r\n", "250 queued"), Turn("MAIL", "550 5.7.1 no"), Turn("RCPT", "503 no"), Turn("DATA", "503 no"),
            Turn("RSET", "250 ok"), Turn("RSET", "250 ok"),
        ]
        let connection = try await connect(turns)
        let message = try await connection.begin(envelope, size: 4, has8Bit: false)
        #expect(await failure { try await connection.reset() } == .busy)
        #expect(try await connection.finish(message, message: Array("text".utf8)).accepted == ["b@x.y"])
        // One that is refused leaves the connection to the next.
        let refused = await failure { _ = try await connection.begin(envelope, size: 4, has8Bit: false) }
        guard case .refused(.mail, _, _)? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        try await connection.reset()

        let other = try await connect(Array(turns.prefix(4)))
        let never = try await other.begin(envelope, size: 4, has8Bit: false)
        other.close()
        #expect(await failure { _ = try await other.finish(never, message: [65]) } != nil)
        #expect(!other.isOpen)
    }
}
