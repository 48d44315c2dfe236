import AsyncHTTPClient
import Foundation
import HTTPService
import MailModel
import NIOCore
import NIOHTTP1

/// The HTTP API of an authoritative PowerDNS server, version 1 (4.x manual, "Built-in Webserver and HTTP API").
struct PowerDNS: DNSPublisher {
    let name = "powerdns"

    /// What a zone that was made here bears as its account, so that it goes with its domain.
    private static let account = "xynap-mail"
    private static let zones = "/api/v1/servers/localhost/zones"

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

    /// A zone that is missing is made, with all of its records at once; a domain below a zone that is here goes into that.
    func publish(_ change: DNSChange, after goAhead: GoAhead) async throws -> [String] {
        do { return try await write(change, after: goAhead) } catch is Status {
            // Somebody else makes or removes the same zone just now, or the API is not where it is looked for.
            throw DNSFailure.away
        }
    }

    private func write(_ change: DNSChange, after goAhead: GoAhead) async throws -> [String] {
        if change.isNew, !change.wanted.isEmpty, try await parentZone(of: change.domain) == nil {
            if try await create(change, after: goAhead) { return [] }
        }
        guard let zone = try await zone(of: change.domain) else {
            guard !change.wanted.isEmpty else { return [] }
            guard !change.isPartial else {
                throw DNSFailure.refused("The DNS server has no zone for \(change.domain) any more.")
            }
            // One that came in between is looked at in the next round.
            guard try await create(change, after: goAhead) else { throw Status.conflict }
            return []
        }
        guard change.takesZones || zone.account == Self.account else {
            // Nothing of ours was ever written there.
            guard !change.wanted.isEmpty else { return [] }
            throw DNSFailure.refused(
                "The zone for \(change.domain) was there before the domain; only the platform may write into it.")
        }
        let (sets, notes) = Self.recordSets(change, in: zone)
        if !sets.isEmpty { _ = try await send(.PATCH, path(zone.name), Patch(rrsets: sets), after: goAhead) }
        if change.wanted.isEmpty, zone.account == Self.account { try await removeIfEmpty(zone.name) }
        return notes
    }

    func ping() async -> Bool { (try? await send(.GET, "/api/v1/servers/localhost", Nothing?.none)) != nil }

    // MARK: zones

    /// - Returns: False when there is a zone of that name already.
    private func create(_ change: DNSChange, after goAhead: GoAhead) async throws -> Bool {
        let sets = change.sets.compactMap { name, type -> RecordSet? in
            let values = change.values(name: name, type: type, existing: [])
            return values.isEmpty ? nil : RecordSet(name: name, type: type, values: values, ttl: Self.ttl(change))
        }
        let zone = NewZone(
            name: "\(change.domain).", kind: "Native", account: Self.account, nameservers: nameservers.map { "\($0)." },
            rrsets: sets)
        do {
            // The zone itself is not wanted back.
            _ = try await send(.POST, Self.zones + "?rrsets=false", zone, after: goAhead)
            return true
        } catch Status.conflict { return false }
    }

    /// The nearest zone here that the domain is in.
    private func zone(of domain: DomainName) async throws -> Zone? {
        for name in Self.ancestry(of: domain) {
            do {
                return try Self.decoded(try await send(.GET, path("\(name)."), Nothing?.none))
            } catch Status.notFound { continue }
        }
        return nil
    }

    private static func decoded(_ answer: Data) throws -> Zone {
        do { return try JSONDecoder().decode(Zone.self, from: answer) } catch {
            throw DNSFailure.refused("The DNS server's answer is not understood.")
        }
    }

    private func parentZone(of domain: DomainName) async throws -> Zone? {
        guard let parent = Self.ancestry(of: domain).dropFirst().first.flatMap({ try? DomainName($0) }) else {
            return nil
        }
        return try await zone(of: parent)
    }

    /// The domain and those above it, without the top level.
    private static func ancestry(of domain: DomainName) -> [String] {
        let labels = domain.description.split(separator: ".")
        return (0..<labels.count - 1).map { labels[$0...].joined(separator: ".") }
    }

    private func removeIfEmpty(_ zone: String) async throws {
        let left = try Self.decoded(try await send(.GET, path(zone), Nothing?.none))
        guard left.rrsets.allSatisfy({ ["SOA", "NS"].contains($0.type) && $0.name == zone }) else { return }
        do { _ = try await send(.DELETE, path(zone), Nothing?.none) } catch Status.notFound {}
    }

    private func path(_ zone: String) -> String { "\(Self.zones)/\(zone)" }

    // MARK: record sets

    private static func recordSets(_ change: DNSChange, in zone: Zone) -> (sets: [RecordSet], notes: [String]) {
        var sets: [RecordSet] = [], notes: [String] = []
        let there = Dictionary(grouping: zone.rrsets) { $0.name.lowercased() }
        for (name, type) in change.sets {
            let siblings = there["\(name)."] ?? []
            let existing = siblings.first { $0.type == type.rawValue }?.records.map(\.content) ?? []
            let values = change.values(name: name, type: type, existing: existing)
            // Nothing stands beside a CNAME (RFC 1034 §3.6.2).
            let obstacle = siblings.first { $0.type != type.rawValue && (type == .cname || $0.type == "CNAME") }
            if let obstacle, !values.isEmpty {
                notes.append("\(name) has a \(obstacle.type) record of others, where our \(type.rawValue) belongs.")
                continue
            }
            guard values != existing else { continue }
            sets.append(RecordSet(name: name, type: type, values: values, ttl: ttl(change)))
        }
        return (sets, notes)
    }

    private static func ttl(_ change: DNSChange) -> Int { change.wanted.first?.ttl ?? 3600 }

    // MARK: HTTP

    /// Answers that mean something to the caller.
    private enum Status: Error { case notFound, conflict }

    /// - Parameter goAhead: What the body waits for. The rest of the request is on its way before, and PowerDNS carries out
    ///   none that is not whole.
    private func send(
        _ method: Method, _ path: String, _ body: (some Encodable)?, after goAhead: GoAhead = .given
    ) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = .init(rawValue: method.rawValue)
        request.headers.add(name: "x-api-key", value: apiKey)
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = Self.body(ByteBuffer(bytes: try JSONResponses.bytes(body)), after: goAhead)
        }
        let response: HTTPClientResponse
        let answer: ByteBuffer
        do {
            response = try await client.execute(request, timeout: .seconds(2))
            answer = try await response.body.collect(upTo: 16 << 20)
        } catch is CancellationError { throw CancellationError() } catch let refused as GoAhead.Refused {
            throw refused
        } catch { throw DNSFailure.away }
        switch response.status.code {
        case 200..<300: return Data(answer.readableBytesView)
        case 404: throw Status.notFound
        case 409: throw Status.conflict
        // A key that is not taken is somebody's mistake, and mended: nobody need ask for the records once more.
        case 401, 403, 500...: throw DNSFailure.away
        default: throw DNSFailure.refused("The DNS server refused the change (HTTP \(response.status.code)).")
        }
    }

    private static func body(_ bytes: ByteBuffer, after goAhead: GoAhead) -> HTTPClientRequest.Body {
        guard !goAhead.isGiven else { return .bytes(bytes) }
        let held = HeldBody(bytes: bytes, goAhead: goAhead)
        return .stream(held, length: .known(Int64(bytes.readableBytes)))
    }

    private enum Method: String { case GET, POST, PATCH, DELETE }
    private struct Nothing: Encodable {}

    private struct NewZone: Encodable {
        let name, kind, account: String
        let nameservers: [String]
        let rrsets: [RecordSet]
    }

    private struct Patch: Encodable { let rrsets: [RecordSet] }

    private struct Content: Codable {
        let content: String
        var disabled = false
    }

    private struct RecordSet: Encodable {
        let name, type: String
        let ttl: Int
        let changetype: String
        let records: [Content]

        /// - Parameter values: None removes the set.
        init(name: String, type: DNSRecord.Kind, values: [String], ttl: Int) {
            self.name = "\(name)."
            self.type = type.rawValue
            self.ttl = ttl
            changetype = values.isEmpty ? "DELETE" : "REPLACE"
            records = values.map { Content(content: $0) }
        }
    }

    private struct Zone: Decodable {
        struct Set: Decodable {
            let name, type: String
            let records: [Content]
        }

        let name: String
        var account: String?
        let rrsets: [Set]
    }
}

/// A body that is sent when the go-ahead is given, and never when it is not.
private struct HeldBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let bytes: ByteBuffer
    let goAhead: GoAhead

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var bytes: ByteBuffer?
        fileprivate let goAhead: GoAhead

        mutating func next() async throws -> ByteBuffer? {
            guard let next = bytes else { return nil }
            try await goAhead.wait()
            bytes = nil
            return next
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: bytes, goAhead: goAhead) }
}
