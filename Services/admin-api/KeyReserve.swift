import Credentials
import Crypto
import CryptoExtras
import Foundation
import NIOConcurrencyHelpers
import NIOPosix

/// A few pairs of signing keys made beforehand and on disk: making and writing one takes a processor for a tenth of a
/// second and the disk several times, and who makes a domain need not wait for it.
final class KeyReserve: Sendable {
    /// A private key in its file, and what its record's `p=` is to hold.
    struct Key: Sendable {
        let path: String
        let publicKey: String
    }

    struct Pair: Sendable {
        let rsa: Key
        let ed25519: Key
    }

    /// What files that are nobody's yet are called, first.
    static let prefix = ".reserve-"

    private let directory: String
    private let size: Int
    private let pairs = NIOLockedValueBox<[Pair]>([])
    /// A thread of its own, which takes what the others leave.
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// - Parameter directory: Where the keys will be used, so that taking one is giving it another name.
    init(directory: String, size: Int = 8) {
        self.directory = directory
        self.size = size
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        thread.start()
    }

    /// A pair that nobody else has; nil when there is none just now.
    func take() -> Pair? {
        defer { waker.yield() }
        return pairs.withLockedValue { $0.popLast() }
    }

    /// How long after one was taken the next is made: whoever took it is answered first.
    private static let rest = Duration.milliseconds(500)

    /// Keeps the reserve full, one pair at a time; at the end it takes its files away.
    func fill() async throws {
        defer { for pair in pairs.withLockedValue({ $0 }) { [pair.rsa, pair.ed25519].forEach { unlink($0.path) } } }
        try await fillUp()
        for await _ in wake {
            try await Task.sleep(for: Self.rest)
            try await fillUp()
        }
    }

    private func fillUp() async throws {
        while !Task.isCancelled, pairs.withLockedValue({ $0.count < size }) {
            do {
                let pair = try await thread.runIfActive { [self] in
                    // On Linux this is the priority of the calling thread alone.
                    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
                    return try make()
                }
                pairs.withLockedValue { $0.append(pair) }
            } catch let error as CancellationError { throw error } catch {
                // The disk is full, say: who needs a key makes it then, and is told what is wrong.
                try await Task.sleep(for: .seconds(5))
            }
        }
    }

    /// Shows that what is in reserve is of a process that lives (`DKIMKeys.removeOldReserves`).
    func touch() {
        for pair in pairs.withLockedValue({ $0 }) { [pair.rsa, pair.ed25519].forEach { utimes($0.path, nil) } }
    }

    private func make() throws -> Pair {
        func keep(_ text: String) throws -> String {
            let path = "\(directory)/\(Self.prefix)\(UUID().uuidString)"
            _ = try KeyFile.readOrCreate(path: path, mode: 0o640) { text }
            return path
        }
        let rsa = try SigningKey.newRSA(), ed25519 = SigningKey.newEd25519()
        return Pair(
            rsa: Key(path: try keep(rsa), publicKey: try SigningKey.publicRSA(rsa)),
            ed25519: Key(path: try keep(ed25519), publicKey: try SigningKey.publicEd25519(ed25519)))
    }
}

/// Private keys as Rspamd keeps them, and their public halves as records want them.
enum SigningKey {
    struct Unreadable: Error {}

    /// In PEM; 2048 bits: RFC 8301 §3.2.
    /// - Throws: What BoringSSL says when there is no memory or randomness for it.
    static func newRSA() throws -> String {
        try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation
    }

    /// Base64 of the SubjectPublicKeyInfo (RFC 6376 §3.6.1).
    static func publicRSA(_ pem: String) throws -> String {
        // The body of a public key in PEM is the base64 that the record wants.
        try _RSA.Signing.PrivateKey(pemRepresentation: pem).publicKey.pemRepresentation
            .split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    }

    /// Seed and public key, in Base64.
    static func newEd25519() -> String {
        let key = Curve25519.Signing.PrivateKey()
        return (key.rawRepresentation + key.publicKey.rawRepresentation).base64EncodedString()
    }

    /// Base64 of the key itself (RFC 8463 §4).
    static func publicEd25519(_ text: String) throws -> String {
        guard let pair = Data(base64Encoded: text), pair.count == 64 else { throw Unreadable() }
        return Data(pair.suffix(32)).base64EncodedString()
    }
}
