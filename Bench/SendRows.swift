import Foundation

/// `POST send` until it is answered, against a bare client on a warm submission connection: MAIL, RCPT and DATA in one
/// flush, the message, its 250; and against one that files a copy in Sent then, as mail programs do. Ours commits to the
/// outbox besides, and is answered when the copy is there.
struct SendRows {
    let product: Product
    let rounds: Int

    func run() throws -> [Result] {
        let bare = try BareSubmission(
            port: product.smtpsPort, authority: product.authority, user: product.mailbox, token: product.mailToken())
        let filing = try BareIMAP(
            port: product.imapPort, user: product.mailbox, token: product.mailToken(), selecting: nil)
        let body =
            #"{"to":["\#(product.mailbox)"],"subject":"Bench","plain":"\#(Self.text.replacing("\r\n", with: "\\n"))"}"#
        let call = try HTTPCall(
            port: product.webmailPort, "POST", "/api/v1/mail/webmail/send",
            headers: [
                "x-service-token": product.serviceToken, "x-mail-account": product.mailbox,
                "Content-Type": "application/json",
            ], body: body)
        for _ in 0..<10 {
            try bare.send(Self.message(product.mailbox))
            try call()
        }
        var submitted: [Double] = []
        var filed: [Double] = []
        var calls: [Double] = []
        for _ in 0..<rounds {
            let messages = [Self.message(product.mailbox), Self.message(product.mailbox)]
            submitted.append(try timed { try bare.send(messages[0]) })
            filed.append(
                try timed {
                    try bare.send(messages[1])
                    try filing.append([messages[1]], to: "Sent")
                })
            calls.append(try timed { try call() })
        }
        let ours = Sample(calls).median
        return [("SMTP", submitted), ("SMTP and APPEND", filed)].map { name, times in
            let atBest = Sample(times).median
            return Result(
                what: "send, until answered, p50",
                measured: String(format: "%.2f ms to %.2f ms of bare \(name)", ours, atBest), value: ours / atBest,
                budget: .atMost(1.3))
        }
    }

    private static let text = (0..<20).map { "Line \($0) of a text that is as long as such texts are." }
        .joined(separator: "\r\n")

    private static func message(_ address: String) -> String {
        """
        From: \(address)\r
        To: \(address)\r
        Subject: Bench\r
        Date: Sun, 22 Nov 2026 12:00:00 +0000\r
        Message-ID: <\(UUID().uuidString)@example.org>\r
        MIME-Version: 1.0\r
        Content-Type: text/plain; charset=utf-8\r
        \r
        \(text)\r

        """
    }
}

/// A submission client that does no more than it must.
final class BareSubmission {
    private let socket: TLSSocket
    private let user: String

    init(port: Int, authority: String, user: String, token: String) throws {
        self.user = user
        socket = try TLSSocket(port: port, authority: authority)
        try expect("220")
        try socket.send("EHLO bench\r\n")
        try expect("250")
        let initial = Base64.encode(Array("user=\(user)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8))
        try socket.send("AUTH XOAUTH2 \(initial)\r\n")
        try expect("235")
    }

    func send(_ message: String) throws {
        try socket.send("MAIL FROM:<\(user)>\r\nRCPT TO:<\(user)>\r\nDATA\r\n")
        try expect("250")
        try expect("250")
        try expect("354")
        try socket.send(message + ".\r\n")
        try expect("250")
    }

    private func expect(_ code: String) throws {
        var reply = try socket.line()
        while reply.dropFirst(3).first == "-" { reply = try socket.line() }
        guard reply.hasPrefix(code) else { throw Socket.Failed(description: "SMTP: \(reply)") }
    }
}
