import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import NIOCore
import Storage

/// The address book of a mailbox, and whom it may mean by some letters.
struct ContactRoutes: Sendable {
    let access: MailboxAccess
    let contacts: ContactStore
    let autocomplete: Autocomplete
    let harvest: ContactHarvest

    /// Bytes of a file of vCards.
    static let maximumFile = 20 << 20
    private static let maximumCards = 20_000
    /// Entries of one transaction.
    private static let batch = 500

    /// - Parameter once: The same routes, which honour `Idempotency-Key`.
    func add(to routes: some RouterMethods<CallerContext>, once: some RouterMethods<CallerContext>) {
        routes.get("contacts", use: list)
        once.post("contacts", use: create)
        routes.get("contacts/autocomplete", use: complete)
        routes.get("contacts/{id}", use: find)
        routes.put("contacts/{id}", use: replace)
        routes.delete("contacts/{id}", use: delete)
    }

    /// Those that move many entries at once, and take longer.
    func addBulk(to routes: some RouterMethods<CallerContext>, once: some RouterMethods<CallerContext>) {
        routes.get("contacts/export", use: export)
        once.post("contacts/import", use: importCards)
    }

    // MARK: The address book

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try PageRequest(request)
        let query = try Self.query(request)
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        return try .json(
            read: try await contacts.list(matching: query, page, mailbox: mailbox.address))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let draft = try await request.decode(ContactRequest.self).draft()
        return try .json(try await contacts.create(draft, mailbox: mailbox.address), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        return try .json(read: try await contacts.find(context.idParameter(), mailbox: mailbox.address))
    }

    @Sendable private func replace(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let id = try context.idParameter()
        _ = try await contacts.find(id, mailbox: mailbox.address)
        let draft = try await request.decode(ContactRequest.self).draft()
        return try .json(try await contacts.replace(id, draft, mailbox: mailbox.address))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        try await contacts.delete(context.idParameter(), mailbox: mailbox.address)
        return .noContent
    }

    // MARK: Autocomplete

    @Sendable private func complete(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let query = try Self.query(request) else {
            throw Failure.invalid("q", code: "required", "must be the beginning of a name or an address; may be empty")
        }
        let limit = try request.query().int("limit") ?? 10
        guard (1...50).contains(limit) else {
            throw Failure.invalid("limit", code: "out_of_range", "must be from 1 to 50")
        }
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let matches = try await autocomplete.search(query, limit: limit, mailbox: mailbox.address)
        harvest.lookSoon(mailbox)
        return try .json(Completions(items: matches.map(Completions.Item.init)))
    }

    private struct Completions: Encodable {
        struct Item: Encodable {
            let name: String
            let email: String
            let score: Double

            init(_ match: AutocompleteIndex.Match) {
                name = match.name
                email = match.email
                score = (match.score * 10_000).rounded() / 10_000
            }
        }

        let items: [Item]
    }

    private static func query(_ request: Request) throws -> String? {
        guard let query = try request.query()["q"] else { return nil }
        guard query.unicodeScalars.count <= 200, !query.unicodeScalars.contains(where: ContactText.isControl) else {
            throw Failure.invalid("q", code: "invalid_query", "must be at most 200 characters, on one line")
        }
        return query
    }

    // MARK: vCards

    @Sendable private func export(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:read").address
        let first = try await contacts.list(after: 0, limit: Self.batch, mailbox: mailbox)
        let headers: HTTPFields = [
            .contentType: "text/vcard; charset=utf-8", .cacheControl: "private, no-cache",
            .contentDisposition: ContentDisposition.attachment(filename: "contacts.vcf"),
        ]
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                var entries = first
                while let last = entries.last {
                    try await writer.write(ByteBuffer(string: entries.map(\.vCard).joined()))
                    entries = try await contacts.list(after: last.id, limit: Self.batch, mailbox: mailbox)
                }
                try await writer.finish(nil)
            })
    }

    @Sendable private func importCards(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write").address
        let type = request.headers[.contentType]?.prefix { $0 != ";" && $0 != " " }.lowercased() ?? ""
        guard ["text/vcard", "text/x-vcard", "text/directory", "application/octet-stream", ""].contains(type) else {
            throw Failure(.unsupportedMediaType, code: "unsupported_media_type", "The body must be text/vcard.")
        }
        let file = VCardFile(Array(try await request.bodyBytes(upTo: Self.maximumFile).readableBytesView))
        guard file.cardCount > 0 else {
            throw Failure.invalid("body", code: "no_vcard", "must hold cards, from BEGIN:VCARD to END:VCARD")
        }
        guard file.cardCount <= Self.maximumCards else {
            throw Failure.invalid("body", code: "too_many", "must hold at most \(Self.maximumCards) cards")
        }
        let merged = file.merged
        var imported = ContactStore.Imported()
        for start in stride(from: 0, to: merged.count, by: Self.batch) {
            let batch = Array(merged[start..<min(start + Self.batch, merged.count)])
            let some = try await contacts.add(batch, mailbox: mailbox)
            imported.created += some.created
            imported.extended += some.extended
            imported.unchanged += some.unchanged
        }
        return try .json(ImportReport(file, imported))
    }

    private struct ImportReport: Encodable {
        struct Fault: Encodable {
            let line: Int
            let code: String
            let message: String
        }

        let cards: Int
        let created: Int
        let extended: Int
        let unchanged: Int
        let faults: [Fault]
        let faults_total: Int

        init(_ file: VCardFile, _ imported: ContactStore.Imported) {
            cards = file.cardCount
            created = imported.created
            extended = imported.extended
            unchanged = imported.unchanged
            faults = file.faults.map { Fault(line: $0.line, code: $0.code, message: $0.message) }
            faults_total = file.faultCount
        }
    }
}

/// An entry as a client gives it.
struct ContactRequest: Decodable {
    /// One, or a list.
    struct Values: Decodable {
        let all: [String]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let one = try? value.decode(String.self) {
                all = [one]
            } else {
                all = try value.decode([String].self)
            }
        }
    }

    let name: String?
    let emails: Values
    let phones: Values?
    let organisation: String?
    let note: String?

    /// - Throws: `Failure` of kind `invalid` naming the field.
    func draft() throws(Failure) -> Contact.Draft {
        guard (1...Contact.Limit.values).contains(emails.all.count) else {
            throw .invalid("emails", code: "out_of_range", "must be 1 to \(Contact.Limit.values) addresses")
        }
        var addresses: [EmailAddress] = []
        for (index, text) in emails.all.enumerated() {
            let address = try EmailAddress(text, field: "emails.\(index)")
            guard !addresses.contains(address) else {
                throw .invalid("emails.\(index)", code: "duplicate", "stands there twice")
            }
            addresses.append(address)
        }
        let phones = phones?.all ?? []
        guard phones.count <= Contact.Limit.values else {
            throw .invalid("phones", code: "too_many", "must be at most \(Contact.Limit.values)")
        }
        for (index, phone) in phones.enumerated() {
            guard phone.contains(where: { !$0.isWhitespace }) else {
                throw .invalid("phones.\(index)", code: "required", "must not be empty")
            }
            try Self.checkLine(phone, field: "phones.\(index)")
        }
        try Self.checkLine(name ?? "", field: "name")
        try Self.checkLine(organisation ?? "", field: "organisation")
        let note = (note ?? "").replacing("\r\n", with: "\n")
        guard note.unicodeScalars.count <= Contact.Limit.note,
            !note.unicodeScalars.contains(where: { ContactText.isControl($0) && $0 != "\n" && $0 != "\t" })
        else {
            throw .invalid("note", code: "invalid_text", "must be at most \(Contact.Limit.note) characters of text")
        }
        return Contact.Draft(
            name: name ?? "", emails: addresses, phones: phones, organisation: organisation ?? "", note: note)
    }

    private static func checkLine(_ text: String, field: String) throws(Failure) {
        guard text.unicodeScalars.count <= Contact.Limit.text,
            !text.unicodeScalars.contains(where: ContactText.isControl)
        else {
            throw .invalid(
                field, code: "invalid_text", "must be at most \(Contact.Limit.text) characters, on one line")
        }
    }
}
