import HTTPService
import HTTPTypes
import Hummingbird
import Logging
import MIME
import MailModel
import SMTP

/// Sending.
struct SendRoutes: Sendable {
    let access: MailboxAccess
    let sessions: MailSessions
    let submission: Submission
    /// Bytes.
    let maximumBody: Int
    let logger: Logger

    func send(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let draft = try await request.decode(SendRequest.self, upTo: maximumBody)
        let (message, recipients) = try draft.message(from: mailbox.address, now: Timestamp.now())
        let bytes: [UInt8]
        do { bytes = try message.encoded() } catch { throw Failure(error) }
        let envelope = Envelope(sender: message.from.address, recipients: recipients)
        let delivery = try await submission.send(bytes, envelope: envelope, as: mailbox.address)
        let copy = await copyToSent(bytes, of: mailbox)
        return answer(message, delivery, copy)
    }

    /// The message has gone out: that there is no copy of it must not make the caller send it again.
    private func copyToSent(_ message: [UInt8], of mailbox: Mailbox) async -> (folder: String, uid: UInt32?)? {
        do {
            return try await sessions.withSession(of: mailbox) { try await $0.appendToSent(message) }
        } catch {
            logger.warning(
                "No copy of a sent message", metadata: ["account": "\(mailbox.address)", "error": "\(error)"])
            return nil
        }
    }

    private func answer(
        _ message: OutgoingMessage, _ delivery: Delivery, _ copy: (folder: String, uid: UInt32?)?
    ) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.field("id", message.messageID.split(separator: "@").first.map(String.init))
            json.field("message_id", "<\(message.messageID)>")
            json.field("state", "sent")
            json.field("accepted", delivery.accepted)
            json.key("rejected")
            json.array(delivery.rejected) { json, rejection in
                json.object { json in
                    json.field("address", rejection.recipient)
                    json.field("code", rejection.reply.statusText)
                    json.field("message", rejection.reply.text)
                }
            }
            json.key("sent")
            guard let copy else { return json.null() }
            json.object { json in
                json.field("folder", copy.folder)
                json.field("uid", copy.uid)
            }
        }
        return .json(json.bytes, status: .accepted)
    }
}

extension Failure {
    /// What cannot stand in a message.
    fileprivate init(_ error: MIMEError) {
        switch error {
        case .invalidHeader(let name):
            self = .invalid("headers.\(name)", code: "invalid_header", "cannot be set, or holds a control character")
        case .invalidAddress(let header):
            self = .invalid(header.lowercased(), code: "invalid_address", "holds an address that cannot be written")
        case .tooLarge(let limit):
            self = Failure(.tooLarge, code: "message_too_large", "The message is larger than \(limit) bytes.")
        case .noMessage: self = Failure(.malformed, code: "empty_message", "There is no message.")
        }
    }
}
