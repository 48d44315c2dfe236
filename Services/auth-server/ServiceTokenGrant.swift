import MailModel

/// What a service token may do, and where: the rules for a new one, made by the API or at the shell.
struct ServiceTokenGrant: Sendable {
    let scopes: [String]
    /// nil: everywhere.
    let limits: Caller.Limits?

    /// - Parameters:
    ///   - scopes: `*`, or words of `ServiceScope`.
    ///   - domains: The domains that it is limited to; nil, as for `addresses`, where it is not.
    /// - Throws: `Failure` `invalid` for what is no scope, domain or address, or does not go with limits.
    init(scopes: [String], domains: [String]?, addresses: [String]?) throws {
        self.scopes = scopes
        limits = try Self.limits(domains, addresses)
        guard (1...20).contains(scopes.count) else {
            throw Failure.invalid("scopes", code: "out_of_range", "must be 1 to 20 scopes")
        }
        for (index, scope) in scopes.enumerated() {
            let known = ServiceScope(rawValue: scope)
            guard known != nil || scope == "*" else {
                let all = ServiceScope.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure.invalid("scopes.\(index)", code: "invalid_scope", "must be * or one of \(all)")
            }
            guard limits == nil || known?.isForWholePlatform != true else {
                throw Failure.invalid(
                    "scopes.\(index)", code: "not_limitable", "reaches beyond the domains and addresses of this token")
            }
        }
    }

    /// Nobody hands out more than they have, nor for longer.
    /// - Parameter expiresAt: Milliseconds since 1970; nil never expires.
    /// - Throws: `Failure` `forbidden`.
    func require(within creator: Caller.Platform, expiresAt: Int64?) throws {
        if let end = creator.expiresAt, expiresAt ?? .max > end {
            throw Failure.forbidden("Your own token ends sooner: expires_at may be its end at the latest.")
        }
        for scope in scopes where !creator.may(scope) {
            throw Failure.forbidden("Your own token has no scope \(scope).")
        }
    }

    private static func limits(_ domains: [String]?, _ addresses: [String]?) throws -> Caller.Limits? {
        guard domains != nil || addresses != nil else { return nil }
        let domains = try (domains ?? []).enumerated().map {
            try DomainName($1, field: "domains.\($0)").description
        }
        let addresses = try (addresses ?? []).enumerated().map {
            try EmailAddress($1, field: "addresses.\($0)").description
        }
        guard (1...100).contains(domains.count + addresses.count) else {
            throw Failure.invalid("domains", code: "out_of_range", "must be, with addresses, 1 to 100 in all")
        }
        return Caller.Limits(domains: domains, addresses: addresses)
    }
}
