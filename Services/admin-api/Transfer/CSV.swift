/// Tables as text (RFC 4180).
enum CSV {
    struct Row: Sendable, Equatable {
        /// From 1, of the row's first line.
        let line: Int
        let cells: [String]
    }

    /// The rows; a quotation mark that is never closed ends with the text, and is noted in the last row as it is.
    static func parse(_ bytes: [UInt8]) -> [Row] {
        var rows: [Row] = [], cells: [String] = [], cell: [UInt8] = []
        var line = 1, first = 1
        var isQuoted = false, wasQuoted = false
        func text() -> String { String(decoding: cell, as: UTF8.self) }
        func endRow() {
            cells.append(text())
            if cells != [""] || wasQuoted { rows.append(Row(line: first, cells: cells)) }
            cells = []
            cell = []
            wasQuoted = false
        }
        let hasMark = bytes.starts(with: [0xef, 0xbb, 0xbf])
        var index = hasMark ? 3 : 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0a { line += 1 }
            switch byte {
            case UInt8(ascii: "\"") where isQuoted:
                if index + 1 < bytes.count, bytes[index + 1] == byte {
                    cell.append(byte)
                    index += 1
                } else {
                    isQuoted = false
                }
            case UInt8(ascii: "\"") where cell.isEmpty && !wasQuoted:
                isQuoted = true
                wasQuoted = true
            case _ where isQuoted: cell.append(byte)
            case UInt8(ascii: ","):
                cells.append(text())
                cell = []
                wasQuoted = false
            case 0x0a:
                endRow()
                first = line
            case 0x0d: if index + 1 < bytes.count, bytes[index + 1] != 0x0a { cell.append(byte) }
            default: cell.append(byte)
            }
            index += 1
        }
        if !cell.isEmpty || !cells.isEmpty { endRow() }
        return rows
    }

    /// One row, with its line end. A cell that a spreadsheet would take for a formula keeps its text: who imports it again
    /// gets what was exported.
    static func line(_ cells: [String]) -> String {
        cells.map { cell in
            cell.contains(where: { ",\"\r\n".contains($0) }) || cell.hasPrefix(" ")
                ? "\"\(cell.replacing("\"", with: "\"\""))\"" : cell
        }.joined(separator: ",") + "\r\n"
    }
}
