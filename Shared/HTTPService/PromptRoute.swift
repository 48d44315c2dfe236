public import NIOCore
public import NIOHTTP1

/// A route that is answered at once, on the connection's own thread, before the router is asked.
///
/// For a question that comes thousands of times a second and has its answer in memory. Whatever the route cannot answer
/// at once it leaves to the router, where the same path must have a handler that can: the answers must not differ but in
/// their time. Only plain requests come here: a `POST` with a `Content-Length` of at most 16 kB, not the last of its
/// connection, with nothing before it on the same connection still unanswered.
public struct PromptRoute: Sendable {
    let path: String
    let answer: @Sendable (PromptRequest) -> ByteBuffer?

    /// - Parameters:
    ///   - path: As it stands in the request line, without a query.
    ///   - answer: The JSON of a 200, or nil when the router is to answer. It must neither wait nor take long.
    public init(_ path: String, answer: @escaping @Sendable (PromptRequest) -> ByteBuffer?) {
        self.path = path
        self.answer = answer
    }
}

/// A request as a `PromptRoute` sees it.
public struct PromptRequest: Sendable {
    public let headers: HTTPHeaders
    public let body: ByteBuffer

    /// The value of a field of a form, as `FormFields` would find it; nil when that is to judge: when there is no such
    /// field, or two, when something would have to be decoded first, and when there are very many fields.
    public func formField(_ name: StaticString) -> String? {
        guard isForm else { return nil }
        return body.withUnsafeReadableBytes { bytes in
            guard !bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return nil }
            let name = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            var found: Slice<UnsafeRawBufferPointer>?
            var rest = bytes[...]
            var count = 0
            while !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
                let pair = rest[..<end]
                rest = rest[end...].dropFirst()
                count += 1
                guard count <= Self.maximumFields else { return nil }
                guard pair.starts(with: name) else { continue }
                let value = pair.dropFirst(name.count)
                // Without "=" its value is empty, and with anything else it is another field.
                guard value.isEmpty || value.first == UInt8(ascii: "=") else { continue }
                guard found == nil else { return nil }
                found = value.dropFirst()
            }
            return found.flatMap { String(validating: $0, as: UTF8.self) }
        }
    }

    private static let maximumFields = 100

    private var isForm: Bool {
        let form = "application/x-www-form-urlencoded".utf8
        guard let type = headers.first(name: "content-type")?.utf8, type.starts(with: form) else { return false }
        let next = type.dropFirst(form.count).first
        return next == nil || next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }
}
