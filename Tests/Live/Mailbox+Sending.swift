import Foundation
import NIOHTTP1

extension Mailbox {
    static let sendPath = "/api/v1/mail/webmail/send"
    static let outboxPath = "/api/v1/mail/webmail/outbox"
    static let draftsPath = "/api/v1/mail/webmail/drafts"
    static let uploadsPath = "/api/v1/mail/webmail/uploads"

    /// Sends what is given, as it is.
    func send(_ mail: JSON, key: String? = nil) async throws -> Reply {
        try await client.send(.POST, Self.sendPath, mail, headers: key.map { [("Idempotency-Key", $0)] } ?? [])
    }

    func outbox(_ id: Int) async throws -> JSON { try await client.get("\(Self.outboxPath)/\(id)").json(200) }

    /// A message as it lies in the mailbox, read by another IMAP client.
    func raw(_ folder: String, _ uid: Int) async throws -> String {
        let answer = try await imap(.password(password), ["raw", .string(folder), .int(uid)])[1]
        guard let text = answer.string, let data = Data(base64Encoded: text) else {
            throw Surprise("no message \(uid) in \(folder): \(answer)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Uploads a file as a browser's form does.
    func upload(_ bytes: Data, filename: String, type: String = "application/octet-stream") async throws -> Reply {
        let boundary = "----WebKitFormBoundary\(unique("b"))"
        let head = """
            --\(boundary)\r
            Content-Disposition: form-data; name="file"; filename="\(filename)"\r
            Content-Type: \(type)\r
            \r

            """
        let body = Data(head.utf8) + bytes + Data("\r\n--\(boundary)--\r\n".utf8)
        return try await client.send(
            .POST, Self.uploadsPath, bytes: body, type: "multipart/form-data; boundary=\(boundary)")
    }
}
