import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import Storage

/// What is still to be sent, and what could not be.
struct OutboxRoutes: Sendable {
    let access: MailboxAccess
    let store: OutboxStore

    func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let parameters = request.uri.queryParameters
        let page = try PageRequest(
            page: try ListRequest.number("page", in: parameters) ?? 1,
            perPage: try ListRequest.number("per_page", in: parameters) ?? 50)
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let (messages, total) = try await store.list(mailbox: mailbox.address, page)
        var json = JSONWriter()
        json.object { json in
            json.key("items")
            json.array(messages) { $1.write(to: &$0) }
            json.field("page", page.page)
            json.field("per_page", page.perPage)
            json.field("total", total)
        }
        return .json(json.bytes, entityTag: EntityTag.of(json.bytes))
    }

    func read(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.idParameter()
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        var json = JSONWriter()
        try await store.find(id, mailbox: mailbox.address).write(to: &json)
        return .json(json.bytes, entityTag: EntityTag.of(json.bytes))
    }

    func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.idParameter()
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        try await store.stop(id, mailbox: mailbox.address)
        return .noContent
    }
}

extension OutboxMessage {
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("id", id)
            json.field("message_id", "<\(messageID)>")
            json.field("state", state.shown)
            json.field("from_addr", sender)
            json.field("subject", subject)
            json.field("recipients", recipients.map(\.address))
            json.field("size", size)
            json.field("attempts", attempts)
            json.field("created_at", Timestamp.rfc3339(milliseconds: createdAt))
            json.field("send_at", sendAt.map { Timestamp.rfc3339(milliseconds: $0) })
            let next = state == .queued && !isLeased ? nextAt : nil
            json.field("next_attempt_at", next.map { Timestamp.rfc3339(milliseconds: $0) })
            json.field("accepted", accepted)
            json.key("rejected")
            json.recipients(rejected)
            json.key("sent")
            json.copy(copy)
            json.key("error")
            guard let trouble else { return json.null() }
            json.object { json in
                json.field("code", trouble.code)
                json.field("message", trouble.message)
            }
        }
    }
}
