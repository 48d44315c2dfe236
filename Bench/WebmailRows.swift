import Foundation
import Synchronization

/// Listing and reading through the webmail proxy, against the same commands on a bare socket.
struct WebmailRows {
    let product: Product
    /// How many messages the folder holds.
    let messages: Int

    static let items = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE X-GUID PREVIEW)"
    private static let perPage = 50

    func run() throws -> [Result] {
        let token = try product.mailToken()
        let bare = try BareIMAP(port: product.imapPort, user: product.mailbox, token: token)
        try fill(bare)
        var results = try pages(bare)
        results.append(
            try compare(
                "folders, p50", budget: .atMost(1.3), floor: { try bare.command(Self.folders) },
                call: { [folders = try call("folders")] in try folders() }))
        results += try opening(bare)
        results += try ManyClients(product: product, messages: messages, token: token).run()
        results += try LargeFiles(product: product, bare: bare).run()
        return results
    }

    private static let folders =
        #"LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UNSEEN UIDVALIDITY HIGHESTMODSEQ SIZE))"#

    private func fill(_ bare: BareIMAP) throws {
        for batch in stride(from: 0, to: messages, by: 100) {
            try bare.append((batch..<batch + 100).map { Mails.mail($0, to: product.mailbox) }, to: "INBOX")
        }
        // So that Dovecot has in its index what is asked for, whoever asks first.
        try bare.command("NOOP")
        try bare.command("FETCH 1:* \(Self.items)")
    }

    /// Each page first as nobody has asked for it yet, then again.
    private func pages(_ bare: BareIMAP) throws -> [Result] {
        let socket = try Socket(port: product.webmailPort)
        let pages = messages / Self.perPage
        var first: [(floor: Double, call: Double)] = []
        var again: [(floor: Double, call: Double)] = []
        try call("messages/INBOX?per_page=1", on: socket)()
        for page in 1...pages {
            let last = messages - (page - 1) * Self.perPage
            let fetch = "FETCH \(last - Self.perPage + 1):\(last) \(Self.items)"
            let call = call("messages/INBOX?per_page=\(Self.perPage)&page=\(page)", on: socket)
            for round in 0..<3 {
                let floor = try timed {
                    try bare.commands("NOOP", fetch)
                }
                let ours = try timed { try call() }
                if round == 0 { first.append((floor, ours)) } else { again.append((floor, ours)) }
            }
        }
        let deep = Sample(first[(pages * 3 / 4 - 10)..<(pages * 3 / 4 + 10)].map(\.call)).median
        let newest = Sample(first[..<20].map(\.call)).median
        return [
            Self.row("page of 50, never shown before, p50", first, budget: .atMost(1.3)),
            Self.row("page of 50, shown before, p50", again, budget: .atMost(0.5)),
            Result(
                what: "page 150 against page 1, p50",
                measured: String(format: "%.2f ms to %.2f ms", deep, newest), value: deep / newest,
                budget: .atMost(1.3)),
        ]
    }

    /// Mails as a list has shown them: each opened once, then one of them again.
    private func opening(_ bare: BareIMAP) throws -> [Result] {
        let mail = Mails.html(bytes: 100_000, to: product.mailbox)
        for _ in 0..<Self.opened / 10 { try bare.append(Array(repeating: mail, count: 10), to: "INBOX") }
        try bare.command("NOOP")
        let socket = try Socket(port: product.webmailPort)
        try call("messages/INBOX?per_page=\(Self.opened)", on: socket)()
        func floor(_ uid: Int) throws { try bare.command("UID FETCH \(uid) (BODY.PEEK[TEXT])") }
        var first: [(floor: Double, call: Double)] = []
        for uid in messages + 1...messages + Self.opened {
            let read = call("messages/INBOX/\(uid)", on: socket)
            first.append((try timed { try floor(uid) }, try timed { try read() }))
        }
        let again = call("messages/INBOX/\(messages + 1)", on: socket)
        return [
            Self.row("open an HTML mail of 100 kB, never opened before, p50", first, budget: .atMost(2)),
            try compare(
                "open an HTML mail of 100 kB again, p50", budget: .atMost(2), floor: { try floor(messages + 1) },
                call: { try again() }),
        ]
    }

    /// Of the mails of 100 kB.
    private static let opened = 100

    private func call(_ path: String, on socket: Socket? = nil) throws -> HTTPCall {
        call(path, on: try socket ?? Socket(port: product.webmailPort))
    }

    private func call(_ path: String, on socket: Socket) -> HTTPCall {
        HTTPCall(on: socket, "GET", "/api/v1/mail/webmail/\(path)", headers: product.webmailHeaders)
    }

    private func compare(
        _ what: String, budget: Result.Budget, floor: () throws -> Void, call: () throws -> Void
    ) throws -> Result {
        for _ in 0..<20 {
            try floor()
            try call()
        }
        var pairs: [(floor: Double, call: Double)] = []
        for _ in 0..<300 { pairs.append((try timed(floor), try timed(call))) }
        return Self.row(what, pairs, budget: budget)
    }

    private static func row(
        _ what: String, _ pairs: [(floor: Double, call: Double)], budget: Result.Budget
    ) -> Result {
        let (floor, ours) = (Sample(pairs.map(\.floor)).median, Sample(pairs.map(\.call)).median)
        return Result(
            what: what, measured: String(format: "%.2f ms to %.2f ms on a bare socket", ours, floor),
            value: ours / floor, budget: budget)
    }
}

/// Pages at random that were shown before, asked for by sixteen at once.
private struct ManyClients {
    let product: Product
    let messages: Int
    let token: String

    private static let clients = 16

    func run() throws -> [Result] {
        var ours: [Double] = []
        var bare: [Double] = []
        var latencies: [Double] = []
        for _ in 0..<3 {
            bare.append(
                Double(
                    try together {
                        let imap = try BareIMAP(port: product.imapPort, user: product.mailbox, token: token)
                        return {
                            let last = Int.random(in: 1...messages / 50) * 50
                            try imap.commands(
                                "NOOP",
                                "FETCH \(last - 49):\(last) \(WebmailRows.items)")
                        }
                    }.count))
            let calls = try together {
                let socket = try Socket(port: product.webmailPort)
                return {
                    let page = Int.random(in: 1...messages / 50)
                    let call = HTTPCall(
                        on: socket, "GET", "/api/v1/mail/webmail/messages/INBOX?page=\(page)",
                        headers: product.webmailHeaders)
                    try call()
                }
            }
            ours.append(Double(calls.count))
            latencies += calls
        }
        let (throughput, floor) = (Sample(ours).median / 3, Sample(bare).median / 3)
        let sample = Sample(latencies)
        return [
            Result(
                what: "pages shown before, at 16 clients, against 16 bare sockets",
                measured: String(format: "%.0f/s to %.0f/s", throughput, floor), value: throughput / floor,
                budget: .atLeast(0.5)),
            Result(
                what: "page of 50 shown before, at 16 clients, p99 against its p50",
                measured: String(format: "%.2f ms to %.2f ms", sample.percentile(0.99), sample.median),
                value: sample.percentile(0.99) / sample.median, budget: .atMost(4)),
        ]
    }

    /// Every client on a thread of its own, for three seconds.
    /// - Returns: How long each call took, in milliseconds.
    private func together(_ client: @escaping @Sendable () throws -> () throws -> Void) throws -> [Double] {
        let group = DispatchGroup()
        let took = Mutex<[Double]>([])
        let ready = DispatchSemaphore(value: 0)
        let start = DispatchSemaphore(value: 0)
        for _ in 0..<Self.clients {
            Thread.detachNewThread {
                group.enter()
                let call = try? client()
                ready.signal()
                start.wait()
                let end = ContinuousClock.now + .seconds(3)
                var own: [Double] = []
                while let call, ContinuousClock.now < end, let time = try? timed(call) { own.append(time) }
                took.withLock { $0 += own }
                group.leave()
            }
        }
        for _ in 0..<Self.clients { ready.wait() }
        for _ in 0..<Self.clients { start.signal() }
        group.wait()
        return took.withLock { $0 }
    }
}

/// What large files that pass through take in memory.
private struct LargeFiles {
    let product: Product
    let bare: BareIMAP

    /// Bytes of an attachment in a block of base64 lines.
    private static let blockSize = 57 * 1024

    func run() throws -> [Result] {
        let folder = "Large"
        try bare.command("CREATE \(folder)")
        defer { try? bare.command("DELETE \(folder)") }
        try append(megabytes: 100, to: folder)
        // Room that earlier rows left in the heap would hide what is needed; it is trimmed every ten seconds.
        sleep(12)
        return [try download(from: folder), try upload(megabytes: 25)]
    }

    private func append(megabytes: Int, to folder: String) throws {
        let head = """
            From: Ann <ann@example.org>\r
            To: \(product.mailbox)\r
            Subject: Large\r
            Date: Sun, 22 Nov 2026 12:00:00 +0000\r
            MIME-Version: 1.0\r
            Content-Type: multipart/mixed; boundary=m\r
            \r
            --m\r
            Content-Type: text/plain\r
            \r
            small words\r
            --m\r
            Content-Type: application/octet-stream\r
            Content-Transfer-Encoding: base64\r
            Content-Disposition: attachment; filename="large.bin"\r
            \r

            """
        let line = Base64.encode((0..<57).map { UInt8($0) }) + "\r\n"
        try bare.append(
            head, String(repeating: line, count: Self.blockSize / 57), times: (megabytes << 20) / Self.blockSize + 1,
            "--m--\r\n", to: folder)
        // So that Dovecot knows the sizes, which takes it a second.
        try bare.commands("SELECT \(folder)", "UID FETCH 1 (BODYSTRUCTURE BINARY.SIZE[2])", "SELECT INBOX")
    }

    private func download(from folder: String) throws -> Result {
        let call = try HTTPCall(
            port: product.webmailPort, "GET", "/api/v1/mail/webmail/messages/\(folder)/1/attachments/2",
            headers: product.webmailHeaders)
        var bytes = 0
        let growth = try product.memoryGrowth(of: "webmail-proxy") { bytes = try call.download() }
        return Self.row("a download of \(bytes >> 20) MB", growth)
    }

    private func upload(megabytes: Int) throws -> Result {
        let path = "/api/v1/mail/webmail/uploads"
        let file = String(repeating: "-", count: megabytes << 20)
        let form = """
            --b\r
            Content-Disposition: form-data; name="file"; filename="large.bin"\r
            Content-Type: application/octet-stream\r
            \r
            \(file)\r
            --b--\r

            """
        var headers = product.webmailHeaders
        headers["Content-Type"] = "multipart/form-data; boundary=b"
        let socket = try Socket(port: product.webmailPort)
        let call = HTTPCall(on: socket, "POST", path, headers: headers, body: form)
        var answer: [UInt8] = []
        let growth = try product.memoryGrowth(of: "webmail-proxy") { answer = try call() }
        let upload = try JSONDecoder().decode(Product.Created.self, from: Data(answer))
        try HTTPCall(on: socket, "DELETE", "\(path)/\(upload.id)", headers: product.webmailHeaders)()
        return Self.row("an upload of \(megabytes) MB", growth)
    }

    private static func row(_ what: String, _ kilobytes: Int) -> Result {
        Result(
            what: "webmail-proxy during \(what), RSS grown by (MB)", measured: "\(kilobytes) kB",
            value: Double(kilobytes) / 1024, budget: .atMost(20))
    }
}
