import AsyncHTTPClient
import FoundationEssentials
import MailModel
import NIOCore
import NIOHTTP1

/// Mail tokens for mailboxes, got from auth-server with a service token and kept until shortly before they end.
public actor MailTokenSource {
    private struct Entry {
        let token: String
        let goodUntil: ContinuousClock.Instant
    }

    private struct Answer: Decodable {
        let access_token: String
        let expires_in: Int64
    }

    private static let capacity = 20_000

    private let url: String
    private let serviceToken: String
    private let timeout: Duration
    private var entries: [String: Entry] = [:]
    /// Callers for the same mailbox share one request.
    private var requests: [String: Task<Entry, any Error>] = [:]

    /// - Parameters:
    ///   - authURL: The base URL of auth-server.
    ///   - serviceToken: Its scope must allow mail tokens for the mailboxes asked for.
    ///   - timeout: How long one request may take.
    public init(authURL: String, serviceToken: String, timeout: Duration = .seconds(3)) {
        self.url = (authURL.hasSuffix("/") ? String(authURL.dropLast()) : authURL) + "/api/v1/auth/mail-token"
        self.serviceToken = serviceToken
        self.timeout = timeout
    }

    /// A `mail_access` token for the mailbox, good for a minute at least.
    ///
    /// - Throws: `Failure`: `notFound` or `conflict` when there is no such active mailbox, `forbidden` when the service
    ///   token may not, `unavailable` or `timeout` when auth-server is away.
    public func token(for email: String) async throws -> String {
        if let entry = entries[email], entry.goodUntil > .now { return entry.token }
        if let running = requests[email] { return try await running.value.token }
        let request = Task { try await fetch(email) }
        requests[email] = request
        defer { requests[email] = nil }
        let entry = try await request.value
        if entries.count >= Self.capacity { entries = entries.filter { $0.value.goodUntil > .now } }
        if entries.count < Self.capacity { entries[email] = entry }
        return entry.token
    }

    /// Forgets the token of a mailbox: a server refused it, it was revoked, or it will not be needed for long.
    public func invalidate(_ email: String) { entries[email] = nil }

    /// Forgets every token.
    public func invalidateAll() { entries.removeAll() }

    private func fetch(_ email: String) async throws -> Entry {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "x-service-token", value: serviceToken)
        for (name, value) in RequestTrace.current?.headers ?? [] { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(["email": email])))
        let started = ContinuousClock.now
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await HTTPClient.shared.execute(request, timeout: TimeAmount(timeout))
            body = try await response.body.collect(upTo: 65_536)
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw Failure.timeout("auth-server")
        } catch {
            throw Failure.unavailable("auth-server")
        }
        guard response.status == .ok else { throw Self.failure(status: Int(response.status.code)) }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView)) else {
            throw Failure.unavailable("auth-server")
        }
        let life = Duration.seconds(max(0, answer.expires_in - 60))
        return Entry(token: answer.access_token, goodUntil: started.advanced(by: life))
    }

    private static func failure(status: Int) -> Failure {
        switch status {
        case 404: .notFound("This mailbox")
        case 409: .conflict("no_active_mailbox", "There is no active mailbox of this address.")
        case 403: .forbidden("This mailbox may not be opened.")
        case 504: .timeout("auth-server")
        // A 401 means that our own service token is wrong: not the caller's fault.
        default: .unavailable("auth-server")
        }
    }
}
