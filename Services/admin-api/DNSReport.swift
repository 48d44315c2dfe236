import DNS
import MailModel
import Storage

/// What a domain wants in the DNS beside what the world answers now.
struct DNSReport: Encodable, Sendable {
    enum Verdict: String, Encodable, Sendable {
        case ok
        /// Nothing of the kind is answered.
        case missing
        /// Something else is answered.
        case different
        /// The resolver could not be asked.
        case unknown
    }

    struct Line: Encodable, Sendable {
        let name: String
        let type: DNSRecord.Kind
        let value: String
        let ttl: Int
        /// What is answered at this name and type, in presentation format.
        let found: [String]
        let status: Verdict
        /// What is wrong and what to do, as a sentence.
        let message: String
    }

    let domain: String
    let dns: Domain.DNS
    /// Whether the world answers all that is wanted.
    let agrees: Bool
    let records: [Line]

    /// Asks for all records at once.
    init(of domain: Domain, records: [DNSRecord], resolver: DNSClient) async {
        let lines = await withTaskGroup(of: (Int, Line).self) { group in
            for (index, record) in records.enumerated() {
                group.addTask { (index, await Self.compare(record, resolver)) }
            }
            return await group.reduce(into: [(Int, Line)]()) { $0.append($1) }
        }
        self.domain = domain.domain
        dns = domain.dns
        self.records = lines.sorted { $0.0 < $1.0 }.map(\.1)
        agrees = self.records.allSatisfy { $0.status == .ok }
    }

    private static func compare(_ record: DNSRecord, _ resolver: DNSClient) async -> Line {
        func line(_ status: Verdict, _ message: String, _ found: [String] = []) -> Line {
            Line(
                name: record.name, type: record.type, value: record.value, ttl: record.ttl, found: found,
                status: status, message: message)
        }
        do {
            let found = try await resolver.values(record.name, record.type.type)
            let (status, message) = verdict(record, found)
            return line(status, message, found)
        } catch {
            return line(.unknown, "The resolver did not answer for \(record.name); look again later.")
        }
    }

    static func verdict(_ record: DNSRecord, _ found: [String]) -> (Verdict, String) {
        let kind = record.tag.map { "\(record.type.rawValue) record (\($0))" } ?? "\(record.type.rawValue) record"
        let rivals = found.filter { record.isReplacing($0) && !record.isSame(as: $0) }
        guard found.contains(where: record.isSame) else {
            if rivals.isEmpty {
                return (.missing, "\(record.name) has no \(kind): create it with the value shown.")
            }
            return (
                .different, "\(record.name) has another \(kind): \(rivals[0]) stands where the value shown belongs."
            )
        }
        guard let rival = rivals.first else { return (.ok, "As it should be.") }
        return switch record.type {
        case .mx: (.different, "Some mail goes elsewhere: \(record.name) has another MX record beside ours, \(rival).")
        case .txt:
            (
                .different,
                "Receivers ignore both: \(record.name) has two of a kind (\(record.tag ?? "")); remove \(rival)."
            )
        case .cname, .srv, .tlsa: (.different, "\(record.name) has another \(kind) beside ours: remove \(rival).")
        }
    }
}
