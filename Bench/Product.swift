import Foundation
import Synchronization
import TestSupport

/// The running product and a mailbox of our own in it.
final class Product: Sendable {
    let authPort, webmailPort, watcherPort, imapPort, lmtpPort, smtpsPort: Int
    let serviceToken, introspectionCredentials, mailbox, pidsFolder, state, authority: String
    let database: TestDatabase
    let adminPort: Int
    private let customer = Mutex<Int64>(0)

    init(_ stack: TestStack) throws {
        func port(_ url: String) throws -> Int {
            guard let port = URL(string: url)?.port else { throw Socket.Failed(description: "no port in \(url)") }
            return port
        }
        authPort = try port(stack.authURL)
        adminPort = try port(stack.adminURL)
        webmailPort = try port(stack.webmailURL)
        watcherPort = try port(stack.watcherURL)
        imapPort = stack.imapPort
        lmtpPort = stack.lmtpPort
        database = stack.database
        smtpsPort = stack.smtpsPort
        authority = stack.tlsCA
        serviceToken = stack.serviceToken
        introspectionCredentials = stack.introspectCredentials
        pidsFolder = stack.pidsDirectory
        state = stack.state
        mailbox = "bench@bench\(getpid()).test"
    }

    /// Of the customer that `prepare` makes.
    var customerID: Int64 { customer.withLock { $0 } }

    /// Makes the customer, the domain and the mailbox.
    func prepare() throws {
        let id = try post(authPort, "/api/v1/customers", #"{"name":"bench"}"#).id
        customer.withLock { $0 = id }
        let name = mailbox.split(separator: "@")[1]
        let domain = try post(adminPort, "/api/v1/mail/domains", #"{"domain":"\#(name)","customer_id":\#(id)}"#)
        _ = try post(
            adminPort, "/api/v1/mail/domains/\(domain.id)/accounts",
            #"{"local_part":"bench","password":"bench-password","quota_mb":4096}"#)
    }

    func mailToken() throws -> String { try mailToken(for: mailbox) }

    func mailToken(for mailbox: String) throws -> String {
        struct Answer: Decodable { let access_token: String }
        let call = try HTTPCall(
            port: authPort, "POST", "/api/v1/auth/mail-token", headers: headers,
            body: #"{"email":"\#(mailbox)"}"#)
        return try JSONDecoder().decode(Answer.self, from: Data(try call())).access_token
    }

    func keySet() throws -> String {
        String(decoding: try HTTPCall(port: authPort, "GET", "/.well-known/jwks.json", headers: [:])(), as: UTF8.self)
    }

    /// As Dovecot asks, on a connection of its own unless there is one.
    func introspection(of token: String, on socket: Socket? = nil) throws -> HTTPCall {
        HTTPCall(
            on: try socket ?? Socket(port: authPort), "POST", "/api/v1/auth/token/introspect",
            headers: [
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": "Basic \(Base64.encode(Array(introspectionCredentials.utf8)))",
            ], body: "token=\(token)")
    }

    func processID(of name: String) throws -> Int32 {
        let text = try String(contentsOfFile: "\(pidsFolder)/\(name)", encoding: .utf8)
        guard let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Socket.Failed(description: "\(name) does not run")
        }
        return pid
    }

    /// Begins to start again what has died of the stack.
    func startAgain(_ name: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "deploy/local/stack")
        process.arguments = ["up", name]
        process.environment = ProcessInfo.processInfo.environment.merging(["STATE": state]) { $1 }
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// What a service has used of the processors since it started, in hundredths of a second exactly.
    func processorSeconds(of service: String) throws -> Double {
        let pid = try processID(of: service)
        let fields = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8).split(separator: " ")
        return (Double(fields[13]) ?? 0) / 100 + (Double(fields[14]) ?? 0) / 100
    }

    static func message(subject: String, to: String) -> String {
        let text = (0..<20).map { "Line \($0) of a text that is as long as such texts are." }.joined(separator: "\r\n")
        return """
            From: Bench <bench@example.org>\r
            To: \(to)\r
            Subject: \(subject)\r
            Date: Sun, 22 Nov 2026 12:00:00 +0000\r
            Message-ID: <\(UUID().uuidString)@example.org>\r
            MIME-Version: 1.0\r
            Content-Type: multipart/alternative; boundary="b"\r
            \r
            --b\r
            Content-Type: text/plain; charset=utf-8\r
            \r
            \(text)\r
            --b\r
            Content-Type: text/html; charset=utf-8\r
            \r
            <p>\(text)</p>\r
            --b--\r
            """
    }

    struct Created: Decodable { let id: Int64 }

    /// For calls to the webmail proxy about the mailbox.
    var webmailHeaders: [String: String] { ["x-service-token": serviceToken, "x-mail-account": mailbox] }

    private var headers: [String: String] {
        ["x-service-token": serviceToken, "Content-Type": "application/json"]
    }

    func post(_ port: Int, _ path: String, _ body: String) throws -> Created {
        let call = try HTTPCall(port: port, "POST", path, headers: headers, body: body)
        return try JSONDecoder().decode(Created.self, from: Data(try call()))
    }
}
