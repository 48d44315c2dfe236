import Foundation
import Synchronization

/// From Dovecot's 250 for a delivery to the frame on a WebSocket, with the configuration as it is shipped; one mail at a
/// time, and five hundred on end.
struct WatcherRows {
    let product: Product
    let rounds: Int

    func run() throws -> [Result] {
        let events = try socket()
        let lmtp = try LMTP(port: product.lmtpPort)
        return try delivery(events, lmtp) + burst(lmtp)
    }

    private func delivery(_ events: EventSocket, _ lmtp: LMTP) throws -> [Result] {
        var delays: [Double] = []
        // The first push tells the watcher that it is pushed to.
        for round in -3..<rounds {
            let subject = "delivery \(getpid()) \(round)"
            try lmtp.deliver(
                Product.message(subject: subject, to: product.mailbox), from: "bench@example.org", to: product.mailbox)
            let delay = try timed { try Self.await(subject, events) }
            if round >= 0 { delays.append(delay) }
            // Apart from each other, at no fixed phase of Dovecot's half-second.
            usleep(UInt32.random(in: 20_000...200_000))
        }
        let sample = Sample(delays)
        let figures = String(
            format: "p50 %.1f ms, p99 %.1f ms of %d", sample.median, sample.percentile(0.99), rounds)
        return [
            Result(
                what: "delivery (LMTP 250) to WebSocket, p50 (ms)", measured: figures, value: sample.median,
                budget: .atMost(30)),
            Result(
                what: "delivery (LMTP 250) to WebSocket, p99 (ms)", measured: figures, value: sample.percentile(0.99),
                budget: .atMost(100)),
        ]
    }

    private func burst(_ lmtp: LMTP) throws -> [Result] {
        let count = 500
        let burst = try listen(for: count)
        for number in 0..<count {
            let message = Product.message(subject: "burst \(getpid()) \(number)", to: product.mailbox)
            try lmtp.deliver(message, from: "bench@example.org", to: product.mailbox)
        }
        let delivered = ContinuousClock.now
        let (subjects, last) = try burst()
        let wanted = (0..<count).map { "burst \(getpid()) \($0)" }
        let late = max(0, delivered.duration(to: last).milliseconds)
        return [
            Result(
                what: "burst of 500: told in order and once (of 500)", measured: "\(subjects.count) events",
                value: Double(zip(subjects, wanted).count { $0 == $1 }), budget: .atLeast(Double(count))),
            Result(
                what: "burst of 500: last frame after the last 250 (ms)", measured: String(format: "%.1f ms", late),
                value: late, budget: .atMost(500)),
        ]
    }

    private struct Event: Decodable {
        struct Payload: Decodable {
            struct Message: Decodable { let subject: String }
            let message: Message?
        }
        let type: String
        let data: Payload
    }

    /// Reads the next new mails on a thread of its own, with a socket of its own, which is open when this returns.
    /// - Returns: Waits for the last of them.
    private func listen(for count: Int) throws -> () throws -> (subjects: [String], last: ContinuousClock.Instant) {
        typealias Heard = (subjects: [String], last: ContinuousClock.Instant)
        let heard = Mutex<Swift.Result<Heard, any Error>?>(nil)
        let isOpen = DispatchSemaphore(value: 0), done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            let result = Swift.Result<Heard, any Error> {
                let events = try socket()
                isOpen.signal()
                var subjects: [String] = []
                while subjects.count < count {
                    let event = try JSONDecoder().decode(Event.self, from: Data(try events.next().utf8))
                    guard event.type == "mail.new_message", let message = event.data.message else { continue }
                    subjects.append(message.subject)
                }
                return (subjects, .now)
            }
            heard.withLock { $0 = result }
            isOpen.signal()
            done.signal()
        }
        isOpen.wait()
        return {
            guard done.wait(timeout: .now() + 60) == .success, let result = heard.withLock({ $0 }) else {
                throw Socket.Failed(description: "burst not told")
            }
            return try result.get()
        }
    }

    private func socket() throws -> EventSocket {
        try EventSocket(
            port: product.watcherPort, path: "/api/v1/mail/events?account=\(product.mailbox)",
            headers: ["x-service-token": product.serviceToken])
    }

    private static func await(_ subject: String, _ events: EventSocket) throws {
        while case let event = try events.next(), !(event.contains(#""mail.new_message""#) && event.contains(subject)) {
        }
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15 }
}
