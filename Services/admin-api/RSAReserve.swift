import CryptoExtras
import Glibc
import NIOConcurrencyHelpers
import NIOPosix

/// A few RSA keys made beforehand: making one takes a processor for a tenth of a second and more, and who makes a domain
/// need not wait for it.
final class RSAReserve: Sendable {
    private let size: Int
    private let keys = NIOLockedValueBox<[String]>([])
    /// A thread of its own, which takes what the others leave.
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    init(size: Int = 8) {
        self.size = size
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        waker.yield()
        thread.start()
    }

    /// A new private key in PEM.
    func take() -> String {
        defer { waker.yield() }
        if let key = keys.withLockedValue({ $0.popLast() }) { return key }
        return Self.make()
    }

    /// Keeps the reserve full, one key at a time, on a thread that nobody waits for.
    func fill() async throws {
        for await _ in wake {
            while !Task.isCancelled, keys.withLockedValue({ $0.count < size }) {
                let key = try await thread.runIfActive {
                    // On Linux this is the priority of the calling thread alone.
                    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
                    return Self.make()
                }
                keys.withLockedValue { $0.append(key) }
            }
        }
    }

    /// 2048 bits: RFC 8301 §3.2.
    private static func make() -> String {
        do { return try _RSA.Signing.PrivateKey(keySize: .bits2048).pemRepresentation } catch {
            fatalError("no RSA key can be made: \(error)")
        }
    }
}
