import FoundationEssentials
import MailModel

/// What a mail server pushed of one mailbox: that something changed, and as much of it as it told.
struct PushNote: Sendable, Equatable {
    /// Of `deploy/dovecot/push.lua`, or of Dovecot's OX driver.
    struct Arrival: Sendable, Equatable {
        let folder: String
        let uidValidity: UInt32
        let message: MessageSummary
    }

    struct Expunge: Sendable, Equatable {
        let folder: String
        let uidValidity: UInt32
        let uid: UInt32
    }

    /// In lower case.
    let account: String
    var arrivals: [Arrival] = []
    var expunges: [Expunge] = []
    /// How folders stood right after the change.
    var states: [String: FolderState] = [:]
    /// It does not say all: the watch has to look.
    var needsLook = false

    init(account: String, needsLook: Bool = false) {
        self.account = account
        self.needsLook = needsLook
    }

    /// - Throws: `Failure`: `malformed` for what is no JSON object, `invalid` naming the field.
    init(_ body: [UInt8]) throws {
        let content: Content
        do { content = try JSONDecoder().decode(Content.self, from: Data(body)) } catch let error as DecodingError {
            throw Self.failure(error)
        }
        account = try Self.address(content.user)
        guard let events = content.events else {
            // The OX driver tells of INBOX alone, and its texts are still encoded.
            guard content.event != nil else { throw Failure.invalid("events", code: "required", "is required") }
            needsLook = true
            return
        }
        for event in events { add(event) }
        for folder in content.folders ?? [] where folder.uid_validity > 0 {
            states[folder.folder] = FolderState(
                uidValidity: folder.uid_validity, uidNext: folder.uid_next, modSeq: folder.modseq,
                exists: folder.messages, unseen: folder.unseen)
        }
        needsLook = needsLook || content.more == true
    }

    private mutating func add(_ event: Content.Event) {
        switch event.event {
        case "MessageNew", "MessageAppend":
            guard let uid = event.uid, let uidValidity = event.uid_validity else { return needsLook = true }
            arrivals.append(
                Arrival(folder: event.folder, uidValidity: uidValidity, message: Self.summary(event, uid: uid)))
        case "MessageExpunge":
            if let uid = event.uid, let uidValidity = event.uid_validity {
                expunges.append(Expunge(folder: event.folder, uidValidity: uidValidity, uid: uid))
            }
            needsLook = true
        default: needsLook = true
        }
    }

    private static func summary(_ event: Content.Event, uid: UInt32) -> MessageSummary {
        let date = event.date.flatMap { $0 > 0 ? $0 * 1000 : nil } ?? Timestamp.now()
        return MessageSummary(
            uid: uid, fromAddr: event.from_address ?? "", fromName: event.from_display_name ?? "",
            subject: event.subject ?? "", date: Timestamp.rfc3339(milliseconds: date),
            preview: Summary.oneLine(event.snippet ?? ""),
            flags: ((event.flags ?? []) + (event.keywords ?? [])).filter { $0 != "\\Recent" })
    }

    /// Dovecot's OX driver says `user=<address>`, as the mailbox's METADATA has it.
    private static func address(_ user: String) throws -> String {
        let text = user.hasPrefix("user=") ? String(user.dropFirst(5)) : user
        return try EmailAddress(text, field: "user").description
    }

    private static func failure(_ error: DecodingError) -> Failure {
        switch error {
        case .keyNotFound(let key, let context):
            .invalid(path(context.codingPath + [key]), code: "required", "is required")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            .invalid(path(context.codingPath), code: "wrong_type", "is not of its type")
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            .invalid(path(context.codingPath), code: "invalid", "is not a value that is understood")
        default: Failure(.malformed, code: "malformed_json", "The body is not a JSON object.")
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.isEmpty ? "body" : keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
}

/// The JSON of both drivers; fields that a newer one may add are passed over.
private struct Content: Decodable {
    struct Event: Decodable {
        let event: String
        let folder: String
        var uid: UInt32?
        var uid_validity: UInt32?
        /// Seconds since 1970.
        var date: Int64?
        var from_address: String?
        var from_display_name: String?
        var subject: String?
        var snippet: String?
        var flags: [String]?
        var keywords: [String]?
    }

    struct Folder: Decodable {
        let folder: String
        let uid_validity: UInt32
        let uid_next: UInt32
        let modseq: UInt64
        let messages: Int
        let unseen: Int
    }

    let user: String
    var events: [Event]?
    var folders: [Folder]?
    var more: Bool?
    /// Of the OX driver, which sends one event in place of the list.
    var event: String?
}
