import Credentials
import FoundationEssentials

/// What webhooks are signed with, as it is kept: sealed, where there is a key that the database does not hold.
struct WebhookSecrets: Sendable {
    private static let mark = "sealed:"
    private static let purpose = "webhook secret"

    /// nil keeps them as they are.
    let box: SecretBox?

    /// As it is to be kept; what is sealed already stays as it is.
    func seal(_ secret: String) throws -> String {
        guard let box, !secret.hasPrefix(Self.mark) else { return secret }
        return Self.mark + Data(try box.seal(Array(secret.utf8), purpose: Self.purpose)).base64EncodedString()
    }

    /// It was sealed with a key that is not here.
    struct Unopenable: Error {}

    /// - Throws: `Unopenable`, and `SecretBox.Unopenable` for what another key has sealed.
    func open(_ kept: String) throws -> String {
        guard kept.hasPrefix(Self.mark) else { return kept }
        guard let box, let sealed = Data(base64Encoded: String(kept.dropFirst(Self.mark.count))) else {
            throw Unopenable()
        }
        return String(decoding: try box.open(Array(sealed), purpose: Self.purpose), as: UTF8.self)
    }
}
