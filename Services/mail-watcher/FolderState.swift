/// What a mail server says of one folder (RFC 9051 §6.3.11, RFC 7162 §3.1.2), and what was last announced of it.
struct FolderState: Sendable, Equatable, Codable {
    var uidValidity: UInt32
    /// Every message announced has a smaller UID.
    var uidNext: UInt32
    /// 0 where the server has no CONDSTORE.
    var modSeq: UInt64
    var exists: Int
    var unseen: Int

    init(uidValidity: UInt32, uidNext: UInt32, modSeq: UInt64 = 0, exists: Int, unseen: Int) {
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.modSeq = modSeq
        self.exists = exists
        self.unseen = unseen
    }

    enum CodingKeys: String, CodingKey {
        case exists, unseen
        case uidValidity = "uid_validity"
        case uidNext = "uid_next"
        case modSeq = "modseq"
    }
}
