import Crypto
import FoundationEssentials
import MailModel

/// Links under which a browser gets the images of a mail, which cannot show a token: the signature is what allows it.
///
/// `/api/v1/mail/webmail/images?url=…&sig=<expiry>.<signature>`: HMAC-SHA256 over both, cut to 128 bits. `url` is the
/// address of a remote image, or `mail:` and the place of an attached one.
struct ImageLinks: Sendable {
    /// How long a link counts at least; all links of one period end together, so that they are the same text each time
    /// a mail is read and a browser's cache knows them again.
    private static let period: Int64 = 86_400

    private let key: SymmetricKey
    private let base: String

    /// - Parameters:
    ///   - secret: Shared by all replicas.
    ///   - base: Put before the path: empty where the page and the API have the same origin.
    init(secret: String, base: String) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Array(secret.utf8)), info: Array("webmail image links".utf8),
            outputByteCount: 32)
        self.base = base
    }

    /// When a link made now will end: seconds since 1970.
    static func expiry(at now: Int64 = Timestamp.now() / 1000) -> Int64 { (now / period + 2) * period }

    /// - Parameter expiry: As `expiry()` gives it.
    func link(to url: String, expiry: Int64) -> String {
        let hours = String(expiry / 3600, radix: 36)
        return "\(base)/api/v1/mail/webmail/images?url=\(FolderPath.encode(url))&sig=\(hours).\(signature(url, hours))"
    }

    /// - Throws: `Failure` `forbidden`: `invalid_link`, `link_expired`.
    func check(_ url: String, _ signature: String, now: Int64 = Timestamp.now() / 1000) throws(Failure) {
        let halves = signature.split(separator: ".", omittingEmptySubsequences: false)
        guard halves.count == 2, halves[0].utf8.count <= 8, let hours = Int64(halves[0], radix: 36),
            Self.isEqual(self.signature(url, String(halves[0])), String(halves[1]))
        else { throw Failure(.forbidden, code: "invalid_link", "This is no image link of ours.") }
        guard hours * 3600 > now else {
            throw Failure(.forbidden, code: "link_expired", "The link has expired; read the message again.")
        }
    }

    private func signature(_ url: String, _ hours: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array("\(hours)\n\(url)".utf8), using: key)
        return code.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// In a time that tells nothing of where they differ.
    private static func isEqual(_ one: String, _ other: String) -> Bool {
        one.utf8.count == other.utf8.count && zip(one.utf8, other.utf8).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Where an attached image is: `mail:<account>/<folder>/<uidvalidity>/<uid>/<part>`, each percent-encoded.
struct AttachedImage: Equatable {
    let account: String
    let folder: String
    let uidValidity: UInt32
    let uid: UInt32
    let part: String

    var url: String {
        "mail:"
            + [account, folder, String(uidValidity), String(uid), part].map(FolderPath.encode)
            .joined(separator: "/")
    }

    init(account: String, folder: String, uidValidity: UInt32, uid: UInt32, part: String) {
        self.account = account
        self.folder = folder
        self.uidValidity = uidValidity
        self.uid = uid
        self.part = part
    }

    /// nil for another URL.
    init?(_ url: String) {
        guard url.hasPrefix("mail:") else { return nil }
        let fields = url.dropFirst(5).split(separator: "/", omittingEmptySubsequences: false).map(FolderPath.decode)
        guard fields.count == 5, let account = fields[0], let folder = fields[1],
            let uidValidity = fields[2].flatMap({ UInt32($0) }), let uid = fields[3].flatMap({ UInt32($0) }),
            let part = fields[4]
        else { return nil }
        self.init(account: account, folder: folder, uidValidity: uidValidity, uid: uid, part: part)
    }
}
