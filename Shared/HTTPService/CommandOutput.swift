import FoundationEssentials

/// What a command prints: a table for people, JSON for programs.
public struct CommandOutput {
    let isJSON: Bool

    public init(isJSON: Bool) { self.isJSON = isJSON }

    /// - Parameters:
    ///   - columns: Names as in the JSON of the API.
    ///   - rows: A value for each column; nil is shown as a dash, and as null.
    public func table(_ columns: [String], _ rows: [[String?]]) throws {
        if isJSON {
            let objects = rows.map { Dictionary(zip(columns, $0)) { $1 } }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(objects), as: UTF8.self))
            return
        }
        let cells = [columns.map { $0.uppercased() }] + rows.map { $0.map { $0 ?? "-" } }
        let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        for row in cells {
            let line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            print(line.joined(separator: "  ").trimmingSuffix { $0 == " " })
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
