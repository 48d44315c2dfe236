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

    /// Writes them, as they come.
    func run(_ domains: DomainStore, _ logger: Logger) async throws {
        for await _ in wake { await flush(domains, logger) }
    }

    /// Writes those that wait.
    func flush(_ domains: DomainStore, _ logger: Logger) async {
        while let next = state.withLockedValue({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
            do { try await domains.setDNS(next.domain, status: next.dns.status, detail: next.dns.detail) } catch {
                logger.debug("DNS outcome not kept", metadata: ["error": "\(error)"])
            }
            state.withLockedValue { _ = $0.recent.removeValue(forKey: next.domain.id) }
        }
    }
}
