/// The bytes of a JSON text under construction; containers are closed when a shallower one is written to.
final class JSONOutput {
    private struct Frame {
        let close: UInt8
        var isEmpty = true
    }

    private(set) var bytes: [UInt8] = []
    private var frames: [Frame] = []

    init() { bytes.reserveCapacity(512) }

    /// How many containers are open.
    var depth: Int { frames.count }

    /// Opens a container and returns its level.
    func open(object: Bool) -> Int {
        bytes.append(object ? UInt8(ascii: "{") : UInt8(ascii: "["))
        frames.append(Frame(close: object ? UInt8(ascii: "}") : UInt8(ascii: "]")))
        return frames.count
    }

    /// Closes what is deeper than `level`.
    func close(downTo level: Int) {
        while frames.count > level, let frame = frames.popLast() { bytes.append(frame.close) }
    }

    /// Gets ready for the next member of the container at `level`.
    ///
    /// - Returns: false when that container is closed already: it was written to after its parent was.
    func next(level: Int) -> Bool {
        guard frames.count >= level else { return false }
        close(downTo: level)
        if frames[level - 1].isEmpty {
            frames[level - 1].isEmpty = false
        } else {
            bytes.append(UInt8(ascii: ","))
        }
        return true
    }

    func key(_ name: String) { Self.append(name, then: UInt8(ascii: ":"), to: &bytes) }

    func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    func integer(_ value: some BinaryInteger) { bytes.append(contentsOf: String(value).utf8) }

    func integer(_ value: Int64) { Self.append(value, to: &bytes) }

    /// - Returns: false for what JSON has no number for.
    func double(_ value: Double) -> Bool {
        guard value.isFinite else { return false }
        bytes.append(contentsOf: value.description.utf8)
        return true
    }

    func string(_ text: String) { Self.append(text, to: &bytes) }

    // The bytes are handed over once for each value: every look at a class's own array is checked for others'.

    /// RFC 8259 §7: runs of plain bytes are copied whole.
    private static func append(_ text: String, then last: UInt8? = nil, to bytes: inout [UInt8]) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { utf8 in
            var start = 0
            for index in 0..<utf8.count {
                let byte = utf8[index]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
                appendEscape(byte, to: &bytes)
                start = index + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
        if let last { bytes.append(last) }
    }

    private static func append(_ number: Int64, to bytes: inout [UInt8]) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    private static func appendEscape(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case ..<0x20:
            let digits: StaticString = "0123456789abcdef"
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(digits.utf8Start[Int(byte >> 4)])
            bytes.append(digits.utf8Start[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }
}
