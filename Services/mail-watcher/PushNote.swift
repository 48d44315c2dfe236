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
        for (index, event) in events.enumerated() { try add(event, "events.\(index)") }
        for (index, folder) in (content.folders ?? []).enumerated() where folder.uid_validity > 0 {
            states[folder.folder] = try folder.state("folders.\(index)")
        }
        needsLook = needsLook || content.more == true
    }

    private mutating func add(_ event: Content.Event, _ field: String) throws {
        let isMessage = ["MessageNew", "MessageAppend", "MessageExpunge"].contains(event.event)
        guard isMessage, let uid = event.uid, let validity = event.uid_validity else { return needsLook = true }
        let uid32 = try UInt32(uid, field + ".uid"), uidValidity = try UInt32(validity, field + ".uid_validity")
        if event.event == "MessageExpunge" {
            expunges.append(Expunge(folder: event.folder, uidValidity: uidValidity, uid: uid32))
            needsLook = true
        } else {
            let message = Self.summary(event, uid: uid32)
            arrivals.append(Arrival(folder: event.folder, uidValidity: uidValidity, message: message))
        }
    }

    private static func summary(_ event: Content.Event, uid: UInt32) -> MessageSummary {
        let date = event.date.flatMap { $0 > 0 ? $0 * 1000 : nil } ?? Timestamp.now()
        return MessageSummary(
            uid: uid, fromAddr: event.from_address ?? "", fromName: Summary.bounded(event.from_display_name ?? ""),
            subject: Summary.bounded(event.subject ?? ""), date: Timestamp.rfc3339(milliseconds: date),
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
        var uid: Int64?
        var uid_validity: Int64?
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
        let uid_validity: Int64
        let uid_next: Int64
        let modseq: Int64
        let messages: Int64
        let unseen: Int64

        func state(_ field: String) throws -> FolderState {
            guard modseq >= 0 else {
                throw Failure.invalid(field + ".modseq", code: "out_of_range", "must not be negative")
            }
            return FolderState(
                uidValidity: try UInt32(uid_validity, field + ".uid_validity"),
                uidNext: try UInt32(uid_next, field + ".uid_next"), modSeq: UInt64(modseq),
                exists: Int(try UInt32(messages, field + ".messages")),
                unseen: Int(try UInt32(unseen, field + ".unseen")))
        }
    }

    let user: String
    var events: [Event]?
    var folders: [Folder]?
    var more: Bool?
    /// Of the OX driver, which sends one event in place of the list.
    var event: String?
}

extension UInt32 {
    /// - Throws: `Failure` `invalid` naming the field.
    fileprivate init(_ number: Int64, _ field: String) throws {
        guard let value = UInt32(exactly: number) else {
            throw Failure.invalid(field, code: "out_of_range", "must be from 0 to 4294967295")
        }
        self = value
    }
}
