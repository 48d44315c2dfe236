/// Which call from outside something is done for. It is told to every service that the call leads to, so that one id finds
/// the lines of all logs.
public struct RequestTrace: Sendable, Equatable {
    /// What the current task does it for; nil for work of our own.
    @TaskLocal public static var current: RequestTrace?

    public let requestID: String
    /// `traceparent` as it came (W3C Trace Context §3.2); nil where none came or it was malformed.
    public let traceParent: String?
    /// `tracestate`, which goes with it (§3.3).
    public let traceState: String?

    /// - Parameters:
    ///   - traceParent: Left out, with `traceState`, unless it is well-formed (§3.2.2).
    ///   - traceState: Left out when it is longer than 512 bytes or holds anything but printable ASCII.
    public init(requestID: String, traceParent: String? = nil, traceState: String? = nil) {
        self.requestID = requestID
        let parent = traceParent.flatMap { Self.isWellFormed($0.utf8) ? $0 : nil }
        self.traceParent = parent
        self.traceState =
            parent == nil ? nil : traceState.flatMap { Self.isPrintable($0.utf8) && $0.utf8.count <= 512 ? $0 : nil }
    }

    /// The id that a tracing system knows the call by.
    public var traceID: String? { traceParent.map { String($0.dropFirst(3).prefix(32)) } }

    /// What a call to another service carries.
    public var headers: [(name: String, value: String)] {
        [("x-request-id", requestID)] + (traceParent.map { [("traceparent", $0)] } ?? [])
            + (traceState.map { [("tracestate", $0)] } ?? [])
    }

    private static func isWellFormed(_ text: String.UTF8View) -> Bool {
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].count == 2, parts[1].count == 32, parts[2].count == 16, parts[3].count == 2,
            parts.prefix(4).allSatisfy({ $0.allSatisfy(isHex) })
        else { return false }
        // A later version may say more; what it says first means the same.
        let isLater = !parts[0].elementsEqual("00".utf8)
        return (isLater || parts.count == 4) && !parts[0].elementsEqual("ff".utf8)
            && parts[1...2].allSatisfy { $0.contains { $0 != UInt8(ascii: "0") } } && text.count <= 256
            && isPrintable(text)
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    private static func isPrintable(_ text: String.UTF8View) -> Bool { text.allSatisfy { (0x20...0x7e).contains($0) } }
}
