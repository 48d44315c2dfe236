import MailModel
import NIOPosix
import Platform
import Storage

/// How a domain comes to be, for whoever asks: the keys first, then the domain, then its DNS. Whatever is cut short can be
/// done again, or is done by the caretaker.
struct DomainMaker: Sendable {
    struct Order: Sendable {
        var name: String
        var customerID: Int64
        var aliasOf: Int64?
        var hasManualDNS = false
        /// Whether the platform itself orders it: names below another customer's domain, and zones that were not made
        /// here, are taken from nobody else.
        var isOfPlatform = false
    }

    let database: Database
    let names: HostedName
    let keys: DKIMKeys
    let dns: DNSProvisioning
    /// The selector of a new domain's RSA key; that of its Ed25519 key has `-ed` behind it.
    let selector: String

    /// - Throws: `Failure`: `invalid` naming the field; `conflict` `domain_exists`, `limit_reached`.
    func make(_ order: Order, by origin: AuditStore.Origin) async throws -> (domain: Domain, records: [DNSRecord]) {
        let name = try names.check(order.name)
        if !order.isOfPlatform,
            try await database.domains.foreignParent(of: name, customerID: order.customerID) != nil
        {
            throw Failure.conflict("domain_exists", "This name is below a domain that another customer has here.")
        }
        if try await database.domains.customer(of: name) != nil { throw DomainStore.exists }
        let takesZones =
            try await order.isOfPlatform
            ? true : database.domains.parentTakesZones(name, customerID: order.customerID)
        // Making a key takes a processor for a while: not one of those that answer everybody else.
        let made = try await NIOThreadPool.singleton.runIfActive {
            let made = try keys.make(for: name, rsa: selector, ed25519: selector + "-ed")
            try keys.sign(name, with: made.map(\.selector), areFirst: true)
            return made
        }
        let isManual = order.hasManualDNS || dns.publisher == nil
        let goAhead = GoAhead()
        // The disk and the DNS server have the time that the database takes; of the DNS nothing is changed before the
        // domain is there.
        async let synced: Void = NIOThreadPool.singleton.runIfActive { try keys.sync() }
        async let provisioned = dns.provision(
            new: name, keys: made, isManual: isManual, takesZones: takesZones, after: goAhead)
        let domain = try await goAhead.after {
            try await database.domains.create(
                .init(
                    name: name, customerID: order.customerID, aliasOf: order.aliasOf, hasManualDNS: isManual,
                    takesZones: takesZones, keys: made), by: origin)
        }
        let (records, outcome) = try await provisioned
        if !isManual {
            dns.outcomes.put(
                .init(new: domain.id, name, keys: made, isManual: false, takesZones: takesZones), outcome)
        }
        try await synced
        return (domain.with(dns: outcome), records)
    }
}
