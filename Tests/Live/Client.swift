import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Somebody outside who calls the HTTP interfaces.
struct Client: Sendable {
    enum Credentials: Sendable, Equatable {
        case none
        case serviceToken(String)
        case bearer(String)
        /// `user:password`
        case basic(String)
        /// Which the contract calls ambiguous.
        case both(serviceToken: String, bearer: String)

        var headers: [(String, String)] {
            switch self {
            case .none: []
            case .serviceToken(let token): [("x-service-token", token)]
            case .bearer(let token): [("Authorization", "Bearer \(token)")]
            case .basic(let pair): [("Authorization", "Basic \(Data(pair.utf8).base64EncodedString())")]
            case .both(let service, let bearer):
                [("x-service-token", service), ("Authorization", "Bearer \(bearer)")]
            }
        }
    }

    /// `http://host:port`
    let base: String
    var credentials: Credentials = .none
    /// The mailbox named by `X-Mail-Account`.
    var account: String?

    func with(_ credentials: Credentials) -> Client { Client(base: base, credentials: credentials) }

    /// The same caller, reading another mailbox.
    func reading(_ account: String?) -> Client { Client(base: base, credentials: credentials, account: account) }

    func get(_ path: String, headers: [(String, String)] = []) async throws -> Reply {
        try await send(.GET, path, headers: headers)
    }

    func post(_ path: String, _ body: JSON? = nil) async throws -> Reply { try await send(.POST, path, body) }

    func put(_ path: String, _ body: JSON) async throws -> Reply { try await send(.PUT, path, body) }

    func patch(_ path: String, _ body: JSON) async throws -> Reply { try await send(.PATCH, path, body) }

    func delete(_ path: String) async throws -> Reply { try await send(.DELETE, path) }

    func postForm(_ path: String, _ fields: [String: String]) async throws -> Reply {
        let form = fields.map { "\($0.key)=\(escaped($0.value))" }.joined(separator: "&")
        return try await send(.POST, path, bytes: Data(form.utf8), type: "application/x-www-form-urlencoded")
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ body: JSON? = nil, headers: [(String, String)] = []
    ) async throws -> Reply {
        try await send(
            method, path, bytes: try body?.data, type: body == nil ? nil : "application/json", headers: headers)
    }

    /// Any bytes, also such as no well-behaved client sends.
    func send(
        _ method: HTTPMethod, _ path: String, bytes: Data?, type: String?, headers: [(String, String)] = []
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        for (name, value) in credentials.headers + headers { request.headers.add(name: name, value: value) }
        if let account { request.headers.add(name: "X-Mail-Account", value: account) }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if let bytes { request.body = .bytes(ByteBuffer(bytes: bytes)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let answer = try await response.body.collect(upTo: 16 << 20)
        return Reply(
            request: "\(method) \(path)", status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { $1 },
            body: Data(answer.readableBytesView))
    }
}

/// Percent-encoded, `/` too: fit for one path segment or one form field.
func escaped(_ text: String) -> String {
    let unreserved = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? text
}
