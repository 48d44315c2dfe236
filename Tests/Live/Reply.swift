import Foundation

/// What a service answered.
struct Reply: Sendable {
    let request: String
    let status: Int
    /// By lower-case name; of a header given twice the last.
    let headers: [String: String]
    let body: Data

    /// The body as JSON; `.null` when it is none.
    var json: JSON { (try? JSON(parsing: body)) ?? .null }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The machine-readable word of a problem.
    var code: String? { json["code"].string }

    /// The names of the fields a problem complains about.
    var faultyFields: [String] { json["errors"].items.compactMap { $0["field"].string } }

    /// Whether the error is told as RFC 9457 has it, and tells nothing of our insides.
    var isCleanProblem: Bool {
        headers["content-type"]?.hasPrefix("application/problem+json") == true
            && json["status"].int == status && json["title"].string != nil && json["code"].string != nil
            && json["type"].string != nil && json["request_id"].string != nil
            && !["SELECT ", "INSERT ", ".swift", "Swift.", "NIO", "MariaDBError", "Stack trace"]
                .contains(where: text.contains)
    }

    /// The body, when the status is the one wanted.
    func json(_ wanted: Int) throws -> JSON {
        guard status == wanted else { throw Surprise("\(request): \(wanted) wanted, got \(status): \(text)") }
        return json
    }
}

/// Something did not go as the test's preparation needs it.
struct Surprise: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
