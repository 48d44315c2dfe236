import CoreMetrics
import Crypto
public import HTTPService
public import Logging
public import MailModel
import NIOConcurrencyHelpers
public import Storage

/// Who did what, from where, as the audit log keeps it.
///
/// A change that is one transaction of a store is recorded within it (`AuditStore.Origin`); what else happens is recorded
/// here, after it happened. It has happened then, so a record that cannot be written fails nothing: it goes to the log,
/// and is counted (`audit_events_total{outcome="lost"}`).
public struct AuditLog: Sendable {
    private let store: AuditStore
    private let logger: Logger
    private let limiter = AuditLimiter()

    public init(store: AuditStore, logger: Logger) {
        self.store = store
        self.logger = logger
        Counter.declare("audit_events_total", by: "outcome", ["written", "lost", "suppressed"])
    }

    /// - Parameters:
    ///   - action: A stable word, `noun.verb`.
    ///   - target: What it was done to: an address, a name or an id.
    ///   - customerID: Whose record it is; left out it is the caller's customer, of a service token the platform's.
    ///   - detail: More about it; never a secret.
    public func record(
        _ action: String, target: String = "", customerID: Int64? = nil, detail: [String: String] = [:],
        by context: CallerContext
    ) async {
        await record(
            .init(
                actor: context.caller.actor, customerID: customerID ?? context.caller.customerID, action: action,
                target: target, detail: AuditStore.detail(detail), ip: context.clientAddress,
                requestID: context.requestID))
    }

    /// As `record`, at most once an hour for the same caller, action and target: for what services do all day long.
    public func recordHourly(
        _ action: String, target: String, customerID: Int64? = nil, by context: CallerContext
    ) async {
        let event = AuditStore.Event(
            actor: context.caller.actor, customerID: customerID ?? context.caller.customerID, action: action,
            target: target, ip: context.clientAddress, requestID: context.requestID)
        await recordHourly(event)
    }

    /// As `record`, at most once an hour for the same actor, action and target.
    public func recordHourly(_ event: AuditStore.Event) async {
        if limiter.isFirstInHour(event) { await record(event) }
    }

    /// Of what strangers do, at most 300 a minute are written; how many were left out, the next one tells.
    public func record(_ event: AuditStore.Event) async {
        var event = event
        if event.actor == AuditStore.anonymous {
            guard let suppressed = limiter.admitAnonymous() else { return Self.count("suppressed") }
            if suppressed > 0 { event.target = "\(event.target) (and \(suppressed) not recorded)" }
        }
        do {
            try await store.record(event)
            Self.count("written")
        } catch {
            Self.count("lost")
            logger.error(
                "Audit event not recorded",
                metadata: [
                    "action": "\(event.action)", "actor": "\(event.actor)", "request_id": "\(event.requestID ?? "")",
                    "error": "\(error)",
                ])
        }
    }

    private static func count(_ outcome: String) {
        Counter(label: "audit_events_total", dimensions: [("outcome", outcome)]).increment()
    }
}

/// Keeps the audit log from being flooded.
private final class AuditLimiter: Sendable {
    private struct State {
        var minute: Int64 = 0
        var anonymous = 0
        var suppressed = 0
        var hour: Int64 = 0
        /// Only digests: what strangers send as a target may be of any length.
        var seen: Set<SHA256Digest> = []
    }

    private static let anonymousPerMinute = 300
    private static let capacity = 50_000
    private let state = NIOLockedValueBox(State())

    /// How many were left out since the last one that was let through; nil when this one is left out too.
    func admitAnonymous() -> Int? {
        let minute = Timestamp.now() / 60_000
        return state.withLockedValue { state in
            if state.minute != minute { (state.minute, state.anonymous) = (minute, 0) }
            guard state.anonymous < Self.anonymousPerMinute else {
                state.suppressed += 1
                return nil
            }
            state.anonymous += 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
    }

    func isFirstInHour(_ event: AuditStore.Event) -> Bool {
        let hour = Timestamp.now() / 3_600_000
        let text = "\(event.actor) \(event.action) \(event.target) \(event.detail ?? "")"
        let digest = SHA256.hash(data: Array(text.utf8))
        return state.withLockedValue { state in
            if state.hour != hour || state.seen.count >= Self.capacity { (state.hour, state.seen) = (hour, []) }
            return state.seen.insert(digest).inserted
        }
    }
}

extension AuditStore.Origin {
    /// The caller of a request.
    public init(_ context: CallerContext) {
        self.init(actor: context.caller.actor, ip: context.clientAddress, requestID: context.requestID)
    }
}

extension Caller {
    /// Who it is in the audit log.
    public var actor: String {
        switch self {
        case .platform(let service): service.subject
        case .person(let person): person.subject
        }
    }

    /// The customer of a person.
    public var customerID: Int64? {
        switch self {
        case .platform: nil
        case .person(let person): person.customerID
        }
    }
}
