import Foundation

/// From Dovecot's 250 for a delivery to the frame on a WebSocket.
struct DeliveryRows {
    let product: Product
    let rounds: Int

    func run() throws -> [Result] {
        let events = try EventSocket(
            port: product.watcherPort, path: "/api/v1/mail/events?account=\(product.mailbox)",
            headers: ["x-service-token": product.serviceToken])
        let lmtp = try LMTP(port: product.lmtpPort)
        // The watch of this mailbox begins with the subscription.
        sleep(2)
        var delays: [Double] = []
        for round in 0..<rounds {
            let subject = "delivery \(getpid()) \(round)"
            try lmtp.deliver(
                Product.message(subject: subject, to: product.mailbox), from: "bench@example.org", to: product.mailbox)
            delays.append(
                try timed {
                    while case let event = try events.next(),
                        !(event.contains(#""mail.new_message""#) && event.contains(subject))
                    {}
                })
            // Apart from each other, at no fixed phase of Dovecot's half-second.
            usleep(UInt32.random(in: 50_000...600_000))
        }
        let sample = Sample(delays)
        let figures = String(format: "p50 %.0f ms, p99 %.0f ms of %d", sample.median, sample.percentile(0.99), rounds)
        return [
            Result(
                what: "delivery to WebSocket, p50, IMAP IDLE (ms; Dovecot waits 500)", measured: figures,
                value: sample.median, budget: .atMost(600)),
            Result(
                what: "delivery to WebSocket, p99, IMAP IDLE (ms)", measured: figures,
                value: sample.percentile(0.99), budget: .atMost(1000)),
        ]
    }
}
