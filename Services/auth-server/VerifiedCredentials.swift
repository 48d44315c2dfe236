import Credentials
import NIOConcurrencyHelpers
import NIOCore

/// Tokens whose signature was checked, app passwords that were found, and the mailboxes of both, in two generations: what
/// was used lately stays, in bounded memory.
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

    private struct Generations<Value: Sendable>: Sendable {
        var young: [String: Value] = [:]
        var old: [String: Value] = [:]

        mutating func find(_ key: String, capacity: Int) -> Value? {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key, capacity: capacity)
            return value
        }

        mutating func insert(_ value: Value, for key: String, capacity: Int) {
            if young.count >= capacity / 2 {
                old = young
                young = [:]
            }
            young[key] = value
        }
    }

    private let credentials = NIOLockedValueBox(Generations<Entry>())
    /// When a mailbox was last read and found active: milliseconds since 1970.
    private let mailboxes = NIOLockedValueBox(Generations<Int64>())
    private let capacity: Int

    /// - Parameter capacity: How many are held at most; half of them in each generation.
    init(capacity: Int) { self.capacity = capacity }

    func find(_ token: String) -> Entry? { credentials.withLockedValue { $0.find(token, capacity: capacity) } }

    func insert(_ entry: Entry, for token: String) {
        credentials.withLockedValue { $0.insert(entry, for: token, capacity: capacity) }
    }

    /// When the mailbox was last read and found active: milliseconds since 1970.
    func lastSeen(_ email: String) -> Int64? { mailboxes.withLockedValue { $0.find(email, capacity: capacity) } }

    func noteSeen(_ email: String, at now: Int64) {
        mailboxes.withLockedValue { $0.insert(now, for: email, capacity: capacity) }
    }
}
