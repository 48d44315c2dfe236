import Crypto
import FoundationEssentials

/// Seals secrets that are kept at rest: authenticated encryption (AES-256-GCM) with the platform's master key.
///
/// Each purpose has a key of its own, derived from the master key (HKDF, RFC 5869), so that a value sealed for one use
/// can never be opened as another's.
public struct SecretBox: Sendable {
    /// The sealed value was changed, cut, made for another purpose or with another master key.
    public struct Unopenable: Error, Equatable {}

    private let master: SymmetricKey

    /// Reads the master key, or makes it where there is none yet.
    ///
    /// - Parameter file: The path of a file with 32 random bytes in base64; its folder must exist.
    /// - Throws: `KeyFileError` when it cannot be read or made, is no such key, or is readable by others.
    public init(file: String) throws {
        // A group may read it: a Kubernetes secret is the group's of the pod (fsGroup).
        let text = try KeyFile.readOrCreate(path: file, allowed: 0o640) {
            SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() } + "\n"
        }
        guard let key = Data(base64Encoded: text.filter { !$0.isWhitespace }), key.count == 32 else {
            throw KeyFileError.notASealingKey(path: file)
        }
        master = SymmetricKey(data: key)
    }

    /// - Parameter purpose: What the value is for, the same word as when it is opened.
    public func seal(_ secret: [UInt8], purpose: String) throws -> [UInt8] {
        let sealed = try AES.GCM.seal(secret, using: key(purpose))
        // The nonce has the standard size, so there is a combined form.
        return Array(sealed.nonce) + sealed.ciphertext + sealed.tag
    }

    /// - Throws: `Unopenable`.
    public func open(_ sealed: [UInt8], purpose: String) throws -> [UInt8] {
        do {
            return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: sealed), using: key(purpose)))
        } catch { throw Unopenable() }
    }

    private func key(_ purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: master, info: Array(purpose.utf8), outputByteCount: 32)
    }
}
