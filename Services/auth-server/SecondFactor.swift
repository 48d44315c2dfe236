import Credentials
import MailModel
import Storage

/// The second factor of a login: an authenticator app, and recovery codes for when it is lost.
struct SecondFactor: Sendable {
    let store: SecondFactorStore
    let box: SecretBox

    private static let purpose = "totp"
    private static let recoveryCodes = 10
    /// For how long a new secret may be confirmed.
    private static let confirmable = Duration.seconds(900)

    /// Whether the login of this subject asks for it.
    func isOn(for subject: String) async throws -> Bool { try await store.secret(of: subject)?.isConfirmed ?? false }

    /// A new secret, which counts once `confirm` has seen a code of it; nil when the factor is on already.
    func begin(for subject: String) async throws -> TOTP? {
        let totp = TOTP.new()
        let sealed = try box.seal(totp.secret, purpose: Self.purpose)
        return try await store.begin(subject, sealed: sealed) ? totp : nil
    }

    /// Turns it on.
    /// - Returns: The recovery codes, to be shown once; nil for a wrong code or nothing to confirm: a secret
    ///   waits for 15 minutes.
    func confirm(_ code: String, for subject: String) async throws -> [String]? {
        let code = Self.plain(code)
        guard code.utf8.count <= 64, let secret = try await store.secret(of: subject), !secret.isConfirmed,
            let step = try totp(secret).step(of: code, at: Timestamp.now() / 1000)
        else { return nil }
        let codes = Self.newRecoveryCodes()
        let hashes = codes.map(Self.recoveryHash)
        let isOn = try await store.confirm(
            subject, step: step, recoveryHashes: hashes,
            begunAfter: Timestamp.now() - Self.confirmable.components.seconds * 1000)
        return isOn ? codes : nil
    }

    /// How a code was good.
    enum Proof: Sendable { case app, recoveryCode }

    /// Uses a code up: each counts once.
    func verify(_ code: String, for subject: String) async throws -> Proof? {
        let code = Self.plain(code)
        guard code.utf8.count <= 64, let secret = try await store.secret(of: subject), secret.isConfirmed else {
            return nil
        }
        if let step = try totp(secret).step(of: code, at: Timestamp.now() / 1000) {
            return try await store.use(step: step, of: subject) ? .app : nil
        }
        return try await store.use(recoveryHash: Self.recoveryHash(code), of: subject) ? .recoveryCode : nil
    }

    /// New recovery codes in place of the old ones.
    func renewRecoveryCodes(for subject: String) async throws -> [String] {
        let codes = Self.newRecoveryCodes()
        try await store.replaceRecoveryCodes(subject, hashes: codes.map(Self.recoveryHash))
        return codes
    }

    /// As apps show codes, and people type them: with spaces.
    private static func plain(_ code: String) -> String { code.filter { !$0.isWhitespace } }

    private func totp(_ secret: SecondFactorStore.Secret) throws -> TOTP {
        TOTP(secret: try box.open(secret.sealed, purpose: Self.purpose))
    }

    /// Fifty random bits each, in letters that are not taken for one another: `bcdfg-hjkmn`.
    private static func newRecoveryCodes() -> [String] {
        let alphabet = Array("23456789abcdefghjkmnpqrstuvwxyz")
        var generator = SystemRandomNumberGenerator()
        return (0..<recoveryCodes).map { _ in
            let letters = String((0..<10).map { _ in alphabet.randomElement(using: &generator) ?? "2" })
            return "\(letters.prefix(5))-\(letters.suffix(5))"
        }
    }

    private static func recoveryHash(_ code: String) -> String {
        OpaqueToken.hash(of: "recovery:" + code.lowercased().filter { $0 != "-" })
    }
}
