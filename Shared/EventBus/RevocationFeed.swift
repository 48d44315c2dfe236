public import Logging
public import MailModel
import Redis
public import ServiceLifecycle

/// Keeps a service's idea of what is revoked up to date: applies each revocation as it is announced, and reads the
/// lasting ones again at the start, whenever announcements may have been missed, and every few seconds.
///
/// The same revocation may be applied more than once. Needs the bus to run as well; without Redis it still reads.
public struct RevocationFeed: Service {
    /// Ids are given out before transactions commit, so a smaller one may appear after a larger: what is younger than
    /// this is read again. The suspension of a large customer takes a while.
    static let settlingTime: Int64 = 60_000
    /// Until the ledger was read once, nobody knows which tokens are dead, and no service lets anybody in.
    private static let firstReadingPause = Duration.milliseconds(250)

    private let bus: EventBus
    private let interval: Duration
    private let logger: Logger
    private let load: @Sendable (_ sinceID: Int64) async throws -> [Revocation]
    private let apply: @Sendable ([Revocation]) async -> Void
    private let onFirstReading: @Sendable () -> Void

    /// - Parameters:
    ///   - interval: How often it reads when nothing is heard.
    ///   - loader: The revocations with a larger id, from where they last; 0 for all that still matter.
    ///   - onFirstReading: Called once, when what the ledger held at the start has been applied. Until then it is read
    ///     four times a second.
    ///   - apply: Takes them, in any order, again and again.
    public init(
        bus: EventBus, interval: Duration = .seconds(3), logger: Logger = Logger(label: "revocations"),
        loader: @escaping @Sendable (_ sinceID: Int64) async throws -> [Revocation],
        onFirstReading: @escaping @Sendable () -> Void = {},
        apply: @escaping @Sendable ([Revocation]) async -> Void
    ) {
        self.bus = bus
        self.interval = interval
        self.logger = logger
        self.load = loader
        self.onFirstReading = onFirstReading
        self.apply = apply
    }

    /// Until graceful shutdown or cancellation.
    public func run() async throws {
        let signals = bus.revocations.listen()
        defer { bus.revocations.remove(signals) }
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    while !Task.isCancelled {
                        signals.append(.reread)
                        try? await Task.sleep(for: interval)
                    }
                }
                await follow(signals)
                tasks.cancelAll()
            }
        }
    }

    private func follow(_ signals: GapQueue<RevocationSignals.Signal>) async {
        /// Nothing up to this id can still appear.
        var settled: Int64 = 0
        while !Task.isCancelled {
            if await read(&settled) {
                onFirstReading()
                break
            }
            try? await Task.sleep(for: Self.firstReadingPause)
        }
        for await signal in signals {
            // What is heard needs no database; what was not heard comes with the next reading.
            if case .revoked(let revocation) = signal {
                await apply([revocation])
            } else {
                _ = await read(&settled)
            }
        }
    }

    /// - Returns: Whether the ledger could be read.
    private func read(_ settled: inout Int64) async -> Bool {
        do {
            let revocations = try await load(settled)
            if !revocations.isEmpty { await apply(revocations) }
            let horizon = Timestamp.now() - Self.settlingTime
            settled = max(settled, revocations.filter { $0.at < horizon }.map(\.id).max() ?? 0)
            return true
        } catch {
            logger.warning("revocations cannot be read", metadata: ["error": "\(error)"])
            return false
        }
    }
}
