import NIOConcurrencyHelpers
import ServiceLifecycle

/// The time between being asked to end and taking no more requests.
///
/// `/healthz` is 503 from its beginning, so that a load balancer sends its requests to another replica before this one
/// closes a connection. A request that meets a connection which is just being closed is lost: nobody knows whether it was
/// carried out.
final class ShutdownDelay: Service {
    private let delay: Duration
    private let hasBegun = NIOLockedValueBox(false)

    init(_ delay: Duration) { self.delay = delay }

    var isEnding: Bool { hasBegun.withLockedValue { $0 } }

    func run() async throws {
        try await gracefulShutdown()
        hasBegun.withLockedValue { $0 = true }
        if delay > .zero { try await Task.sleep(for: delay) }
    }
}
