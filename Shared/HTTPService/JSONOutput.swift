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

    // The bytes are handed over once for each value: every look at a class's own array is checked for others'.

    func key(_ name: String) { JSONText.appendKey(name, to: &bytes) }

    func raw(_ text: StaticString) { JSONText.append(text, to: &bytes) }

    func integer(_ value: some BinaryInteger) {
        // What is wider than 64 bits is rare.
        guard let magnitude = UInt64(exactly: value.magnitude) else {
            return bytes.append(contentsOf: String(value).utf8)
        }
        JSONText.append(magnitude: magnitude, isNegative: value < 0, to: &bytes)
    }

    /// - Returns: false for what JSON has no number for.
    func double(_ value: Double) -> Bool {
        guard value.isFinite else { return false }
        bytes.append(contentsOf: value.description.utf8)
        return true
    }

    func string(_ text: String) { JSONText.append(text, to: &bytes) }
}
