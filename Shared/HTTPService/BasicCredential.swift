import FoundationEssentials
import HTTPTypes
public import Hummingbird
import MailModel

/// One user and password that machines call an endpoint with (RFC 7617), compared in constant time.
public struct BasicCredential: Sendable {
    static let refusalCode = "invalid_client"

    private let expected: [UInt8]
    /// As nearly every client writes it.
    private let header: [UInt8]

    /// - Parameter userAndPassword: `user:password`.
    public init(_ userAndPassword: String) {
        expected = Array(userAndPassword.utf8)
        header = Array("Basic \(Data(expected).base64EncodedString())".utf8)
    }

    /// Whether the request's `Authorization` header carries it.
    public func matches(_ request: Request) -> Bool { matches(authorization: request.headers[.authorization]) }

    /// - Parameter authorization: The value of the header.
    public func matches(authorization: String?) -> Bool {
        guard let authorization else { return false }
        if ConstantTime.equal(authorization.utf8, header) { return true }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic", let given = Data(base64Encoded: String(parts[1]))
        else { return false }
        return ConstantTime.equal(Array(given), expected)
    }

    /// Whether the header carries it as nearly every client writes it.
    public func matches(usual authorization: UnsafeRawBufferPointer) -> Bool {
        guard authorization.count == header.count else { return false }
        var difference: UInt8 = 0
        for index in header.indices { difference |= authorization[index] ^ header[index] }
        return difference == 0
    }

    /// - Throws: `Failure` `unauthorized` when it does not match; the answer asks for Basic credentials.
    public func require(_ request: Request) throws {
        guard matches(request) else {
            throw Failure(.unauthorized, code: Self.refusalCode, "This call needs the right user and password.")
        }
    }
}

/// Comparison whose time tells nothing of where two secrets differ.
public enum ConstantTime {
    public static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }

    static func equal(_ a: String.UTF8View, _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(a, b) { difference |= one ^ other }
        return difference == 0
    }

    public static func equal(_ a: String, _ b: String) -> Bool { equal(Array(a.utf8), Array(b.utf8)) }
}
