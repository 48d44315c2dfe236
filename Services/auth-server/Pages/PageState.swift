import Credentials
import FoundationEssentials
import MailModel

/// Where somebody is on the way through the pages: sealed, in a hidden field of the form. The server keeps nothing.
struct PageState: Codable, Sendable {
    enum Step: String, Codable, Sendable { case deviceCode, password, secondFactor, consent }

    var step: Step
    /// Of the authorization code flow.
    var request: AuthorizationRequest?
    /// Of the device flow.
    var userCode: String?
    var language: PageLanguage
    /// Who has shown the password, and (at `consent`) the second factor too.
    var subject: String?
    /// When the password was looked at: milliseconds since 1970. Who was revoked since then begins anew.
    var authenticatedAt: Int64?
    /// The hash of the browser's cookie: the form counts only with it.
    let browser: String
    /// Milliseconds since 1970.
    let expiresAt: Int64

    /// How long somebody may take: milliseconds.
    static let lifetime: Int64 = 600_000

    /// The browser's secret in a `Cookie` header (RFC 6265 §5.4): the first that can be one of ours.
    static func browser(cookies: String, name: String) -> String? {
        for pair in cookies.utf8.split(separator: UInt8(ascii: ";")) {
            let pair = pair.drop { $0 == UInt8(ascii: " ") }
            let value = pair.dropFirst(name.utf8.count + 1)
            guard pair.starts(with: (name + "=").utf8), value.count == 22,
                value.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
            else { continue }
            return String(Substring(value))
        }
        return nil
    }
}

/// Seals and opens the states of the pages.
struct PageSeal: Sendable {
    let box: SecretBox

    private static let purpose = "page state"

    func seal(_ state: PageState) throws -> String {
        let sealed = try box.seal(Array(JSONEncoder().encode(state)), purpose: Self.purpose)
        return Data(sealed).base64EncodedString()
    }

    /// - Parameter browser: The cookie of the browser that sends the form.
    /// - Returns: nil for what we did not seal, what is too old, and what another browser was given.
    func open(_ text: String, browser: String) -> PageState? {
        guard text.utf8.count <= 32_768, let sealed = Data(base64Encoded: text),
            let bytes = try? box.open(Array(sealed), purpose: Self.purpose),
            let state = try? JSONDecoder().decode(PageState.self, from: Data(bytes)),
            state.expiresAt > Timestamp.now(), state.browser == OpaqueToken.hash(of: browser)
        else { return nil }
        return state
    }
}
