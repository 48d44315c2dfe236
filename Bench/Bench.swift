import Foundation
import TestSupport

/// `make bench`: what the product costs over what its parts cost, as ratios within one run.
///
/// Machines are noisy and their speed drifts: each row interleaves the two things it compares and shows the ratio of
/// medians.
@main struct Bench {
    static func main() async throws {
        signal(SIGPIPE, SIG_IGN)
        let product = try Product(TestStack.load())
        try product.prepare()
        var results: [Result] = []
        results += try step("introspection") {
            try IntrospectionRows(product: product, rounds: 5, secondsPerRound: 2).run()
        }
        note("tokens")
        results += try await TokenRows(product: product, tokens: 1000).run()
        results += try step("webmail") { try WebmailRows(product: product, rounds: 300).run() }
        results += try step("delivery") { try DeliveryRows(product: product, rounds: 40).run() }
        results += try step("revocation") { try RevocationRows(product: product, rounds: 50).run() }
        results += try step("memory") { try MemoryRows(product: product).run() }
        Report.print(results)
    }

    private static func step(_ name: String, _ body: () throws -> [Result]) throws -> [Result] {
        note(name)
        return try body()
    }

    private static func note(_ name: String) {
        FileHandle.standardError.write(Data("measuring \(name) …\n".utf8))
    }
}

/// The resident memory of each service.
struct MemoryRows {
    let product: Product

    func run() throws -> [Result] {
        try ["auth-server", "admin-api", "webmail-proxy", "mail-watcher"].map { service in
            let pid = try String(contentsOfFile: "\(product.pidsFolder)/\(service)", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let kilobytes =
                status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
                .flatMap { Double($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
            return Result(
                what: "\(service), RSS after the load above (MB)", measured: "\(Int(kilobytes)) kB",
                value: kilobytes / 1024, budget: .atMost(40))
        }
    }
}
