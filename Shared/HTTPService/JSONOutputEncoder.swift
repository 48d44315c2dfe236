/// `Encoder` that writes as it goes, without a tree between: several times the speed of Foundation's.
struct JSONOutputEncoder: Encoder, SingleValueEncodingContainer {
    let output: JSONOutput
    let codingPath: [any CodingKey]
    /// How deep the value stands: a value that asks twice for a container gets the same one (`Encoder.container`).
    private let depth: Int

    init(output: JSONOutput, codingPath: [any CodingKey]) {
        self.output = output
        self.codingPath = codingPath
        self.depth = output.depth
    }

    private func level(object: Bool) -> Int { output.depth > depth ? depth + 1 : output.open(object: object) }

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// - Throws: `EncodingError` for numbers that are not finite, and what the value itself throws.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let output = JSONOutput()
        try JSONOutputEncoder(output: output, codingPath: []).write(value)
        output.close(downTo: 0)
        return output.bytes
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(
            JSONKeyedOutput<Key>(output: output, level: level(object: true), codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        JSONUnkeyedOutput(output: output, level: level(object: false), codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    /// A value that writes nothing of itself is an empty object.
    func write(_ value: some Encodable) throws {
        let before = output.bytes.count
        let depth = output.depth
        try value.encode(to: self)
        output.close(downTo: depth)
        if output.bytes.count == before { output.raw("{}") }
    }

    func encodeNil() { output.raw("null") }
    func encode(_ value: Bool) { value ? output.raw("true") : output.raw("false") }
    func encode(_ value: String) { output.string(value) }
    func encode(_ value: Double) throws {
        guard output.double(value) else {
            throw EncodingError.invalidValue(
                value, .init(codingPath: codingPath, debugDescription: "JSON has no such number"))
        }
    }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { output.integer(Int64(value)) }
    func encode(_ value: Int8) { output.integer(value) }
    func encode(_ value: Int16) { output.integer(value) }
    func encode(_ value: Int32) { output.integer(value) }
    func encode(_ value: Int64) { output.integer(value) }
    func encode(_ value: UInt) { output.integer(value) }
    func encode(_ value: UInt8) { output.integer(value) }
    func encode(_ value: UInt16) { output.integer(value) }
    func encode(_ value: UInt32) { output.integer(value) }
    func encode(_ value: UInt64) { output.integer(value) }
    func encode<T: Encodable>(_ value: T) throws { try write(value) }
}

private struct JSONKeyedOutput<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let output: JSONOutput
    let level: Int
    let codingPath: [any CodingKey]

    private func begin(_ name: String) throws {
        guard output.next(level: level) else { throw closed(codingPath) }
        output.key(name)
    }

    private func member(_ key: any CodingKey) throws -> JSONOutputEncoder {
        try begin(key.stringValue)
        return JSONOutputEncoder(output: output, codingPath: codingPath)
    }

    // What most fields are needs no encoder of its own.
    mutating func encodeNil(forKey key: Key) throws {
        try begin(key.stringValue)
        output.raw("null")
    }

    mutating func encode(_ value: String, forKey key: Key) throws {
        try begin(key.stringValue)
        output.string(value)
    }

    mutating func encode(_ value: Int, forKey key: Key) throws { try encode(Int64(value), forKey: key) }

    mutating func encode(_ value: Int64, forKey key: Key) throws {
        try begin(key.stringValue)
        output.integer(value)
    }

    mutating func encode(_ value: Bool, forKey key: Key) throws { try member(key).encode(value) }
    mutating func encode(_ value: UInt32, forKey key: Key) throws { try member(key).encode(value) }
    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try member(key).write(value) }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { superEncoder(forKey: key).container(keyedBy: type) }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        superEncoder(forKey: key).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { child(JSONKey("super")) }
    mutating func superEncoder(forKey key: Key) -> any Encoder { child(key) }

    /// These three may not throw; a container written to out of order writes into a text that is thrown away.
    private func child(_ key: any CodingKey) -> JSONOutputEncoder {
        (try? member(key)) ?? JSONOutputEncoder(output: JSONOutput(), codingPath: codingPath)
    }
}

private struct JSONUnkeyedOutput: UnkeyedEncodingContainer {
    let output: JSONOutput
    let level: Int
    let codingPath: [any CodingKey]
    var count = 0

    private mutating func item() throws -> JSONOutputEncoder {
        guard output.next(level: level) else { throw closed(codingPath) }
        count += 1
        return JSONOutputEncoder(output: output, codingPath: codingPath)
    }

    mutating func encodeNil() throws { try item().encodeNil() }
    mutating func encode(_ value: String) throws { try item().encode(value) }
    mutating func encode(_ value: Int) throws { try item().encode(value) }
    mutating func encode<T: Encodable>(_ value: T) throws { try item().write(value) }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        superEncoder().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { superEncoder().unkeyedContainer() }

    mutating func superEncoder() -> any Encoder {
        (try? item()) ?? JSONOutputEncoder(output: JSONOutput(), codingPath: codingPath)
    }
}

private func closed(_ path: [any CodingKey]) -> EncodingError {
    .invalidValue("container", .init(codingPath: path, debugDescription: "a container was written to after its end"))
}
