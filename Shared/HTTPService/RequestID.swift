public import HTTPTypes

extension HTTPField.Name {
    /// Names a request across services and logs.
    public static let xRequestID = HTTPField.Name("X-Request-ID")!
    static let traceParent = HTTPField.Name("traceparent")!
    static let traceState = HTTPField.Name("tracestate")!
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
    /// Where a service token is sent.
    public static let xServiceToken = HTTPField.Name("X-Service-Token")!
}

enum RequestIdentifier {
    /// Whether a caller's id may go into our logs and answers: 1 to 128 letters, digits, `-`, `_`, `.`.
    static func isSane(_ text: String) -> Bool { isSane(text.utf8) }

    static func isSane(_ text: some Collection<UInt8>) -> Bool {
        (1...128).contains(text.count)
            && text.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte)
                    || byte == 0x2d || byte == 0x2e || byte == 0x5f
            }
    }
}
