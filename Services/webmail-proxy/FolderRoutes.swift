import HTTPService
import HTTPTypes
import Hummingbird
import IMAP

/// The folders of a mailbox.
struct FolderRoutes: Sendable {
    let access: MailboxAccess
    let sessions: MailSessions

    func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let folders = try await sessions.withSession(of: mailbox, folder: .inbox, isRepeatable: true) {
            try await $0.folders()
        }
        var json = JSONWriter(capacity: 256 + folders.count * 256)
        json.object { json in
            json.key("items")
            json.array(folders) { $1.write(to: &$0) }
        }
        return .json(json.bytes)
    }
}
