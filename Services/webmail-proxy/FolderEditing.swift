import IMAP
import MailModel
import NIOConcurrencyHelpers

extension MailSession {
    /// Makes a folder, and those above it where there are none (RFC 9051 §6.3.4).
    ///
    /// - Throws: `Failure` `conflict` `folder_exists`; `invalid` for the field `path` when the server takes no such name.
    func create(_ name: MailboxName, isSubscribed: Bool) async throws -> Folder {
        // There always is an INBOX, also one that Dovecot has yet to make.
        guard name != .inbox else { throw Self.exists }
        do {
            let listed: [ListedMailbox]
            if isSubscribed {
                listed = try await connection.pipeline(.create(name), .subscribe(name), .folders([name.name])).2
            } else {
                listed = try await connection.pipeline(.create(name), .folders([name.name])).1
            }
            return try await folder(name, in: listed)
        } catch let error as IMAPError {
            throw Self.refusal(error, field: "path")
        }
    }

    /// Renames or moves a folder with everything below it; subscriptions go along.
    ///
    /// - Throws: `Failure` `notFound`; `conflict` `folder_exists`, or `folder_protected` for INBOX and folders with a
    ///   role; `invalid` for the field when the server takes no such name.
    func rename(
        _ name: MailboxName, to target: MailboxName, delimiter: Character?, field: String
    ) async throws -> Folder {
        try await checkUnprotected(name)
        guard !FolderPath.isWithin(target, name, delimiter: delimiter) else {
            if target == name { return try await folder(name, in: try await connection.run(.folders([name.name]))) }
            throw Failure.invalid(field, code: "invalid_folder_name", "must not lie below the folder itself")
        }
        do {
            let (_, subscribed, listed) = try await connection.pipeline(
                .rename(name, to: target),
                .list(patterns: Self.subtree(of: name, delimiter), selecting: [.subscribed]), .folders([target.name]))
            forgetSelection(within: name, delimiter)
            let former = subscribed.map(\.name).filter { FolderPath.isWithin($0, name, delimiter: delimiter) }
            guard !former.isEmpty else { return try await folder(target, in: listed) }
            let moved = former.map { MailboxName(wire: target.wire + $0.wire.dropFirst(name.wire.utf8.count)) }
            _ = try await inTurns(former.map { .unsubscribe($0) } + moved.map { .subscribe($0) })
            return try await folder(target, in: try await connection.run(.folders([target.name])))
        } catch let error as IMAPError {
            // Dovecot takes it for a fault of its own when a name is longer than it can keep.
            if error.code == .serverBug {
                _ = try await folder(name, in: try await connection.run(.folders([name.name])))
            }
            throw Self.refusal(error, field: field)
        }
    }

    /// - Throws: `Failure` `notFound`; `conflict` `folder_protected` for INBOX, which is always shown.
    func setSubscribed(_ isSubscribed: Bool, _ name: MailboxName) async throws -> Folder {
        guard isSubscribed || name != .inbox else { throw Self.protected }
        do {
            let (_, listed) = try await connection.pipeline(
                isSubscribed ? .subscribe(name) : .unsubscribe(name), .folders([name.name]))
            return try await folder(name, in: listed)
        } catch let error as IMAPError where error.isMissingFolder {
            throw Failure.notFound("This folder")
        }
    }

    /// Deletes a folder.
    ///
    /// - Parameter isRecursive: Also one with messages or folders in it, with all of them.
    /// - Throws: `Failure` `notFound`; `conflict` `folder_protected` for INBOX and folders with a role, or
    ///   `folder_not_empty`.
    func delete(_ name: MailboxName, isRecursive: Bool, delimiter: Character?) async throws {
        try await checkUnprotected(name)
        // A folder cannot be deleted while it is open.
        if let open = selection?.folder, FolderPath.isWithin(open, name, delimiter: delimiter) {
            _ = try await select(.inbox)
        }
        let subtree = try await connection.run(
            .list(patterns: Self.subtree(of: name, delimiter), returning: [.specialUse], status: [.messages])
        ).filter { FolderPath.isWithin($0.name, name, delimiter: delimiter) }
        guard !subtree.isEmpty else { throw Failure.notFound("This folder") }
        let held = Set(try await knownRoles().values)
        guard !subtree.contains(where: { held.contains($0.name) }) else { throw Self.protected }
        guard isRecursive || subtree.count == 1 && subtree[0].status?.messages ?? 0 == 0 else {
            throw Failure.conflict(
                "folder_not_empty", "The folder has messages or folders in it; delete it with recursive=true.")
        }
        // The deepest first; what exists only as a part of other folders' paths ends with them.
        let deepestFirst = subtree.sorted { $0.name.wire.utf8.count > $1.name.wire.utf8.count }
        let deletions = deepestFirst.map { IMAPCommand.delete($0.name) }
        let results = try await inTurns(deletions + deepestFirst.map { .unsubscribe($0.name) })
        for (mailbox, result) in zip(deepestFirst, results)
        where !mailbox.has(.noSelect) && !mailbox.has(.nonExistent) {
            // Gone already: another client was faster.
            if case .failure(let error) = result, error.code != .nonExistent { throw error }
        }
    }

    /// Runs any number of commands, as many at a time as a connection takes.
    private func inTurns(_ commands: [IMAPCommand<Void>]) async throws -> [Result<Void, IMAPError>] {
        var results: [Result<Void, IMAPError>] = []
        for start in stride(from: 0, to: commands.count, by: 100) {
            results += try await connection.pipeline(Array(commands[start..<min(start + 100, commands.count)]))
        }
        return results
    }

    private static let exists = Failure.conflict("folder_exists", "There is a folder of that name already.")
    private static let protected = Failure.conflict(
        "folder_protected", "INBOX and the folders that have a role cannot be renamed, deleted or hidden.")

    private func checkUnprotected(_ name: MailboxName) async throws {
        guard try await role(of: name) == nil else { throw Self.protected }
    }

    private func folder(_ name: MailboxName, in listed: [ListedMailbox]) async throws -> Folder {
        guard let mailbox = listed.first(where: { $0.name == name }), !mailbox.has(.nonExistent) else {
            throw Failure.notFound("This folder")
        }
        return Folder(mailbox, role: try await role(of: name))
    }

    private func forgetSelection(within name: MailboxName, _ delimiter: Character?) {
        if let open = selection?.folder, FolderPath.isWithin(open, name, delimiter: delimiter) { forgetSelection() }
    }

    private static func subtree(of name: MailboxName, _ delimiter: Character?) -> [String] {
        [name.name] + (delimiter.map { [name.name + String($0) + "*"] } ?? [])
    }

    /// What a refused CREATE or RENAME means.
    private static func refusal(_ error: IMAPError, field: String) -> any Error {
        switch error {
        case .no(.alreadyExists, _): Self.exists
        case .no(.nonExistent, _): Failure.notFound("This folder")
        case .no(.noPermission, _): Self.protected
        case .no where error.isMissingFolder, .bad:
            Failure.invalid(
                field, code: "invalid_folder_name", "must be a name and a place that the mail server takes")
        default: error
        }
    }
}

/// What divides the components of folder paths on the mail server: asked for once.
final class HierarchyDelimiter: Sendable {
    private let known = NIOLockedValueBox<Character?>(nil)

    /// - Returns: nil in a flat hierarchy.
    func of(_ session: MailSession) async throws -> Character? {
        if let delimiter = known.withLockedValue({ $0 }) { return delimiter }
        // RFC 9051 §6.3.9: an empty pattern asks for the delimiter.
        let delimiter = try await session.connection.run(.list(patterns: [""])).first?.delimiter
        known.withLockedValue { $0 = delimiter }
        return delimiter
    }
}
