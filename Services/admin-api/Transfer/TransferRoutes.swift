import Credentials
import HTTPService
import HTTPTypes
import Hummingbird
import Logging
import MailModel
import NIOCore
import Platform
import Storage

/// Many mailboxes and aliases at once, in and out.
struct TransferRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash

    /// Of one import: bytes, and rows.
    private static let longest = 32 << 20
    private static let mostRows = 50_000

    func add(to router: ServiceRouter) {
        // Thousands of passwords take minutes; progress is told row by row.
        let routes = router.with(deadline: nil).authenticated(platform.authenticator)
        routes.post("/api/v1/mail/import", use: load)
        routes.get("/api/v1/mail/export", use: export)
    }

    private struct Report: Encodable {
        let dry_run: Bool
        let rows: Int
        /// What would be made.
        let valid: Int
        let unchanged: Int
        let failed: Int
        let faults: [Importer.Outcome]
    }

    private struct Summary: Encodable {
        let done = true
        let rows: Int
        let created: Int
        let unchanged: Int
        let failed: Int
    }

    // MARK: in

    @Sendable private func load(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let isDry = try request.query().bool("dry_run") ?? false
        let rows = try await rows(request)
        guard rows.count <= Self.mostRows else {
            throw Failure(.tooLarge, code: "too_many_rows", "An import has at most \(Self.mostRows) rows; divide it.")
        }
        let importer = Importer(
            database: platform.database, passwords: passwords, scope: context.caller.scope, origin: .init(context))
        guard !isDry else { return try .json(try await dryRun(importer, rows)) }
        await platform.audit.record("import.started", target: "\(rows.count) rows", by: context)
        let logger = context.logger
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"],
            body: .init { writer in
                var counts: [Importer.Outcome.Status: Int] = [:]
                do {
                    try await importer.run(rows, dryRun: false) { outcome in
                        counts[outcome.status, default: 0] += 1
                        try await writer.write(Self.line(outcome))
                    }
                } catch let error as CancellationError { throw error } catch {
                    // The answer has begun: how far it came is told at its end all the same.
                    logger.error("Import broken off", metadata: ["error": "\(error)"])
                }
                let created = counts[.created] ?? 0, unchanged = counts[.unchanged] ?? 0
                try await writer.write(
                    Self.line(
                        Summary(
                            rows: rows.count, created: created, unchanged: unchanged,
                            failed: rows.count - created - unchanged)))
                try await writer.finish(nil)
            })
    }

    private func dryRun(_ importer: Importer, _ rows: [ImportRow]) async throws -> Report {
        var counts: [Importer.Outcome.Status: Int] = [:], faults: [Importer.Outcome] = []
        try await importer.run(rows, dryRun: true) { outcome in
            counts[outcome.status, default: 0] += 1
            if outcome.status == .failed { faults.append(outcome) }
        }
        return Report(
            dry_run: true, rows: rows.count, valid: counts[.valid] ?? 0, unchanged: counts[.unchanged] ?? 0,
            failed: counts[.failed] ?? 0, faults: faults)
    }

    private func rows(_ request: Request) async throws -> [ImportRow] {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
        guard type == "text/csv" else {
            let body: ImportBody = try await request.decode(upTo: Self.longest)
            return body.rows
        }
        let bytes = Array(try await request.bodyBytes(upTo: Self.longest).readableBytesView)
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Failure(.malformed, code: "malformed_csv", "The body is not UTF-8.")
        }
        let table = CSV.parse(bytes)
        guard let head = table.first?.cells.map({ $0.lowercased() }), head.contains("email") else {
            throw Failure.invalid(
                "body", code: "no_head",
                "must begin with a line of column names: \(ImportRow.columns.joined(separator: ","))")
        }
        if let unknown = head.first(where: { !(ImportRow.columns + ImportRow.ignoredColumns).contains($0) }) {
            throw Failure.invalid(unknown, code: "unknown_field", "is not a known column")
        }
        return table.dropFirst().map { ImportRow($0, head: head) }
    }

    // MARK: out

    private enum Format: String { case csv, json }

    /// All mailboxes and aliases of a domain, or of all within the caller's reach; without passwords.
    @Sendable private func export(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let query = try request.query()
        let format: Format = try query.choice("format") ?? .json
        let exporter = Exporter(
            database: platform.database, scope: context.caller.scope,
            domainID: try query.int("domain_id").map(Int64.init),
            customerID: try query.int("customer_id").map(Int64.init))
        try await exporter.check()
        let type = format == .csv ? "text/csv; charset=utf-8" : "application/json"
        return Response(
            status: .ok,
            headers: [
                .contentType: type, .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"mailboxes.\(format.rawValue)\"",
            ],
            body: .init { writer in
                func write(_ text: String) async throws { try await writer.write(ByteBuffer(string: text)) }
                switch format {
                case .csv: try await exporter.csv(write)
                case .json: try await exporter.json(write)
                }
                try await writer.finish(nil)
            })
    }

    private static func line(_ value: some Encodable) throws -> ByteBuffer {
        var buffer = ByteBuffer(bytes: try JSONResponses.bytes(value))
        buffer.writeString("\n")
        return buffer
    }
}
