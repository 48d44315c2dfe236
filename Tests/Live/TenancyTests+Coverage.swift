import Foundation
import NIOHTTP1
import Testing

/// Holds the table to what the services say that they answer.
extension TenancyTests {
    /// A method and a path of an `openapi.yaml`.
    private struct Operation: Hashable, CustomStringConvertible {
        let method: String
        let path: String

        var description: String { "\(method) \(path)" }
        var placeholders: Int { path.count { $0 == "{" } }

        func answers(_ route: Route) -> Bool {
            let path = route.path(Subject()).prefix { $0 != "?" }.split(separator: "/")
            let own = self.path.split(separator: "/")
            return method == route.method.rawValue && path.count == own.count
                && zip(own, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    @Test static func everyRouteIsInTheTable() throws {
        let operations = try documented(), names = Set(operations.map(\.description))
        try #require(operations.count > 100)
        var covered: Set<String> = []
        for route in routes + upheavals {
            // `contacts/export` is not a contact of that name.
            let operation = operations.filter { $0.answers(route) }.min { $0.placeholders < $1.placeholders }
            #expect(operation != nil, "\(route) is in no openapi.yaml")
            if let operation { covered.insert(operation.description) }
        }
        let others = Set(elsewhere.values.joined())
        #expect(names.subtracting(covered).subtracting(others).sorted() == [], "neither in the table nor elsewhere")
        #expect(others.subtracting(names).sorted() == [], "in no openapi.yaml")
        #expect(others.intersection(covered).sorted() == [], "in the table and elsewhere")
    }

    private static func documented() throws -> [Operation] {
        let services = Outside.repository.appending(path: "Services")
        var operations: [Operation] = []
        for service in try FileManager.default.contentsOfDirectory(atPath: services.path()) {
            let file = services.appending(path: "\(service)/openapi.yaml")
            var isInPaths = false, path = ""
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                if !line.hasPrefix(" ") { isInPaths = line.hasPrefix("paths:") }
                let key = line.drop { $0 == " " }.prefix { $0 != ":" }
                switch line.prefix(while: { $0 == " " }).count {
                case 2 where isInPaths: path = String(key)
                case 4 where isInPaths && ["get", "put", "post", "patch", "delete"].contains(key):
                    operations.append(Operation(method: key.uppercased(), path: path))
                default: break
                }
            }
        }
        return operations
    }
}
