import MailModel

/// Writes JSON straight into bytes (RFC 8259): for the answers that are asked for most, on which `JSONResponses` would spend
/// more than the server behind them does.
///
///     var json = JSONWriter()
///     json.object { json in
///         json.field("total", 2)
///         json.key("items")
///         json.array(["a", "b"]) { $0.value($1) }
///     }
///
/// The caller keeps the grammar: every value in an object is preceded by its key, objects and arrays are closed by the
/// closures that opened them.
public struct JSONWriter: Sendable {
    /// What is written so far: UTF-8.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// - Parameter capacity: How many bytes the answer will take, about.
    public init(capacity: Int = 1024) { bytes.reserveCapacity(capacity) }

    @inlinable
    public mutating func object(_ content: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "{"))
        content(&self)
        close(UInt8(ascii: "}"))
    }

    @inlinable
    public mutating func array<Elements: Sequence>(
        _ elements: Elements, _ content: (inout JSONWriter, Elements.Element) -> Void
    ) {
        open(UInt8(ascii: "["))
        for element in elements { content(&self, element) }
        close(UInt8(ascii: "]"))
    }

    /// The key of the value written next; it must need no escapes.
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        JSONText.append(name, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// The key of the value written next, whatever is in it.
    mutating func key(_ name: String) {
        separate()
        JSONText.appendKey(name, to: &bytes)
        needsComma = false
    }

    /// Members of an object without the object around them.
    public mutating func members(_ content: (inout JSONWriter) -> Void) {
        needsComma = false
        content(&self)
    }

    /// What was written before: a value, or members of an object.
    public mutating func written(_ json: ArraySlice<UInt8>) {
        guard !json.isEmpty else { return }
        separate()
        bytes.append(contentsOf: json)
    }

    public mutating func null() { word("null") }

    public mutating func value(_ flag: Bool) { word(flag ? "true" : "false") }

    /// A whole number of at most 64 bits.
    @inlinable
    public mutating func value(_ number: some BinaryInteger) {
        integer(magnitude: UInt64(number.magnitude), isNegative: number < 0)
    }

    /// A number; `null` for what JSON has no number for.
    mutating func value(_ number: Double) {
        guard number.isFinite else { return null() }
        separate()
        bytes.append(contentsOf: number.description.utf8)
    }

    /// A string; nil is `null`.
    public mutating func value(_ text: String?) {
        guard let text else { return null() }
        separate()
        JSONText.append(text, to: &bytes)
    }

    /// One string of several; the separator must need no escapes.
    public mutating func value(_ one: String, _ separator: StaticString, _ other: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        JSONText.appendEscaped(one, to: &bytes)
        JSONText.append(separator, to: &bytes)
        JSONText.appendEscaped(other, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// A string; nil is `null`, and there.
    public mutating func field(_ name: StaticString, _ text: String?) {
        key(name)
        value(text)
    }

    public mutating func field(_ name: StaticString, _ flag: Bool) {
        key(name)
        value(flag)
    }

    @inlinable
    public mutating func field(_ name: StaticString, _ number: some BinaryInteger) {
        key(name)
        value(number)
    }

    /// A whole number; nil is `null`, and there.
    @inlinable
    public mutating func field(_ name: StaticString, _ number: (some BinaryInteger)?) {
        key(name)
        if let number { value(number) } else { null() }
    }

    /// A time: milliseconds since 1970, written as RFC 3339 in UTC.
    public mutating func field(_ name: StaticString, at milliseconds: Int64) {
        key(name)
        separate()
        bytes.append(UInt8(ascii: "\""))
        Timestamp.appendRFC3339(milliseconds: milliseconds, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    public mutating func field(_ name: StaticString, _ texts: [String]) {
        key(name)
        array(texts) { $0.value($1) }
    }

    @usableFromInline
    mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    @usableFromInline
    mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    @usableFromInline
    mutating func integer(magnitude: UInt64, isNegative: Bool) {
        separate()
        JSONText.append(magnitude: magnitude, isNegative: isNegative, to: &bytes)
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func word(_ text: StaticString) {
        separate()
        JSONText.append(text, to: &bytes)
    }
}
