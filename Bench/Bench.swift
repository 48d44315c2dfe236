import Foundation
import TestSupport

/// `make bench`: what the product costs over what its parts cost, as ratios within one run.
///
/// Machines are noisy and their speed drifts: each row interleaves the two things it compares and shows the ratio of
/// medians. With names (`make bench ROWS="webmail watcher"`) only those parts are measured.
@main struct Bench {
    private static let parts: [(name: String, rows: @Sendable (Product) async throws -> [Result])] = [
        ("memory", { try MemoryRows(product: $0).run() }),
        ("introspection", { try IntrospectionRows(product: $0, rounds: 5, secondsPerRound: 2).run() }),
        ("tokens", { try await TokenRows(product: $0, tokens: 1000).run() }),
        ("logins", { try DovecotLoginRows(product: $0, rounds: 300).run() }),
        ("admin", { try await AdminRows(product: $0, mailboxes: 1_000_000, rounds: 30).run() }),
        ("webmail", { try WebmailRows(product: $0, messages: 10_000).run() }),
        ("mailboxes", { try ManyMailboxesRows(product: $0, mailboxes: 1000, messages: 20).run() }),
        ("contacts", { try ContactRows(product: $0, contacts: 50_000, rounds: 100).run() }),
        ("sending", { try SendRows(product: $0, rounds: 100).run() }),
        ("watcher", { try WatcherRows(product: $0, rounds: 200).run() + scale($0) }),
        ("revocation", { try RevocationRows(product: $0, rounds: 50, roundsWithoutRedis: 10).run() }),
    ]

    private static func scale(_ product: Product) throws -> [Result] {
        try WatcherScaleRows(product: product, mailboxes: 1000, sockets: 10_000).run()
    }

    static func main() async throws {
        signal(SIGPIPE, SIG_IGN)
        let wanted = CommandLine.arguments.dropFirst()
        let product = try Product(TestStack.load())
        try product.prepare()
        var results: [Result] = []
        for part in parts where wanted.isEmpty || wanted.contains(part.name) {
            FileHandle.standardError.write(Data("measuring \(part.name) …\n".utf8))
            results += try await part.rows(product)
        }
        Report.print(results)
    }
}

/// The resident memory of each service.
struct MemoryRows {
    let product: Product

    func run() throws -> [Result] {
        try ["auth-server", "admin-api", "webmail-proxy", "mail-watcher"].map { service in
            let kilobytes = try product.residentMemory(of: service)
            return Result(
                what: "\(service), idle, RSS (MB)", measured: "\(kilobytes) kB",
                value: Double(kilobytes) / 1024, budget: .atMost(40))
        }
    }
}
