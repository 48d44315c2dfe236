/// Which replicas live, by the word that each sends every second. One that falls silent without taking leave may have been
/// the one that the mail server pushes to.
struct Replicas: Sendable {
    /// Longer than a busy machine delays a word.
    static let patience = Duration.seconds(4)

    let own: String
    private var heard: [String: ContinuousClock.Instant] = [:]

    init(own: String) { self.own = own }

    /// This one and all that were heard lately.
    var living: [String] { Array(Set(heard.keys).union([own])) }

    mutating func hear(_ name: String, now: ContinuousClock.Instant) { heard[name] = now }

    mutating func leave(_ name: String) { heard[name] = nil }

    /// - Returns: Whether somebody fell silent since it was last asked. Nobody is judged while our own word does not come
    ///   back to us: then it is Redis that is silent.
    mutating func someoneFellSilent(now: ContinuousClock.Instant) -> Bool {
        guard let mine = heard[own], now - mine < .seconds(2) else {
            // They get their time anew.
            for name in heard.keys where name != own { heard[name] = now }
            return false
        }
        let silent = heard.filter { now - $0.value > Self.patience }.map(\.key)
        for name in silent { heard[name] = nil }
        return !silent.isEmpty
    }
}
