import HTTPService
import HTTPTypes
import Hummingbird
import IMAP
import MIME
import MailModel
import Storage

/// Drafts: messages in the Drafts folder, where every mail program of the mailbox finds them.
struct DraftRoutes: Sendable {
    let access: MailboxAccess
    let sessions: MailSessions
    let attachments: Attachments
    /// Bytes.
    let maximumBody: Int

    func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let draft = try await request.decode(SendRequest.self, upTo: maximumBody)
        return try await save(draft, of: mailbox, replacing: nil).response(status: .created)
    }

    func replace(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try DraftPlace(request, context)
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let draft = try await request.decode(SendRequest.self, upTo: maximumBody)
        return try await save(draft, of: mailbox, replacing: place).response(status: .ok)
    }

    func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try DraftPlace(request, context)
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        try await sessions.withSession(of: mailbox) { session in
            let drafts = try await session.folder(of: .drafts)
            try await session.checkDraft(place, in: drafts)
            try await session.expunge(place.uid, in: drafts, uidValidity: place.uidValidity)
        }
        return .noContent
    }

    /// The new version is there before the old one goes: a draft may be doubled by an accident, never lost.
    private func save(
        _ draft: SendRequest, of mailbox: Mailbox, replacing place: DraftPlace?
    ) async throws -> SavedDraft {
        let message = try draft.message(from: mailbox.address, now: Timestamp.now())
        if let place {
            try await sessions.withSession(of: mailbox, isRepeatable: true) { session in
                try await session.checkDraft(place, in: try await session.folder(of: .drafts))
            }
        }
        let found = try await attachments.resolve(draft.attachments, of: mailbox)
        let composed = try await ComposedMessage(message, found, showingBcc: true) {
            try await attachments.all(of: $0, mailbox)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(composed.size)
        try await composed.write(from: attachments, of: mailbox) { bytes += $0 }
        let saved = try await sessions.withSession(of: mailbox) { [bytes] session in
            let saved = try await session.appendDraft(bytes)
            if let place {
                try await session.expunge(
                    place.uid, in: MailboxName(saved.folder), uidValidity: place.uidValidity)
            }
            return saved
        }
        // Now they are in the draft, which names them from now on.
        try? await attachments.uploads.consume(found.compactMap(\.uploadID), mailbox: mailbox.address)
        return saved
    }
}

/// The draft that a path names.
private struct DraftPlace: Sendable {
    let uid: UInt32
    let uidValidity: UInt32?

    init(_ request: Request, _ context: CallerContext) throws {
        guard let uid = UInt32(exactly: try context.idParameter("uid")), uid < .max else {
            throw Failure.notFound("This draft")
        }
        self.uid = uid
        uidValidity = try request.uidValidity
    }
}

/// Where a draft is now.
private struct SavedDraft: Sendable {
    let folder: String
    /// Nil where the server does not tell.
    let uid: UInt32?
    let uidValidity: UInt32?
    let id: String?

    func response(status: HTTPResponse.Status) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.field("folder", folder)
            json.field("uid", uid)
            json.field("uid_validity", uidValidity)
            json.field("id", id)
        }
        return .json(json.bytes, status: status)
    }
}

extension MailSession {
    fileprivate func appendDraft(_ message: [UInt8]) async throws -> SavedDraft {
        let (folder, appended) = try await append(message, to: .drafts, flags: [.draft, .seen])
        guard let appended else { return SavedDraft(folder: folder.name, uid: nil, uidValidity: nil, id: nil) }
        _ = try await select(folder)
        let guid = try await found {
            let (_, fetched) = try await connection.pipeline(
                .noop, .uidFetch(SequenceSet(appended.uid), [.uid, .guid]))
            return fetched.messages.first { $0.uid == appended.uid }?.guid
        }
        return SavedDraft(
            folder: folder.name, uid: appended.uid, uidValidity: appended.uidValidity,
            id: guid ?? "\(appended.uidValidity)-\(appended.uid)")
    }

    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    fileprivate func checkDraft(_ place: DraftPlace, in drafts: MailboxName) async throws {
        _ = try await select(drafts, uidValidity: place.uidValidity)
        let draft = try await found {
            let (_, fetched) = try await connection.pipeline(.noop, .uidFetch(SequenceSet(place.uid), [.uid]))
            return fetched.messages.first { $0.uid == place.uid }
        }
        guard draft != nil else { throw Failure.notFound("This draft") }
    }
}
