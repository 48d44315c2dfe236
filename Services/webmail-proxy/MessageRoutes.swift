import HTTPService
import HTTPTypes
import Hummingbird
import HummingbirdCore
import IMAP
import MailModel

/// The messages of a folder: list, read, flags, move, delete.
struct MessageRoutes: Sendable {
    let access: MailboxAccess
    let sessions: MailSessions
    let links: ImageLinks

    func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let parameters = request.uri.queryParameters
        let list = try ListRequest(parameters)
        let uidValidity = try ListRequest.uidValidity(in: parameters)
        let folder = try context.folder
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let page = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) { session in
            try await session.reading { try await session.page(of: folder, list, uidValidity: uidValidity) }
        }
        return .json(page.json, entityTag: page.entityTag(of: mailbox.address))
    }

    func read(_ request: Request, _ context: CallerContext) async throws -> Response {
        let parameters = request.uri.queryParameters
        let markSeen = try ListRequest.flag("mark_seen", in: parameters) ?? false
        let showsRemote = try ListRequest.flag("remote_images", in: parameters) ?? false
        let part = parameters.get("part")
        let place = try MessagePlace(request, context)
        let images = MessageImages(links: links, showsRemote: showsRemote)
        let mailbox = try await access.mailbox(request, context, scope: markSeen ? "mail:write" : "mail:read")
        let message = try await sessions.withSession(of: mailbox, folder: place.folder, isRepeatable: true) { session in
            try await session.acting {
                try await session.open(
                    place.uid, part: part, in: place.folder, uidValidity: place.uidValidity, markSeen: markSeen,
                    images: images)
            }
        }
        return .json(message.json(), entityTag: message.entityTag)
    }

    func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let permanently = try ListRequest.flag("permanent", in: request.uri.queryParameters) ?? false
        let place = try MessagePlace(request, context)
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let pin = UIDValidityPin(place.uidValidity)
        try await sessions.withSession(of: mailbox, folder: place.folder, isRepeatable: true) {
            try await $0.delete(place.uid, from: place.folder, permanently: permanently, pin)
        }
        return .noContent
    }

    func move(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let target = MailboxName(try await request.decode(MoveRequest.self).target)
        try MoveRequest.check(target, from: place.folder)
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let pin = UIDValidityPin(place.uidValidity)
        let uid = try await sessions.withSession(of: mailbox, folder: place.folder, isRepeatable: true) {
            try await $0.move(place.uid, from: place.folder, to: target, pin)
        }
        var json = JSONWriter()
        json.object { $0.field("uid", uid) }
        return .json(json.bytes)
    }

    func flags(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let change = try await request.decode(FlagRequest.self)
        let flags = try change.checkedFlags()
        let mode = change.mode ?? .add
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let now = try await sessions.withSession(of: mailbox, folder: place.folder, isRepeatable: true) {
            try await $0.setFlags(flags, mode: mode, of: place.uid, in: place.folder, uidValidity: place.uidValidity)
        }
        var json = JSONWriter()
        json.object { $0.field("flags", now.map(\.rawValue)) }
        return .json(json.bytes)
    }

    func changes(_ request: Request, _ context: CallerContext) async throws -> Response {
        let asked = try ChangesRequest(request.uri.queryParameters)
        let uidValidity = try request.uidValidity
        let folder = try context.folder
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let changes = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) { session in
            try await session.acting { try await session.changes(in: folder, asked, uidValidity: uidValidity) }
        }
        return .json(changes.json())
    }

    func batch(_ request: Request, _ context: CallerContext) async throws -> Response {
        let pin = UIDValidityPin(try request.uidValidity)
        let folder = try context.folder
        let batch = try await request.decode(MessageBatch.self)
        try batch.check(in: folder)
        if let flags = batch.flags { _ = try FlagRequest(flags: flags, mode: batch.mode).checkedFlags() }
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let outcome = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) {
            try await batch.run(on: $0, in: folder, pin)
        }
        return .json(batch.json(outcome, folder: folder, uidValidity: pin.value))
    }
}

/// Where a message is to go.
struct MoveRequest: Decodable {
    let target: String

    /// - Throws: `Failure` of kind `invalid` for the field `target`.
    static func check(_ target: MailboxName, from folder: MailboxName?) throws(Failure) {
        guard !target.wire.isEmpty else { throw .invalid("target", code: "required", "must name a folder") }
        guard target.wire.utf8.count <= 1000, target.name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw .invalid(
                "target", code: "invalid_folder_name", "must be at most 1000 bytes without control characters")
        }
        guard target != folder else {
            throw .invalid("target", code: "same_folder", "must be another folder than the message's own")
        }
    }
}

/// How the flags of a message are to change.
struct FlagRequest: Decodable {
    let flags: [String]
    let mode: FlagMode?

    private static let settable: Set<MessageFlag> = [.seen, .flagged, .answered, .draft, .deleted]

    /// - Throws: `Failure` of kind `invalid` for what is no flag (RFC 9051 §2.3.2).
    func checkedFlags() throws(Failure) -> [MessageFlag] {
        guard !flags.isEmpty || mode == .replace, flags.count <= 50 else {
            throw .invalid("flags", code: "required", "must hold 1 to 50 flags")
        }
        var checked: [MessageFlag] = []
        for (index, text) in flags.enumerated() {
            let flag = MessageFlag(rawValue: text)
            let isKeyword =
                !text.isEmpty && text.utf8.count <= 100
                && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !#"(){%*"\]"#.utf8.contains($0) }
            guard flag.isSystem ? Self.settable.contains(flag) : isKeyword else {
                throw .invalid(
                    "flags.\(index)", code: "invalid_flag",
                    #"must be \Seen, \Flagged, \Answered, \Draft, \Deleted or a keyword"#)
            }
            checked.append(flag)
        }
        return checked
    }
}

/// The message that a path names.
struct MessagePlace: Sendable {
    let folder: MailboxName
    let uid: UInt32
    /// What the caller believes the folder's UIDVALIDITY to be.
    let uidValidity: UInt32?

    /// - Throws: `Failure` `notFound` for a uid that cannot be.
    init(_ request: Request, _ context: CallerContext) throws {
        folder = try context.folder
        guard let uid = UInt32(exactly: try context.idParameter("uid")), uid < .max else {
            throw Failure.notFound("This message")
        }
        self.uid = uid
        uidValidity = try request.uidValidity
    }
}

extension CallerContext {
    var folder: MailboxName {
        get throws {
            let path = try pathParameter("folder")
            guard path.utf8.count <= 1000, path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw Failure.notFound("This folder")
            }
            return MailboxName(path)
        }
    }
}

extension Request {
    var uidValidity: UInt32? {
        get throws { try ListRequest.uidValidity(in: uri.queryParameters) }
    }
}
