import HTMLSanitizer
import HTTPService
import Hummingbird
import MailModel
import Storage

/// The signatures of a mailbox; an admin who names none sees those of its whole customer.
struct SignatureRoutes: Sendable {
    let access: MailboxAccess
    let signatures: SignatureStore

    /// - Parameter once: The same routes, which honour `Idempotency-Key`.
    func add(to routes: some RouterMethods<CallerContext>, once: some RouterMethods<CallerContext>) {
        routes.get("signatures", use: list)
        once.post("signatures", use: create)
        routes.get("signatures/match", use: match)
        routes.get("signatures/{id}", use: find)
        routes.put("signatures/{id}", use: replace)
        routes.delete("signatures/{id}", use: delete)
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try PageRequest(request)
        let scope = try await scope(request, context, may: "mail:read")
        return try .json(read: try await signatures.list(page, scope: scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let draft = try await request.decode(SignatureRequest.self).draft()
        return try .json(try await signatures.create(draft, mailbox: mailbox.address), status: .created)
    }

    @Sendable private func match(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        guard let to = try request.query()["to"] else {
            throw Failure.invalid("to", code: "required", "must be the address of a recipient")
        }
        let recipient = try EmailAddress(to, field: "to")
        return try .json(read: try await signatures.best(for: recipient, mailbox: mailbox.address))
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        let scope = try await scope(request, context, may: "mail:read")
        return try .json(read: try await signatures.find(context.idParameter(), scope: scope))
    }

    @Sendable private func replace(_ request: Request, _ context: CallerContext) async throws -> Response {
        let scope = try await scope(request, context, may: "mail:write")
        let id = try context.idParameter()
        _ = try await signatures.find(id, scope: scope)
        let draft = try await request.decode(SignatureRequest.self).draft()
        return try .json(try await signatures.replace(id, draft, scope: scope))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let scope = try await scope(request, context, may: "mail:write")
        try await signatures.delete(context.idParameter(), scope: scope)
        return .noContent
    }

    private func scope(_ request: Request, _ context: CallerContext, may scope: String) async throws -> Scope {
        if case .person(let person) = context.caller, person.role == .admin, request.headers[.mailAccount] == nil {
            return .customer(person.customerID)
        }
        return .accounts([try await access.mailbox(request, context, scope: scope).address])
    }
}

/// A signature as a client gives it.
struct SignatureRequest: Decodable {
    struct Rule: Decodable {
        let match_type: Signature.Rule.MatchType
        let match_value: String?
    }

    let name: String
    let html: String
    let plain: String?
    let is_default: Bool?
    let rules: [Rule]?

    /// Bytes of either text.
    private static let maximumText = 128 << 10
    private static let maximumRules = 100
    /// It is the owner's own text, and goes out in mails: its pictures stay.
    private static let sanitizer = HTMLSanitizer(idPrefix: "s-", remoteImages: .allowed)

    /// - Throws: `Failure` of kind `invalid` naming the field.
    func draft() throws(Failure) -> Signature.Draft {
        guard !name.isEmpty, name.unicodeScalars.count <= 200,
            !name.unicodeScalars.contains(where: ContactText.isControl)
        else { throw .invalid("name", code: "invalid_name", "must be 1 to 200 characters, on one line") }
        for (field, text) in [("html", html), ("plain", plain ?? "")] where text.utf8.count > Self.maximumText {
            throw .invalid(field, code: "too_long", "must be at most \(Self.maximumText) bytes")
        }
        let rules = rules ?? []
        guard rules.count <= Self.maximumRules else {
            throw .invalid("rules", code: "too_many", "must be at most \(Self.maximumRules)")
        }
        var checked: [Signature.Rule] = []
        for (index, rule) in rules.enumerated() {
            checked.append(try rule.checked(field: "rules.\(index).match_value"))
        }
        let safe = Self.sanitizer.sanitize(html).html
        let text = plain ?? HTMLSanitizer.htmlToText(safe)
        return Signature.Draft(
            name: name, html: safe, plain: ContactText.lines(text, limit: Self.maximumText),
            isDefault: is_default ?? false, rules: checked)
    }
}

extension SignatureRequest.Rule {
    fileprivate func checked(field: String) throws(Failure) -> Signature.Rule {
        switch match_type {
        case .any:
            guard match_value?.isEmpty ?? true else {
                throw .invalid(field, code: "not_empty", "must be left out for any")
            }
            return Signature.Rule(.any)
        case .domain:
            return Signature.Rule(.domain, try DomainName(match_value ?? "", field: field).description)
        case .address:
            return Signature.Rule(.address, try EmailAddress(match_value ?? "", field: field).description)
        }
    }
}
