import AsyncHTTPClient
import Foundation
import MailModel
import NIOCore
import NIOHTTP1

/// The HTTP API of an authoritative PowerDNS server, version 1 (4.x manual, "Built-in Webserver and HTTP API").
struct PowerDNS: Sendable {
    enum Failed: Error {
        /// No answer in time, or none at all.
        case away
        /// The server answered and did not do it.
        case refused(status: UInt)
    }

    private let base: String
    private let apiKey: String
    private let nameservers: [String]
    private let client: HTTPClient

    /// - Parameters:
    ///   - base: `http://host:port`, without a path.
    ///   - nameservers: The NS records of a zone that is made here.
    init(base: String, apiKey: String, nameservers: [String], client: HTTPClient = .shared) {
        self.base = base
        self.apiKey = apiKey
        self.nameservers = nameservers
        self.client = client
    }

    /// Replaces the given record sets of a zone, which is made where it is missing.
    /// - Throws: `Failed`.
    func publish(_ records: [DNSRecord], zone: DomainName) async throws {
        let change = Change(rrsets: Self.recordSets(records))
        let path = "/api/v1/servers/localhost/zones/\(zone)."
        do { try await send(.PATCH, path, change) } catch Failed.refused(status: 404) {
            try await create(zone)
            try await send(.PATCH, path, change)
        }
    }

    /// Whether the server answers.
    func ping() async -> Bool { (try? await send(.GET, "/api/v1/servers/localhost", Nothing?.none)) != nil }

    private func create(_ zone: DomainName) async throws {
        let body = Zone(name: "\(zone).", kind: "Native", nameservers: nameservers.map { "\($0)." })
        // 409: another replica made it meanwhile.
        do { try await send(.POST, "/api/v1/servers/localhost/zones", body) } catch Failed.refused(status: 409) {}
    }

    private func send(_ method: Method, _ path: String, _ body: (some Encodable)?) async throws {
        var request = HTTPClientRequest(url: base + path)
        request.method = .init(rawValue: method.rawValue)
        request.headers.add(name: "x-api-key", value: apiKey)
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body)))
        }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: .seconds(2))
            _ = try await response.body.collect(upTo: 1 << 20)
        } catch is CancellationError { throw CancellationError() } catch { throw Failed.away }
        switch response.status.code {
        case 200..<300: return
        case 500...: throw Failed.away
        default: throw Failed.refused(status: response.status.code)
        }
    }

    private static func recordSets(_ records: [DNSRecord]) -> [RecordSet] {
        Dictionary(grouping: records) { "\($0.name) \($0.type.rawValue)" }.values.map { set in
            RecordSet(
                name: "\(set[0].name).", type: set[0].type.rawValue, ttl: set[0].ttl, changetype: "REPLACE",
                records: set.map { .init(content: $0.value, disabled: false) })
        }
    }

    private enum Method: String { case GET, POST, PATCH }
    private struct Nothing: Encodable {}
    private struct Zone: Encodable { let name, kind: String, nameservers: [String] }
    private struct Change: Encodable { let rrsets: [RecordSet] }
    private struct RecordSet: Encodable {
        struct Content: Encodable { let content: String, disabled: Bool }
        let name, type: String
        let ttl: Int
        let changetype: String
        let records: [Content]
    }
}
