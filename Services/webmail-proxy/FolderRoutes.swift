import HTTPService
import HTTPTypes
import Hummingbird
import IMAP
import MailModel

/// The folders of a mailbox: list, make, rename, subscribe to, delete.
struct FolderRoutes: Sendable {
    let access: MailboxAccess
    let sessions: MailSessions
    private let delimiter = HierarchyDelimiter()

    init(access: MailboxAccess, sessions: MailSessions) {
        self.access = access
        self.sessions = sessions
    }

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
        return .json(json.bytes, entityTag: EntityTag.of(json.bytes))
    }

    func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let wanted = try await request.decode(NewFolder.self)
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let folder = try await sessions.withSession(of: mailbox, folder: .inbox) { session in
            let name = try wanted.checkedPath(delimiter: try await delimiter.of(session))
            return try await session.create(name, isSubscribed: wanted.subscribed ?? true)
        }
        var response = Self.answer(folder, status: .created)
        response.headers[.location] = "/api/v1/mail/webmail/folders/\(FolderPath.encode(folder.path))"
        return response
    }

    func update(_ request: Request, _ context: CallerContext) async throws -> Response {
        let name = try context.folder
        let change = try await request.decode(FolderChange.self)
        try change.check()
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        let folder = try await sessions.withSession(of: mailbox, folder: .inbox) { session in
            var now = name
            var folder: Folder?
            if change.renames {
                let delimiter = try await delimiter.of(session)
                let target = try change.checkedPath(from: name, delimiter: delimiter)
                folder = try await session.rename(name, to: target, delimiter: delimiter, field: change.field)
                now = target
            }
            if let isSubscribed = change.subscribed { folder = try await session.setSubscribed(isSubscribed, now) }
            guard let folder else { throw Failure.notFound("This folder") }
            return folder
        }
        return Self.answer(folder)
    }

    func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let isRecursive = try ListRequest.flag("recursive", in: request.uri.queryParameters) ?? false
        let name = try context.folder
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        try await sessions.withSession(of: mailbox, folder: .inbox) { session in
            try await session.delete(name, isRecursive: isRecursive, delimiter: try await delimiter.of(session))
        }
        return .noContent
    }

    private static func answer(_ folder: Folder, status: HTTPResponse.Status = .ok) -> Response {
        var json = JSONWriter()
        folder.write(to: &json)
        return .json(json.bytes, status: status)
    }
}

/// The folder to make: by its path, or by its name and the path of the folder it lies in.
struct NewFolder: Decodable, Sendable {
    let name: String?
    let parent: String?
    let path: String?
    let subscribed: Bool?

    /// - Throws: `Failure` of kind `invalid` naming the field.
    func checkedPath(delimiter: Character?) throws(Failure) -> MailboxName {
        if let path {
            guard name == nil, parent == nil else {
                throw .invalid("path", code: "ambiguous", "must not stand beside name and parent")
            }
            return try FolderPath.checked(path, delimiter: delimiter, field: "path")
        }
        guard let name else { throw .invalid("name", code: "required", "must be given, or path") }
        return try FolderPath.child(name, of: parent, delimiter: delimiter)
    }
}

/// How a folder is to change.
struct FolderChange: Decodable, Sendable {
    /// The new last component of the path.
    let name: String?
    /// The whole new path.
    let path: String?
    let subscribed: Bool?

    var renames: Bool { name != nil || path != nil }
    var field: String { name != nil ? "name" : "path" }

    func check() throws(Failure) {
        guard name == nil || path == nil else {
            throw .invalid("path", code: "ambiguous", "must not stand beside name")
        }
        guard renames || subscribed != nil else {
            throw .invalid("name", code: "required", "must be given, or path, or subscribed")
        }
    }

    func checkedPath(from former: MailboxName, delimiter: Character?) throws(Failure) -> MailboxName {
        if let path { return try FolderPath.checked(path, delimiter: delimiter, field: "path") }
        let components = delimiter.map { former.name.split(separator: $0) } ?? []
        let parent = components.dropLast().joined(separator: delimiter.map(String.init) ?? "")
        return try FolderPath.child(name ?? "", of: parent.isEmpty ? nil : parent, delimiter: delimiter)
    }
}

extension FolderPath {
    /// A folder in another.
    fileprivate static func child(
        _ name: String, of parent: String?, delimiter: Character?
    ) throws(Failure) -> MailboxName {
        if let delimiter, name.contains(delimiter) {
            throw .invalid("name", code: "invalid_folder_name", "must not contain \(delimiter), which divides paths")
        }
        try check(name[...], field: "name")
        guard let parent else { return try checked(name, delimiter: delimiter, field: "name") }
        guard let delimiter else {
            throw .invalid("parent", code: "invalid_folder_name", "must not be given: the mail server has no tree")
        }
        _ = try checked(parent, delimiter: delimiter, field: "parent")
        return try checked(parent + String(delimiter) + name, delimiter: delimiter, field: "name")
    }
}
