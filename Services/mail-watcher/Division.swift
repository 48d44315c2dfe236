/// How replicas divide the mailboxes that all of them want: each goes to the replica whose name and its own give the
/// greatest hash together. So a replica that comes or goes moves no other's share.
enum Division {
    static func owner(of account: String, among replicas: [String]) -> String? {
        replicas.max { (hash($0, account), $0) < (hash($1, account), $1) }
    }

    /// FNV-1a, with its bits mixed once more; the same in every process, as Swift's own hash is not.
    private static func hash(_ replica: String, _ account: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in [replica.utf8, account.utf8] {
            for byte in part { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xff) &* 0x100_0000_01b3
        }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        return hash ^ hash >> 33
    }
}
