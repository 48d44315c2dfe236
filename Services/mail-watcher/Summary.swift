import IMAP
import MIME
import MailModel

/// From what IMAP fetched of a message to what an event tells of it.
enum Summary {
    /// How much of a message is fetched for its preview where the server has none of its own, in bytes.
    static let head = 16_384
    private static let previewLength = 200
    /// As `deploy/dovecot/push.lua` has it, in code points.
    private static let headerLength = 1000

    /// nil for a FETCH response without UID.
    static func of(_ message: FetchedMessage) -> MessageSummary? {
        guard let uid = message.uid else { return nil }
        let envelope = message.envelope
        let senders = (envelope?.from ?? []) + (envelope?.sender ?? [])
        let sender = senders.first { $0.address != nil }
        let arrived = (message.internalDate?.secondsSince1970).map { $0 * 1000 } ?? Timestamp.now()
        let date = envelope?.date.flatMap(MIMEHeader.date) ?? arrived
        return MessageSummary(
            uid: uid, fromAddr: sender?.address ?? "", fromName: bounded(sender?.name.map(decoded) ?? ""),
            subject: bounded(envelope?.subject.map(decoded) ?? ""), date: Timestamp.rfc3339(milliseconds: date),
            preview: oneLine(message.preview ?? preview(message)), flags: MessageSummary.words(message.flags ?? []))
    }

    private static func decoded(_ header: String) -> String { MIMEHeader.decode(Array(header.utf8)) }

    private static func preview(_ message: FetchedMessage) -> String {
        guard let head = message.bytes(of: .message), let parsed = try? MIMEMessage.parse(head) else { return "" }
        return parsed.plain ?? ""
    }

    /// What a notification shows of a header, however long it is.
    static func bounded(_ text: String) -> String {
        // By code points: one character may be endless.
        guard text.utf8.count > headerLength else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(headerLength)))
    }

    static func oneLine(_ text: String) -> String {
        String(text.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(previewLength))
    }
}

extension MessageSummary {
    /// The flags as events tell them; `\Recent` says nothing of the message (RFC 9051 §2.3.2).
    static func words(_ flags: [MessageFlag]) -> [String] {
        flags.filter { $0 != .recent }.map(\.rawValue)
    }
}
