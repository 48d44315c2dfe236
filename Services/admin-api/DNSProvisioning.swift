import Logging
import MailModel
import ServiceLifecycle
import Storage

/// Writes the records of domains, at once when one is made and again until it works.
///
/// The domains table is the queue (`dns_status = 'pending'`), so nothing is forgotten over a restart; writing twice,
/// here or on another replica, ends in the same records.
struct DNSProvisioning: Service {
    let domains: DomainStore
    let template: DNSTemplate
    let dns: PowerDNS
    let logger: Logger
    /// How long after a failed attempt the next one comes.
    var retryInterval: Duration = .seconds(2)

    /// One attempt for one domain.
    /// - Returns: `pending` while the DNS server is away, `failed` when it refused.
    func provision(_ domain: DomainStore.Provisioning) async throws -> Domain.DNS.Status {
        let status: Domain.DNS.Status
        do {
            try await dns.publish(records(of: domain), zone: domain.domain)
            status = .ok
        } catch PowerDNS.Failed.refused(let code) {
            logger.warning("DNS refused", metadata: ["domain": "\(domain.domain)", "status": "\(code)"])
            status = .failed
        } catch PowerDNS.Failed.away {
            logger.warning("DNS away", metadata: ["domain": "\(domain.domain)"])
            status = .pending
        }
        try await domains.setDNS(domain.id, status: status)
        return status
    }

    func records(of domain: DomainStore.Provisioning) -> [DNSRecord] {
        template.records(
            for: domain.domain, dkimSelector: domain.dkimSelector, dkimPublicKey: domain.dkimPublicKey)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await provisionPending() } catch is CancellationError { return } catch {
                    logger.debug("pending DNS not read", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: retryInterval)
            }
        }
    }

    private func provisionPending() async throws {
        for domain in try await domains.awaitingDNS() {
            // One that is away is away for all: try again later.
            guard try await provision(domain) != .pending else { return }
        }
    }
}
