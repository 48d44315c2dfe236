import Foundation
import MailModel
import NIOPosix

/// The homes of mailboxes on disk, `<root>/<domain>/<local part>`, where they are made by Dovecot, and here moved and
/// removed.
struct MailFolders: Sendable {
    /// Absolute path.
    let root: String

    /// What is on its way out bears this name first, so that nothing half-removed is taken for a mailbox.
    private static let gone = ".gone-"

    /// Removes a home, or all of a domain; what is not there is no error.
    /// - Parameter path: `<domain>/<local part>` or `<domain>`.
    /// - Throws: `Failure` `unavailable` when the disk does not let it.
    func remove(_ path: String) async throws {
        let source = try absolute(path)
        let target = "\(root)/\(Self.gone)\(UUID().uuidString)"
        try await onThread {
            guard rename(source, target) == 0 else {
                guard errno == ENOENT else { throw Self.unusable }
                return
            }
            try FileManager.default.removeItem(atPath: target)
        }
    }

    /// Moves a home. What was moved already stays; what stands in the way, of a mailbox that is no more, is set aside.
    /// - Throws: `Failure` `unavailable` when the disk does not let it.
    func move(from: String, to: String) async throws {
        let source = try absolute(from), target = try absolute(to)
        guard source != target else { return }
        let domain = "\(root)/\(from.prefix { $0 != "/" })"
        try await onThread {
            // One at a time, in whatever process: what another has just moved here would be taken for what stands in
            // the way.
            let lock = open(domain, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { if lock >= 0 { close(lock) } }
            if lock >= 0 { while flock(lock, LOCK_EX) != 0, errno == EINTR {} }
            // Nothing was delivered yet, or it was moved by whoever died then.
            guard access(source, F_OK) == 0 else { return }
            if access(target, F_OK) == 0 { _ = rename(target, "\(target).\(UInt64.random(in: 0 ... .max))") }
            guard rename(source, target) == 0 else { throw Self.unusable }
        }
    }

    /// Removes what an earlier process had begun to.
    func removeLeftovers() async throws {
        try await onThread {
            guard let entries = try? FileManager.default.contentsOfDirectory(atPath: root) else { return }
            for entry in entries where entry.hasPrefix(Self.gone) {
                try? FileManager.default.removeItem(atPath: "\(root)/\(entry)")
            }
        }
    }

    private func absolute(_ path: String) throws -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count),
            parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") && !$0.contains("\0") })
        else { throw Failure.unavailable("The mail store") }
        return "\(root)/\(path)"
    }

    private func onThread(_ work: @escaping @Sendable () throws -> Void) async throws {
        try await NIOThreadPool.singleton.runIfActive { try work() }
    }

    private static let unusable = Failure.unavailable("The mail store", retryAfter: .seconds(30))
}
