import Foundation

/// What webmail-proxy takes in memory when many mailboxes are read through it: each has a warm IMAP session and a page of
/// its INBOX kept.
struct ManyMailboxesRows {
    let product: Product
    let mailboxes: Int
    let messages: Int

    func run() throws -> [Result] {
        let addresses = try product.makeMailboxes(mailboxes)
        let socket = try Socket(port: product.webmailPort)
        for address in addresses {
            let bare = try BareIMAP(port: product.imapPort, user: address, token: try product.mailToken(for: address))
            try bare.append((0..<messages).map { Mails.mail($0, to: address) }, to: "INBOX")
            try bare.command("LOGOUT")
            try HTTPCall(
                on: socket, "GET", "/api/v1/mail/webmail/messages/INBOX",
                headers: ["x-service-token": product.serviceToken, "x-mail-account": address])()
        }
        let kilobytes = try product.residentMemory(of: "webmail-proxy")
        return [
            Result(
                what: "webmail-proxy with \(mailboxes) mailboxes in use, RSS (MB)", measured: "\(kilobytes) kB",
                value: Double(kilobytes) / 1024, budget: .atMost(300))
        ]
    }
}
