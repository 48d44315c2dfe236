import HTTPService
import Hummingbird
import MailModel
import Platform

/// How the watching goes.
struct StatusRoutes: Sendable {
    let platform: Platform
    let watchlist: Watchlist
    let subscribers: Subscribers
    /// The name of this replica.
    let instance: String

    func add(to router: ServiceRouter) {
        router.authenticated(platform.authenticator).get("/api/v1/mail/watcher/status", use: status)
    }

    private struct Answer: Encodable {
        let instance: String
        let totals: [String: Int]
        let accounts: [WatchStatus]
    }

    /// A service token sees all that it reaches, a person its own mailboxes.
    @Sendable private func status(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        var own: [String]?
        if case .person(let person) = context.caller { own = person.accounts.map { $0.lowercased() } }
        var statuses = await watchlist.statuses(of: own)
        if case .platform(let platform) = context.caller, platform.limits != nil {
            statuses = statuses.filter { platform.reaches($0.account) }
            own = statuses.map(\.account)
        }
        var totals = ["watched": statuses.count]
        for state in WatchStatus.State.allCases { totals[state.rawValue] = 0 }
        for status in statuses { totals[status.state.rawValue, default: 0] += 1 }
        totals["subscribers"] = own == nil ? subscribers.count : statuses.reduce(0) { $0 + $1.subscribers }
        return try .json(Answer(instance: instance, totals: totals, accounts: statuses))
    }
}
