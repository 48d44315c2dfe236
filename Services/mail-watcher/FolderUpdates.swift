import MailModel

/// Holds back what would tell a folder's counts too often: at most one event per folder in 100 ms. The first is told at
/// once, the last always.
struct FolderUpdates: Sendable {
    static let interval = Duration.milliseconds(100)

    private var told: [String: ContinuousClock.Instant] = [:]
    private var held: [String: MailEvent.Kind] = [:]

    /// - Returns: Whether to tell it now; else `due` gives it out later, or a newer one in its place.
    mutating func offer(_ kind: MailEvent.Kind, of folder: String, now: ContinuousClock.Instant) -> Bool {
        if let last = told[folder], now - last < Self.interval {
            held[folder] = kind
            return false
        }
        held[folder] = nil
        told[folder] = now
        return true
    }

    /// What is to be told now.
    mutating func due(_ now: ContinuousClock.Instant) -> [MailEvent.Kind] {
        told = told.filter { now - $0.value < Self.interval }
        let folders = held.keys.filter { told[$0] == nil }.sorted()
        return folders.compactMap { folder in
            told[folder] = now
            return held.removeValue(forKey: folder)
        }
    }

    /// When there is something to tell; nil when nothing is held back.
    var nextDue: ContinuousClock.Instant? {
        held.keys.compactMap { told[$0].map { $0 + Self.interval } }.min()
    }
}
