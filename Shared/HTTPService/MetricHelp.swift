/// What each metric of the platform's services measures: the `HELP` line above it, in the words of docs/operating.md.
/// `deploy/observability/check` holds the sources to it: no metric without its words, and none that nobody measures.
enum MetricHelp {
    private static let texts = [
        "http_requests_total": "Answers, by class of status.",
        "http_request_duration_seconds": "From the request's head to the answer.",
        "dependency_up": "1 while the dependency answers, 0 while it is away.",
        "process_cpu_seconds_total": "Processor time of the process.",
        "process_resident_memory_bytes": "Memory of the process.",
        "process_start_time_seconds": "When the process began, since 1970.",
        "audit_events_total": "Audit events: written, lost or suppressed.",
        "logins_total": "Logins, by how they ended.",
        "introspections_total": "Introspections: active or inactive, from the cache or not.",
        "revocations_total": "Revocations that auth-server heard.",
        "revocation_delay_seconds": "From a revocation's making until it is heard.",
        "dovecot_kicks_total": "Mailboxes whose sessions Dovecot was told to end.",
        "dovecot_kick_delay_seconds": "From a revocation's making until Dovecot ended its sessions.",
        "mail_watched_mailboxes": "Mailboxes watched by this replica.",
        "mail_event_listeners": "Open WebSockets and event streams.",
        "mail_events_total": "Mail events that were told, by type.",
        "mail_event_latency_seconds": "From hearing of a new mail to telling of it.",
        "mail_events_queued": "Events that wait for slow readers.",
        "mail_pushes_total": "Pushes from Dovecot.",
        "mail_pushes_refused_total": "Pushes with a wrong secret.",
        "mail_watch_reconnects_total": "Watched sessions to Dovecot that were made again.",
        "webhook_calls_total": "Calls of webhooks, by how they ended.",
        "webhook_deliveries_waiting": "Events to be told to webhooks; the same at every replica.",
        "webhook_deliveries_dead": "Events for webhooks that were given up; the same at every replica.",
        "outbox_attempts_total": "Attempts to hand a message to Postfix, by how they ended.",
        "outbox_messages": "Messages that wait in the outbox.",
        "outbox_oldest_message_age_seconds": "How long the oldest message in the outbox has waited.",
    ]

    /// The line with its end; empty for a name that is not in the table.
    static func line(_ name: String) -> String { texts[name].map { "# HELP \(name) \($0)\n" } ?? "" }
}
