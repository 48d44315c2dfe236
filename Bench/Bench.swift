import Foundation
import TestSupport

/// `make bench`: what the product costs over what its parts cost, as ratios within one run.
///
/// Machines are noisy and their speed drifts: each row interleaves the two things it compares and shows the ratio of
/// medians. With names (`make bench ROWS="webmail delivery"`) only those parts are measured.
@main struct Bench {
    private static let parts: [(name: String, rows: @Sendable (Product) async throws -> [Result])] = [
        ("memory", { try MemoryRows(product: $0).run() }),
        ("introspection", { try IntrospectionRows(product: $0, rounds: 5, secondsPerRound: 2).run() }),
        ("tokens", { try await TokenRows(product: $0, tokens: 1000).run() }),
        ("logins", { try DovecotLoginRows(product: $0, rounds: 300).run() }),
        ("admin", { try await AdminRows(product: $0, mailboxes: 1_000_000, rounds: 30).run() }),
        ("webmail", { try WebmailRows(product: $0, messages: 10_000).run() }),
        ("contacts", { try ContactRows(product: $0, contacts: 50_000, rounds: 100).run() }),
        ("sending", { try SendRows(product: $0, rounds: 100).run() }),
        ("delivery", { try DeliveryRows(product: $0, rounds: 40).run() }),
        ("revocation", { try RevocationRows(product: $0, rounds: 50, roundsWithoutRedis: 10).run() }),
    ]

    static func main() async throws {
        signal(SIGPIPE, SIG_IGN)
        let wanted = CommandLine.arguments.dropFirst()
        let product = try Product(TestStack.load())
        try product.prepare()
        var results: [Result] = []
        // The Dovecot of `logins` answers its first pair of logins and no more, so it is measured only when asked for.
        for part in parts where wanted.isEmpty ? part.name != "logins" : wanted.contains(part.name) {
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
            let pid = try product.processID(of: service)
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let kilobytes =
                status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
                .flatMap { Double($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
            return Result(
                what: "\(service), idle, RSS (MB)", measured: "\(Int(kilobytes)) kB",
                value: kilobytes / 1024, budget: .atMost(40))
        }
    }
}
