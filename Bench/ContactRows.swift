import Foundation

/// Autocompletion with an address book of 50,000, through HTTP.
struct ContactRows {
    let product: Product
    let contacts: Int
    let rounds: Int

    private static let given = ["Anna", "Änne", "Bernd", "Chloé", "Dieter", "Emilia", "Jörg", "José", "Søren", "Zoë"]
    /// One letter finds a tenth of them or more; the last finds all.
    private static let queries = ["a", "an", "ann", "anna fam", "j", "jor", "family499", "mail12", "zoe family1", "f"]

    func run() throws -> [Result] {
        let headers = ["x-service-token": product.serviceToken, "x-mail-account": product.mailbox]
        let socket = try Socket(port: product.webmailPort, timeoutSeconds: 120)
        for start in stride(from: 0, to: contacts, by: 10_000) {
            let cards = (start..<min(start + 10_000, contacts)).map(Self.card).joined()
            try HTTPCall(
                on: socket, "POST", "/api/v1/mail/contacts/import",
                headers: headers.merging(["Content-Type": "text/vcard"]) { $1 }, body: cards)()
        }
        let calls = Self.queries.map { query in
            HTTPCall(
                on: socket, "GET",
                "/api/v1/mail/contacts/autocomplete?limit=10&q="
                    + (query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? query),
                headers: headers)
        }
        let first = try timed { try calls[0]() }
        for call in calls { try call() }
        let sample = Sample(try (0..<rounds).flatMap { _ in try calls.map { call in try timed { try call() } } })
        return [
            Result(
                what: "autocomplete, \(contacts) contacts, p50 (ms)",
                measured: String(format: "first call, which reads them all: %.0f ms", first), value: sample.median,
                budget: .atMost(5)),
            Result(
                what: "autocomplete, \(contacts) contacts, p99 (ms)",
                measured: String(format: "%d calls of %d queries", rounds * calls.count, calls.count),
                value: sample.percentile(0.99), budget: .atMost(5)),
        ]
    }

    private static func card(_ number: Int) -> String {
        let name = "\(given[number % given.count]) Family\(number)"
        return
            "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:\(name)\r\nEMAIL:person\(number)@mail\(number % 500).test\r\nEND:VCARD\r\n"
    }
}
