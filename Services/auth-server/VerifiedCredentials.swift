import Credentials
import NIOConcurrencyHelpers
import NIOCore

/// Tokens whose signature was checked, and app passwords that were found, in two generations: what was used lately
/// stays, in bounded memory.
final class VerifiedCredentials: Sendable {
    enum Credential: Sendable {
        case token(AccessToken)
        /// With the `sub` of who made it.
        case appPassword(id: Int64, email: String, creator: String?)
    }

    struct Entry: Sendable {
        let credential: Credential
        let scope: MailScope
        /// When the mailbox was last read: milliseconds since 1970.
        let checkedAt: Int64
        /// Milliseconds since 1970.
        let expiresAt: Int64
        let answer: ByteBuffer
    }

    private struct Generations {
        var young: [String: Entry] = [:]
        var old: [String: Entry] = [:]
    }

    private let generations = NIOLockedValueBox(Generations())
    private let capacity: Int

    /// - Parameter capacity: How many are held at most; half of them in each generation.
    init(capacity: Int) { self.capacity = capacity }

    func find(_ token: String) -> Entry? {
        generations.withLockedValue { generations in
            if let entry = generations.young[token] { return entry }
            guard let entry = generations.old.removeValue(forKey: token) else { return nil }
            generations.young[token] = entry
            return entry
        }
    }

    func insert(_ entry: Entry, for token: String) {
        generations.withLockedValue { generations in
            if generations.young.count >= capacity / 2 {
                generations.old = generations.young
                generations.young = [:]
            }
            generations.young[token] = entry
        }
    }
}
