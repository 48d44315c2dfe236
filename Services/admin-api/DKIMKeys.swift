import Credentials
import Crypto
import CryptoExtras
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
    let reserve: RSAReserve

    /// The keys of these selectors, made with their files where there are none yet.
    ///
    /// A file that exists is kept, so that what was cut short continues with the same key.
    /// - Throws: `Failure` when the folder cannot be used.
    func make(for domain: DomainName, rsa: String, ed25519: String?) throws -> [DKIMKey] {
        let main = try key(domain, rsa) { reserve.take() }
        // The body of a public key in PEM is the base64 that the record wants.
        let spki = try _RSA.Signing.PrivateKey(pemRepresentation: main).publicKey.pemRepresentation
            .split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        var keys = [DKIMKey(selector: rsa, algorithm: .rsa, publicKey: spki)]
        if let ed25519 {
            // As Rspamd keeps one: seed and public key, in Base64.
            let text = try key(domain, ed25519) {
                let new = Curve25519.Signing.PrivateKey()
                return (new.rawRepresentation + new.publicKey.rawRepresentation).base64EncodedString()
            }
            guard let pair = Data(base64Encoded: text), pair.count == 64 else { throw Self.unusable }
            keys.append(
                DKIMKey(
                    selector: ed25519, algorithm: .ed25519, publicKey: Data(pair.suffix(32)).base64EncodedString()))
        }
        return keys
    }

    /// Has Rspamd sign with these selectors from its next mail on.
    func sign(_ domain: DomainName, with selectors: [String]) throws {
        do {
            try KeyFile.replace(
                path: "\(directory)/\(domain).selectors", with: selectors.joined(separator: " ") + "\n", mode: 0o640)
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
