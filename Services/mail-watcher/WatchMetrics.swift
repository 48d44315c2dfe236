import MailModel
import Metrics

/// The numbers of the watching, in Prometheus' words.
struct WatchMetrics: Sendable {
    private let reconnects = Counter(label: "mail_watch_reconnects_total")
    private let pushes = Counter(label: "mail_pushes_total")
    private let refused = Counter(label: "mail_pushes_refused_total")
    private let watched = Gauge(label: "mail_watched_mailboxes")
    private let listeners = Gauge(label: "mail_event_listeners")
    private let queued = Gauge(label: "mail_events_queued")
    private let latency: [WatchStatus.Method: Timer]
    private let events: [String: Counter]

    init() {
        latency = Dictionary(
            uniqueKeysWithValues: WatchStatus.Method.allCases.map {
                ($0, Timer(label: "mail_event_latency_seconds", dimensions: [("method", $0.rawValue)]))
            })
        let types = [
            "mail.new_message", "mail.folder_update", "mail.flags_changed", "mail.message_gone", "mail.resync",
        ]
        events = Dictionary(
            uniqueKeysWithValues: types.map { ($0, Counter(label: "mail_events_total", dimensions: [("type", $0)])) })
    }

    func reconnected() { reconnects.increment() }

    func pushed(isGood: Bool) { (isGood ? pushes : refused).increment() }

    /// An event went out.
    /// - Parameter delay: How long after it was heard of; nil for what a look found.
    func announced(_ kind: MailEvent.Kind, after delay: Duration?, by method: WatchStatus.Method) {
        events[kind.type]?.increment()
        if case .newMessage = kind, let delay { latency[method]?.recordNanoseconds(delay.nanoseconds) }
    }

    /// How much there is now.
    func note(watched: Int, listeners: Int, queued: Int) {
        self.watched.record(watched)
        self.listeners.record(listeners)
        self.queued.record(queued)
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
