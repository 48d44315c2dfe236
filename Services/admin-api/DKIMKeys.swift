import CryptoExtras
import Glibc
import MailModel

/// The DKIM signing keys: one PEM file per domain and selector, where Rspamd looks for them.
///
/// The folder belongs to the operator: its group is Rspamd's and its setgid bit hands that group to every file, so that
/// the signer may read (0640) and nobody else may.
struct DKIMKeys: Sendable {
    /// Absolute path.
    let directory: String
    let selector: String

    /// The public key of a domain, made with its file where there is none yet.
    ///
    /// A file that exists is kept, so that a creation that was cut short continues with the same key.
    /// - Returns: Base64 of the SubjectPublicKeyInfo, as the `p=` tag wants it (RFC 6376 §3.6.1).
    /// - Throws: `Failure` when the folder cannot be used.
    func publicKey(for domain: DomainName) throws -> String {
        let path = "\(directory)/\(domain).\(selector).key"
        if let existing = try Self.read(path) { return Self.base64PublicKey(existing) }
        // 2048 bits: RFC 8301 §3.2.
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        try Self.create(path, contents: key.pemRepresentation)
        guard let stored = try Self.read(path) else { throw Self.unusable(path) }
        return Self.base64PublicKey(stored)
    }

    private static func base64PublicKey(_ key: _RSA.Signing.PrivateKey) -> String {
        // The PEM body is the base64 that the record wants.
        key.publicKey.pemRepresentation.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    }

    private static func read(_ path: String) throws -> _RSA.Signing.PrivateKey? {
        guard let file = fopen(path, "r") else {
            if errno == ENOENT { return nil }
            throw unusable(path)
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = fread(&bytes, 1, bytes.count, file)
        return try _RSA.Signing.PrivateKey(pemRepresentation: String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    /// Writes a file whole or not at all; one that is there by now stays.
    private static func create(_ path: String, contents: String) throws {
        let temporary = "\(path).\(getpid()).\(UInt64.random(in: .min ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o640)
        guard descriptor >= 0 else { throw unusable(path) }
        defer { unlink(temporary) }
        fchmod(descriptor, 0o640)
        let bytes = Array(contents.utf8)
        let written = write(descriptor, bytes, bytes.count)
        let synced = fsync(descriptor)
        guard close(descriptor) == 0, synced == 0, written == bytes.count else { throw unusable(path) }
        guard link(temporary, path) == 0 || errno == EEXIST else { throw unusable(path) }
    }

    private static func unusable(_ path: String) -> Failure {
        Failure.unavailable("The store of DKIM keys", retryAfter: .seconds(30))
    }
}
