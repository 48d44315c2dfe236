import Logging
import MailModel
import NIOConcurrencyHelpers
import Storage

/// Outcomes of DNS changes on their way into the table. Who waits for a domain need not wait for that too: an outcome that
/// is lost with the process leaves the domain pending, and its records are written once more.
final class DNSOutcomes: Sendable {
    private struct State {
        var waiting: [(domain: DomainStore.Provisioning, dns: Domain.DNS)] = []
        /// What this process knows better than the table does.
        var recent: [Int64: Domain.DNS] = [:]
    }

    private let state = NIOLockedValueBox(State())
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    init() { (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func put(_ domain: DomainStore.Provisioning, _ dns: Domain.DNS) {
        state.withLockedValue { state in
            state.waiting.append((domain, dns))
            state.recent[domain.id] = dns
        }
        waker.yield()
    }

    /// The domain with what is known of its DNS.
    func current(_ domain: Domain) -> Domain {
        guard domain.dns.status == .pending, let recent = state.withLockedValue({ $0.recent[domain.id] }) else {
            return domain
        }
        return domain.with(dns: recent)
    }

    /// Writes an outcome into the table.
    typealias Write = @Sendable (DomainStore.Provisioning, Domain.DNS) async throws -> Void

    /// Writes them, as they come.
    func run(_ logger: Logger, _ write: Write) async throws {
        for await _ in wake { await flush(logger, write) }
    }

    /// Writes those that wait.
    func flush(_ logger: Logger, _ write: Write) async {
        while let next = state.withLockedValue({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
            do { try await write(next.domain, next.dns) } catch {
                logger.debug("DNS outcome not kept", metadata: ["error": "\(error)"])
            }
            state.withLockedValue { _ = $0.recent.removeValue(forKey: next.domain.id) }
        }
    }
}
