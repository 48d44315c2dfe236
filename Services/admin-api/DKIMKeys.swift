import Credentials
import CryptoExtras
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
        let pem: String
        do {
            pem = try KeyFile.readOrCreate(path: "\(directory)/\(domain).\(selector).key", mode: 0o640) {
                // 2048 bits: RFC 8301 §3.2.
                try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
            }
        } catch is KeyFileError {
            throw Failure.unavailable("The store of DKIM keys", retryAfter: .seconds(30))
        }
        // The body of a public key in PEM is the base64 that the record wants.
        return try _RSA.Signing.PrivateKey(pemRepresentation: pem).publicKey.pemRepresentation
            .split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    }
}
