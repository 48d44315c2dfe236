import Foundation
import Synchronization

/// What many mailboxes and many listeners cost the watcher.
struct WatcherScaleRows {
    let product: Product
    let mailboxes: Int
    let sockets: Int
    private static let logins = 32
    private static let look = #"LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ))"#

    func run() throws -> [Result] {
        let emails = try product.makeMailboxes(mailboxes)
        // Once unmeasured: the first login makes the folders, and the first look at them their indexes.
        try logIn(emails, looking: true)
        let bare = try timed { try logIn(emails) }
        return try watching(emails, bare) + listening(emails) + fanOut()
    }

    // MARK: Mailboxes

    private func watching(_ emails: [String], _ bare: Double) throws -> [Result] {
        let before = try product.ownMemory(of: "mail-watcher")
        var streams: [EventSocket] = []
        let watched = try timed {
            for start in stride(from: 0, to: emails.count, by: 200) {
                let query = emails[start..<min(start + 200, emails.count)].map { "account=\($0)" }
                streams.append(
                    try EventSocket(
                        port: product.watcherPort, path: "/api/v1/mail/events?" + query.joined(separator: "&"),
                        headers: ["x-service-token": product.serviceToken]))
            }
            while try product.watched() < emails.count { usleep(50_000) }
        }
        // What was needed only to begin is given back within ten seconds.
        sleep(12)
        let each = Double(try product.ownMemory(of: "mail-watcher") - before) / Double(emails.count)
        return [
            Result(
                what: "\(emails.count) mailboxes watched, time over bare token and login",
                measured: String(format: "%.0f ms / %.0f ms", watched, bare), value: watched / bare,
                budget: .atMost(1.2)),
            Result(
                what: "watcher memory per watched mailbox (kB)", measured: String(format: "%.1f kB", each), value: each,
                budget: .atMost(12)),
        ]
    }

    /// As the watcher does: a token, a connection, a login, INBOX; as many at a time.
    private func logIn(_ emails: [String], looking: Bool = false) throws {
        let failure = Mutex<(any Error)?>(nil)
        DispatchQueue.concurrentPerform(iterations: Self.logins) { worker in
            do {
                for email in stride(from: worker, to: emails.count, by: Self.logins).map({ emails[$0] }) {
                    let session = try BareIMAP(
                        port: product.imapPort, user: email, token: product.mailToken(for: email), selecting: "INBOX")
                    if looking { try session.command(Self.look) }
                }
            } catch { failure.withLock { $0 = $0 ?? error } }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    // MARK: Listeners

    private func listening(_ emails: [String]) throws -> [Result] {
        let before = try product.ownMemory(of: "mail-watcher")
        let crowd = Crowd(port: product.watcherPort, serviceToken: product.serviceToken)
        try crowd.open(sockets) { "/api/v1/mail/events?account=\(emails[$0 % emails.count])" }
        // As above.
        for _ in 0..<12 {
            sleep(1)
            try crowd.answerPings()
        }
        let each = Double(try product.ownMemory(of: "mail-watcher") - before) / Double(sockets)
        return [
            Result(
                what: "watcher memory per idle WebSocket of \(sockets) (kB)", measured: String(format: "%.1f kB", each),
                value: each, budget: .atMost(15))
        ]
    }

    private func fanOut() throws -> [Result] {
        let crowd = Crowd(port: product.watcherPort, serviceToken: product.serviceToken)
        try crowd.open(1000) { _ in "/api/v1/mail/events?account=\(product.mailbox)" }
        let lmtp = try LMTP(port: product.lmtpPort)
        var times: [Double] = []
        for round in 0..<5 {
            let message = Product.message(subject: "fan \(round)", to: product.mailbox)
            try lmtp.deliver(message, from: "bench@example.org", to: product.mailbox)
            times.append(try timed { try crowd.awaitAll(containing: "fan \(round)") })
            usleep(300_000)
        }
        let sample = Sample(times)
        return [
            Result(
                what: "one event to 1,000 sockets of a mailbox, after the 250 (ms)",
                measured: String(format: "median %.0f ms of 5", sample.median), value: sample.median,
                budget: .atMost(100))
        ]
    }
}
