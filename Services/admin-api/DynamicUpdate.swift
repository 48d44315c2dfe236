import DNS
import MailModel

/// Any primary name server that takes updates (RFC 2136) signed with a shared key (RFC 8945): BIND, Knot, Windows, …
///
/// Zones are the server's own: one that is not there is not made.
struct DynamicUpdate: DNSPublisher {
    let name = "dns primary"
    let server: DNSClient
    let key: TSIGKey

    func publish(_ change: DNSChange, after goAhead: GoAhead) async throws -> [String] {
        do {
            guard let zone = try await server.zone(of: change.domain.description) else {
                throw DNSFailure.refused("The DNS server has no zone for \(change.domain); make it there.")
            }
            let changes = try await changes(change)
            guard !changes.isEmpty else { return [] }
            try await goAhead.wait()
            try await server.update(
                zone: zone, changes, key: key, time: UInt64(Timestamp.now() / 1000))
            return []
        } catch let error as DNSError { throw Self.failure(error) }
    }

    func ping() async -> Bool {
        do {
            _ = try await server.zone(of: "localhost")
            return true
        } catch { return false }
    }

    /// First what goes, then what comes (RFC 2136 §3.4.2: in the order of the message).
    private func changes(_ change: DNSChange) async throws -> [DNSResourceRecord] {
        var removals: [DNSResourceRecord] = [], additions: [DNSResourceRecord] = []
        for (name, kind) in change.sets {
            let existing = try await server.values(name, kind.type)
            let values = change.values(name: name, type: kind, existing: existing)
            for value in existing where !values.contains(value) {
                removals.append(
                    DNSResourceRecord(
                        name: name, type: kind.type, recordClass: .none, ttl: 0,
                        data: try DNSPresentation.data(type: kind.type, text: value)))
            }
            for value in values where !existing.contains(value) {
                additions.append(
                    DNSResourceRecord(
                        name: name, type: kind.type, ttl: UInt32(change.wanted.first?.ttl ?? 3600),
                        data: try DNSPresentation.data(type: kind.type, text: value)))
            }
        }
        return removals + additions
    }

    private static func failure(_ error: DNSError) -> DNSFailure {
        switch error {
        case .timeout, .unreachable, .refused(code: 2): .away
        case .malformed: .refused("The DNS server's answer is not understood.")
        case .refused(code: 5), .refused(code: 9):
            .refused("The DNS server does not take updates with this key, or the two clocks differ.")
        case .refused(let code): .refused("The DNS server refused the update (code \(code)).")
        }
    }
}
