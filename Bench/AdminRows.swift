import Credentials
import Foundation
import MariaDB
import TestSupport

/// Domains and mailboxes: a page of very many, and making one.
struct AdminRows {
    let product: Product
    let mailboxes: Int
    let rounds: Int

    func run() async throws -> [Result] {
        let database = try product.openDatabase()
        try await database.execute(
            "CREATE TABLE IF NOT EXISTS bench_commits (id BIGINT AUTO_INCREMENT PRIMARY KEY, at BIGINT)")
        let rows = try await lists(database) + [try await mailbox(database), try await domain(database)]
        try await database.execute("DROP TABLE bench_commits")
        await database.close()
        return rows
    }

    // MARK: a page of 50

    private func lists(_ database: MariaDB) async throws -> [Result] {
        let small = try product.makeDomain("small"), large = try product.makeDomain("large")
        try await fill(small, 100, database)
        try await fill(large, mailboxes, database)
        let socket = try Socket(port: product.adminPort)
        let calls = [small, large].map { domain in
            HTTPCall(
                on: socket, "GET", "/api/v1/mail/domains/\(domain)/accounts?per_page=50", headers: product.adminHeaders)
        }
        for call in calls { for _ in 0..<20 { try call() } }
        var samples = [[Double]](repeating: [], count: 2)
        for _ in 0..<rounds * 5 { for index in 0..<2 { samples[index].append(try timed { try calls[index]() }) } }
        let medians = samples.map { Sample($0).median }
        return [
            Result(
                what: "list 50 of \(mailboxes) mailboxes, p50, against 50 of 100",
                measured: String(format: "%.2f ms to %.2f ms", medians[1], medians[0]), value: medians[1] / medians[0],
                budget: .atMost(1.5)),
            try await rates(large, database),
        ]
    }

    /// Mailboxes as an import would have left them, and more quickly.
    private func fill(_ domain: Int64, _ count: Int, _ database: MariaDB) async throws {
        try await database.execute(
            """
            INSERT INTO accounts (domain_id, email, password_hash, quota_mb, created_at)
            SELECT \(domain), CONCAT('m', seq, '@', (SELECT domain FROM domains WHERE id = \(domain))), '{PLAIN}x', 100, 0
            FROM \(unsafeRaw: "seq_1_to_\(count)")
            """)
        try await database.execute(
            "REPLACE INTO domain_totals (domain_id, accounts, aliases, quota_mb) VALUES (\(domain), \(count), 0, 0)")
        try await database.execute("ANALYZE TABLE accounts")
    }

    /// Requests a second at four clients, against the page's own SELECT through a pool of as many connections.
    private func rates(_ domain: Int64, _ database: MariaDB) async throws -> Result {
        var ratios: [(api: Double, bare: Double)] = []
        for _ in 0..<5 {
            let api = try await rate { socket in
                HTTPCall(
                    on: socket, "GET", "/api/v1/mail/domains/\(domain)/accounts?per_page=50",
                    headers: product.adminHeaders)
            }
            let bare = try await rate(of: Self.page(domain), database)
            ratios.append((api, bare))
        }
        let api = Sample(ratios.map(\.api)).median, bare = Sample(ratios.map(\.bare)).median
        return Result(
            what: "list 50 of \(mailboxes) mailboxes, req/s, against the bare SELECT",
            measured: String(format: "%.0f/s to %.0f/s", api, bare), value: api / bare, budget: .atLeast(0.5))
    }

    private static func page(_ domain: Int64) -> SQL {
        """
        SELECT a.id, a.email, a.domain_id, a.quota_mb, a.send_limit, u.bytes, u.messages, a.status, a.display_name,
          a.last_login, l.last_login AS seen, a.created_at
        FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
          LEFT JOIN mailbox_usage u ON u.username = a.email LEFT JOIN mailbox_logins l ON l.username = a.email
        WHERE a.domain_id = \(domain) AND a.deleted_at IS NULL ORDER BY a.email LIMIT 50 OFFSET 0
        """
    }

    private static let clients = 4
    private static let seconds = 1.5

    private func rate(_ call: @escaping @Sendable (Socket) -> HTTPCall) async throws -> Double {
        let port = product.adminPort
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<Self.clients {
                group.addTask {
                    try await withCheckedThrowingContinuation { continuation in
                        // The client blocks, so it has a thread of its own.
                        Thread.detachNewThread {
                            continuation.resume(with: Swift.Result { try Self.count(call(Socket(port: port))) })
                        }
                    }
                }
            }
            return Double(try await group.reduce(0, +)) / Self.seconds
        }
    }

    private static func count(_ call: HTTPCall) throws -> Int {
        let end = ContinuousClock.now + .seconds(seconds)
        var count = 0
        while ContinuousClock.now < end {
            try call()
            count += 1
        }
        return count
    }

    private func rate(of select: SQL, _ database: MariaDB) async throws -> Double {
        let end = ContinuousClock.now + .seconds(Self.seconds)
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<Self.clients {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end {
                        _ = try await database.query(select)
                        count += 1
                    }
                    return count
                }
            }
            return Double(try await group.reduce(0, +)) / Self.seconds
        }
    }

    // MARK: making one

    private func commit(_ database: MariaDB) async throws {
        _ = try await database.transaction { try $0.execute("INSERT INTO bench_commits (at) VALUES (1)") }
    }

    private func mailbox(_ database: MariaDB) async throws -> Result {
        let domain = try product.makeDomain("mailboxes")
        let passwords = PasswordHash()
        let socket = try Socket(port: product.adminPort)
        var ours: [Double] = [], floor: [Double] = []
        for round in 0..<rounds {
            floor.append(
                try await timed {
                    _ = try await passwords.hash("a good password")
                    try await commit(database)
                })
            let body = #"{"local_part":"m\#(round)","password":"a good password"}"#
            let call = HTTPCall(
                on: socket, "POST", "/api/v1/mail/domains/\(domain)/accounts", headers: product.adminHeaders, body: body
            )
            ours.append(try timed { try call() })
        }
        return Self.result("create a mailbox, p50, against a hash and a commit", ours, floor)
    }

    private func domain(_ database: MariaDB) async throws -> Result {
        let patch = try product.zonePatch()
        let socket = try Socket(port: product.adminPort)
        var ours: [Double] = [], floor: [Double] = []
        for round in 0..<rounds {
            floor.append(
                try await timed {
                    try await commit(database)
                    try patch(round)
                })
            let call = HTTPCall(
                on: socket, "POST", "/api/v1/mail/domains", headers: product.adminHeaders,
                body: product.newDomain("round\(round)"))
            ours.append(try timed { try call() })
            // As domains come: not faster than their keys can be made.
            try await Task.sleep(for: .milliseconds(700))
        }
        return Self.result("create a domain, p50, against a commit and a PATCH of PowerDNS", ours, floor)
    }

    private static func result(_ what: String, _ ours: [Double], _ floor: [Double]) -> Result {
        let medians = (Sample(ours).median, Sample(floor).median)
        return Result(
            what: what, measured: String(format: "%.2f ms to %.2f ms", medians.0, medians.1),
            value: medians.0 / medians.1, budget: .atMost(1.5))
    }
}

/// Milliseconds that a call took.
private func timed(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    let elapsed = start.duration(to: .now).components
    return Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15
}
