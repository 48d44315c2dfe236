import CSodium
import Glibc
import MailModel
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Password hashing as Dovecot checks it: `{ARGON2ID}$argon2id$…`, 64 MiB and three passes (RFC 9106), about 0.1 s each.
///
/// It runs on a thread pool of its own, at low priority and with a bounded queue, so that a flood of logins costs
/// neither memory nor the answers to other requests.
public final class PasswordHash: Sendable {
    private static let prefix = "{ARGON2ID}"
    private static let operations: UInt64 = 3
    private static let memory = 64 << 20
    /// The longest password taken, in bytes.
    public static let maximumLength = 1024

    private let pool: NIOThreadPool
    private let queueLimit: Int
    private let waiting = NIOLockedValueBox(0)
    private let dummy = NIOLockedValueBox<String?>(nil)

    /// - Parameters:
    ///   - threads: How many hashes are computed at once; each takes 64 MiB meanwhile.
    ///   - queueLimit: How many may wait or run; beyond it calls fail at once.
    public init(threads: Int = 1, queueLimit: Int = 32) {
        precondition(sodium_init() >= 0, "libsodium finds no source of random numbers")
        self.pool = NIOThreadPool(numberOfThreads: threads)
        self.queueLimit = queueLimit
        pool.start()
    }

    /// - Throws: `Failure` `invalid` for an empty or overlong password, `unavailable` when the queue is full.
    public func hash(_ password: String) async throws -> String {
        guard (1...Self.maximumLength).contains(password.utf8.count) else {
            throw Failure.invalid("password", code: "invalid_length", "must be 1 to \(Self.maximumLength) bytes")
        }
        return try await queued { Self.compute(password) }.unwrapped()
    }

    /// Whether the password is the one of the hash; false, after the same time, also for a hash of a scheme that is not
    /// ARGON2ID.
    ///
    /// - Throws: `Failure` `unavailable` when the queue is full.
    public func verify(_ password: String, against hash: String) async throws -> Bool {
        guard (1...Self.maximumLength).contains(password.utf8.count) else { return false }
        guard hash.hasPrefix(Self.prefix) else {
            try await verifyDummy(password)
            return false
        }
        return try await queued { Self.matches(password, hash) }
    }

    /// Takes as long as `verify` does: for a user that does not exist, so that the time tells nothing.
    public func verifyDummy(_ password: String) async throws {
        guard (1...Self.maximumLength).contains(password.utf8.count) else { return }
        _ = try await queued { [dummy] in
            let hash = dummy.withLockedValue { hash in
                if hash == nil { hash = Self.compute("not anyone's password") }
                return hash
            }
            return hash.map { Self.matches(password, $0) }
        }
    }

    /// Ends the pool's threads; calls after it fail.
    public func shutdown() async throws { try await pool.shutdownGracefully() }

    private func queued<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async throws -> Result {
        let accepted = waiting.withLockedValue { count in
            guard count < queueLimit else { return false }
            count += 1
            return true
        }
        guard accepted else {
            throw Failure(
                .unavailable, code: "too_many_logins", "Too many passwords are being checked; try again shortly.",
                retryAfter: .seconds(1))
        }
        defer { waiting.withLockedValue { $0 -= 1 } }
        return try await pool.runIfActive {
            // On Linux this is the priority of the calling thread alone.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
            return work()
        }
    }

    private static func compute(_ password: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(crypto_pwhash_STRBYTES)) { output -> String? in
            guard let text = output.baseAddress,
                crypto_pwhash_argon2id_str(text, password, UInt64(password.utf8.count), operations, memory) == 0
            else { return nil }
            return prefix + String(cString: text)
        }
    }

    private static func matches(_ password: String, _ hash: String) -> Bool {
        guard hash.hasPrefix(prefix) else { return false }
        let encoded = String(hash.dropFirst(prefix.count))
        return crypto_pwhash_argon2id_str_verify(encoded, password, UInt64(password.utf8.count)) == 0
    }
}

extension String? {
    /// libsodium fails to hash only when 64 MiB cannot be had.
    fileprivate func unwrapped() throws -> String {
        guard let self else { throw Failure.unavailable("Memory for hashing") }
        return self
    }
}
