/// "Everything of this value that was issued before `notBefore` is dead."
public struct Revocation: Sendable, Equatable, Codable {
    public enum Kind: String, Sendable, Codable {
        /// One token; the value is its `jti`.
        case jti
        /// One login session: its refresh tokens and all access and mail tokens made from them.
        case family
        /// Every token of a user; the value is the token's `sub`.
        case user
        /// Every token that opens a mailbox; the value is its address.
        case account
    }

    /// Grows with every revocation.
    public let id: Int64
    /// When it was made: milliseconds since 1970.
    public let at: Int64
    public let kind: Kind
    public let value: String
    /// Milliseconds since 1970: tokens with an earlier `iat` are dead.
    public let notBefore: Int64
    /// Whose live mail sessions end with it: what no check of a token reaches any more.
    public let mailboxes: [String]

    public init(id: Int64, at: Int64, kind: Kind, value: String, notBefore: Int64, mailboxes: [String] = []) {
        self.id = id
        self.at = at
        self.kind = kind
        self.value = value
        self.notBefore = notBefore
        self.mailboxes = mailboxes
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(Int64.self, forKey: .id)
        at = try values.decode(Int64.self, forKey: .at)
        kind = try values.decode(Kind.self, forKey: .kind)
        value = try values.decode(String.self, forKey: .value)
        notBefore = try values.decode(Int64.self, forKey: .notBefore)
        mailboxes = try values.decodeIfPresent([String].self, forKey: .mailboxes) ?? (kind == .account ? [value] : [])
    }

    enum CodingKeys: String, CodingKey {
        case id, at, kind, value, mailboxes
        case notBefore = "not_before"
    }
}
