import MailModel

/// How the watching of one mailbox goes, as `GET …/watcher/status` shows it.
struct WatchStatus: Sendable, Equatable, Codable {
    enum Method: String, Sendable, Codable, CaseIterable { case idle, push, poll }
    enum State: String, Sendable, Codable, CaseIterable { case connecting, watching, backoff, stopped }

    let account: String
    var method = Method.idle
    /// Why this way: a stable word.
    var methodReason = "default"
    var state = State.connecting {
        didSet { if state != oldValue { since = Timestamp.rfc3339(milliseconds: Timestamp.now()) } }
    }
    /// RFC 3339: since when it is in this state.
    var since: String
    /// RFC 3339; nil before the first event.
    var lastEventAt: String?
    var reconnects = 0
    /// Why it is not watching: a stable word, never a server's text; nil while all is well.
    var error: String?
    /// On this replica.
    var subscribers = 0

    init(account: String) {
        self.account = account
        since = Timestamp.rfc3339(milliseconds: Timestamp.now())
    }

    enum CodingKeys: String, CodingKey {
        case account, method, state, since, reconnects, error, subscribers
        case methodReason = "method_reason"
        case lastEventAt = "last_event_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(account, forKey: .account)
        try container.encode(method, forKey: .method)
        try container.encode(methodReason, forKey: .methodReason)
        try container.encode(state, forKey: .state)
        try container.encode(since, forKey: .since)
        // As null, not left out: clients may rely on every field.
        try container.encode(lastEventAt, forKey: .lastEventAt)
        try container.encode(reconnects, forKey: .reconnects)
        try container.encode(error, forKey: .error)
        try container.encode(subscribers, forKey: .subscribers)
    }
}
