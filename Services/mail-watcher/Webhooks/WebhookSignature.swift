import Crypto
import FoundationEssentials

/// How a call shows whom it comes from, as Standard Webhooks has it: HMAC-SHA256 over id, time and body.
/// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
enum WebhookSignature {
    private static let prefix = "whsec_"

    /// 32 random bytes.
    static func newSecret() -> String {
        prefix + SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedString()
    }

    /// The value of `webhook-signature`.
    /// - Parameter seconds: The value of `webhook-timestamp`: seconds since 1970.
    static func sign(_ body: [UInt8], id: String, seconds: Int64, secret: String) -> String {
        let key = Data(base64Encoded: String(secret.dropFirst(prefix.count))) ?? Data(secret.utf8)
        var hmac = HMAC<SHA256>(key: SymmetricKey(data: key))
        hmac.update(data: Array("\(id).\(seconds).".utf8))
        hmac.update(data: body)
        return "v1," + Data(hmac.finalize()).base64EncodedString()
    }
}
