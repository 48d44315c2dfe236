import Credentials
import Foundation
import MailModel
import Storage

/// The DKIM signing keys where Rspamd looks for them: `<domain>.<selector>.key` for each, and `<domain>.selectors`, which
/// says with which of them it signs.
///
/// The folder belongs to the operator: its group is Rspamd's and its setgid bit hands that group to every file, so that
/// the signer may read (0640) and nobody else may.
struct DKIMKeys: Sendable {
    /// Absolute path.
    let directory: String
    let reserve: KeyReserve

    /// The keys of these selectors, made with their files where there are none yet.
    ///
    /// A file that exists is kept, so that what was cut short continues with the same key.
    /// - Throws: `Failure` when the folder cannot be used.
    func make(for domain: DomainName, rsa: String, ed25519: String) throws -> [DKIMKey] {
        let pair = reserve.take()
        defer { if let pair { [pair.rsa, pair.ed25519].forEach { unlink($0.path) } } }
        return [
            DKIMKey(
                selector: rsa, algorithm: .rsa,
                publicKey: try place(pair?.rsa, at: path(domain.description, rsa))
                    ?? SigningKey.publicRSA(key(domain, rsa, make: SigningKey.newRSA))),
            DKIMKey(
                selector: ed25519, algorithm: .ed25519,
                publicKey: try place(pair?.ed25519, at: path(domain.description, ed25519))
                    ?? SigningKey.publicEd25519(key(domain, ed25519, make: SigningKey.newEd25519))),
        ]
    }

    /// Gives a key of the reserve its name.
    /// - Returns: Its public half; nil when there is none, or another has that name.
    private func place(_ key: KeyReserve.Key?, at path: String) -> String? {
        // What has waited long must not look like a stray in its new place.
        guard let key, utimes(key.path, nil) == 0, link(key.path, path) == 0 else { return nil }
        return key.publicKey
    }

    /// Until the names of the files are on disk.
    func sync() throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.unusable }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.unusable }
    }

    /// Has Rspamd sign with these selectors from its next mail on.
    ///
    /// - Parameter areFirst: Of a new domain, for which Rspamd takes the same where it finds nothing: nobody waits for the
    ///   disk.
    func sign(_ domain: DomainName, with selectors: [String], areFirst: Bool = false) throws {
        do {
            try KeyFile.replace(
                path: "\(directory)/\(domain).selectors", with: selectors.joined(separator: " ") + "\n", mode: 0o640,
                isDurable: !areFirst)
        } catch is KeyFileError { throw Self.unusable }
    }

    /// Deletes what there is of a domain.
    func remove(_ domain: DomainName, selectors: [String]) throws {
        for path in ["\(directory)/\(domain).selectors"] + selectors.map({ path(domain.description, $0) }) {
            guard unlink(path) == 0 || errno == ENOENT else { throw Self.unusable }
        }
    }

    /// The key files that nobody has touched for a while, as domain and selector.
    func oldFiles(olderThan age: TimeInterval) throws -> [(domain: String, selector: String)] {
        try FileManager.default.contentsOfDirectory(atPath: directory).compactMap { file in
            guard file.hasSuffix(".key"), let dot = file.dropLast(4).lastIndex(of: "."),
                let changed = try? FileManager.default.attributesOfItem(atPath: "\(directory)/\(file)")[
                    .modificationDate]
                    as? Date, changed.timeIntervalSinceNow < -age
            else { return nil }
            return (String(file[..<dot]), String(file[file.index(after: dot)...].dropLast(4)))
        }
    }

    /// Deletes what processes that died had in reserve; those that live touch theirs.
    func removeOldReserves(olderThan age: TimeInterval) throws {
        reserve.touch()
        for file in try FileManager.default.contentsOfDirectory(atPath: directory)
        where file.hasPrefix(KeyReserve.prefix) {
            let path = "\(directory)/\(file)"
            let changed = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
            if let changed, changed.timeIntervalSinceNow < -age { unlink(path) }
        }
    }

    /// Deletes one key.
    func remove(domain: String, selector: String) { unlink(path(domain, selector)) }

    private func path(_ domain: String, _ selector: String) -> String { "\(directory)/\(domain).\(selector).key" }

    private func key(_ domain: DomainName, _ selector: String, make: () throws -> String) throws -> String {
        do {
            return try KeyFile.readOrCreate(path: path(domain.description, selector), mode: 0o640, content: make)
        } catch is KeyFileError { throw Self.unusable }
    }

    private static let unusable = Failure.unavailable("The store of DKIM keys", retryAfter: .seconds(30))
}
