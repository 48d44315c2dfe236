import Foundation

/// A page of 50 and the folder list through the webmail proxy, against the same commands on a bare socket.
struct WebmailRows {
    let product: Product
    let rounds: Int

    func run() throws -> [Result] {
        let headers = ["x-service-token": product.serviceToken, "x-mail-account": product.mailbox]
        let token = try product.mailToken()
        let bare = try BareIMAP(port: product.imapPort, user: product.mailbox, token: token)
        let count = try product.fill(atLeast: 2000, over: bare)
        try bare.command("NOOP")
        let newest = "\(count - 49):\(count)"
        let items = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
        let page = try HTTPCall(
            port: product.webmailPort, "GET", "/api/v1/mail/webmail/messages/INBOX?per_page=50", headers: headers)
        let folders = try HTTPCall(port: product.webmailPort, "GET", "/api/v1/mail/webmail/folders", headers: headers)
        let list =
            #"LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UNSEEN UIDVALIDITY HIGHESTMODSEQ SIZE))"#
        return [
            try compare(
                "page of 50, warm, p50", floor: { try bare.command("FETCH \(newest) \(items)") }, call: { try page() }),
            try compare("folders, p50", floor: { try bare.command(list) }, call: { try folders() }),
        ]
    }

    private func compare(_ what: String, floor: () throws -> Void, call: () throws -> Void) throws -> Result {
        for _ in 0..<20 {
            try floor()
            try call()
        }
        var floors: [Double] = []
        var calls: [Double] = []
        for _ in 0..<rounds {
            floors.append(try timed(floor))
            calls.append(try timed(call))
        }
        let (atBest, ours) = (Sample(floors).median, Sample(calls).median)
        return Result(
            what: what, measured: String(format: "%.2f ms to %.2f ms on a bare socket", ours, atBest),
            value: ours / atBest, budget: .atMost(1.3))
    }
}
