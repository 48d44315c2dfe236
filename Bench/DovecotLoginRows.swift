import Foundation

/// A login at Dovecot by XOAUTH2, which asks auth-server, against one that asks nobody.
///
/// Both at one Dovecot of our own that differs from the product's in this alone: its mailboxes are not in a database. In
/// turns, each on a new connection, from the greeting to the tagged OK.
struct DovecotLoginRows {
    let product: Product
    let rounds: Int

    func run() throws -> [Result] {
        let dovecot = try StaticDovecot(product, port: product.authPort + 7000)
        defer { dovecot.stop() }
        let token = Base64.encode(
            Array("user=\(product.mailbox)\u{1}auth=Bearer \(try product.mailToken())\u{1}\u{1}".utf8))
        let password = Base64.encode(Array("\0\(product.mailbox)\0\(StaticDovecot.password)".utf8))
        var byToken: [Double] = []
        var byPassword: [Double] = []
        for round in 0..<rounds + 20 {
            let (ours, floor) = (
                try login("XOAUTH2 \(token)", dovecot.port), try login("PLAIN \(password)", dovecot.port)
            )
            guard round >= 20 else { continue }
            byToken.append(ours)
            byPassword.append(floor)
        }
        let (ours, floor) = (Sample(byToken).median, Sample(byPassword).median)
        return [
            Result(
                what: "Dovecot login by XOAUTH2 against one with a static passdb, p50",
                measured: String(format: "%.2f ms to %.2f ms", ours, floor), value: ours / floor,
                budget: .atMost(1.1))
        ]
    }

    private func login(_ proof: String, _ port: Int) throws -> Double {
        let socket = try Socket(port: port)
        _ = try socket.line()
        let lasted = try timed {
            try socket.send("a AUTHENTICATE \(proof)\r\n")
            let answer = try socket.line()
            // Capabilities come first, when they come.
            let tagged = answer.hasPrefix("*") ? try socket.line() : answer
            guard tagged.hasPrefix("a OK") else { throw Socket.Failed(description: "login: \(tagged)") }
        }
        try socket.send("b LOGOUT\r\n")
        while (try? socket.line()) != nil {}
        return lasted
    }
}

/// A private Dovecot: tokens go to the product's auth-server, passwords are compared with one that stands in its
/// configuration.
private struct StaticDovecot {
    static let password = "static-password"
    let port: Int
    private let process: Process
    private let folder: URL

    init(_ product: Product, port: Int) throws {
        self.port = port
        folder = URL(filePath: "/tmp/xynap-dovecot-\(getpid())")
        for name in ["run", "state", "mail"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        let mail = folder.appending(path: "mail").path
        guard chown(mail, 5000, 5000) == 0 else { throw Socket.Failed(description: "cannot give \(mail) away") }
        let configuration = folder.appending(path: "dovecot.conf")
        let text = """
            base_dir = \(folder.path)/run
            state_dir = \(folder.path)/state
            instance_name = xynap-bench
            log_path = \(folder.path)/log
            listen = 127.0.0.1
            protocols = imap
            ssl = no
            disable_plaintext_auth = no
            auth_mechanisms = plain xoauth2
            auth_cache_size = 0
            mail_home = \(mail)/%Ln
            mail_location = maildir:~
            first_valid_uid = 5000
            first_valid_gid = 5000
            passdb {
              driver = oauth2
              mechanisms = xoauth2
              args = \(product.state)/etc/dovecot/auth-oauth2.conf.ext
            }
            passdb {
              driver = static
              mechanisms = plain
              args = password=\(Self.password)
            }
            userdb {
              driver = static
              args = uid=5000 gid=5000
            }
            service imap-login {
              service_count = 0
              process_min_avail = 2
              inet_listener imap {
                port = \(port)
              }
              inet_listener imaps {
                port = 0
              }
            }
            service imap {
              process_min_avail = 4
              service_count = 200
            }
            mail_max_userip_connections = 100
            """
        try text.write(to: configuration, atomically: true, encoding: .utf8)
        process = try Command.start("dovecot", ["-F", "-c", configuration.path])
        for _ in 0..<250 {
            if let socket = try? Socket(port: port), (try? socket.line()) != nil { return }
            usleep(20_000)
        }
        stop()
        throw Socket.Failed(description: "the Dovecot with a static passdb did not start")
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}
