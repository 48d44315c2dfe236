import NIOConcurrencyHelpers

/// What of a connection can be read from any thread.
final class ConnectionState: Sendable {
    private struct Values: Sendable {
        var capabilities: Set<IMAPCapability> = []
        var isPreauthenticated = false
        var traffic = IMAPTraffic()
        var failure: IMAPError?
        var lastTicket = 0
    }

    private let values = NIOLockedValueBox(Values())
    let events: EventBuffer

    init(_ configuration: IMAPConfiguration) {
        events = EventBuffer(capacity: configuration.eventCapacity)
    }

    var capabilities: Set<IMAPCapability> { values.withLockedValue(\.capabilities) }
    var isPreauthenticated: Bool { values.withLockedValue(\.isPreauthenticated) }
    var traffic: IMAPTraffic { values.withLockedValue(\.traffic) }
    var failure: IMAPError? { values.withLockedValue(\.failure) }

    func nextTicket() -> Int {
        values.withLockedValue {
            $0.lastTicket += 1
            return $0.lastTicket
        }
    }

    func set(capabilities: Set<IMAPCapability>) {
        values.withLockedValue { $0.capabilities = capabilities }
    }

    func setPreauthenticated() {
        values.withLockedValue { $0.isPreauthenticated = true }
    }

    func count(_ change: (inout IMAPTraffic) -> Void) {
        values.withLockedValue { change(&$0.traffic) }
    }

    /// The first reason is the true one.
    func fail(_ error: IMAPError) {
        let isFirst = values.withLockedValue { values in
            defer { values.failure = values.failure ?? error }
            return values.failure == nil
        }
        if isFirst { events.finish(error) }
    }
}

/// Events that wait for the owner: a bounded list, or a bounded stream while the owner listens.
final class EventBuffer: Sendable {
    private struct Contents: Sendable {
        var waiting: [IMAPEvent] = []
        var listener: IMAPEvents.Continuation?
        var listenerNumber = 0
        var failure: IMAPError?
    }

    private let capacity: Int
    private let contents = NIOLockedValueBox(Contents())

    init(capacity: Int) {
        self.capacity = max(capacity, 2)
    }

    func push(_ event: IMAPEvent) {
        let listener = contents.withLockedValue { contents -> IMAPEvents.Continuation? in
            if let listener = contents.listener { return listener }
            if contents.waiting.count >= capacity { contents.waiting = [.lost] }
            contents.waiting.append(event)
            return nil
        }
        guard let listener else { return }
        // What is dropped is the oldest, and `.lost` comes behind it, so that the listener always learns of it.
        if case .dropped = listener.yield(event) { listener.yield(.lost) }
    }

    func take() -> [IMAPEvent] {
        contents.withLockedValue { contents in
            defer { contents.waiting = [] }
            return contents.waiting
        }
    }

    func stream() -> IMAPEvents {
        let (stream, continuation) = IMAPEvents.makeStream(bufferingPolicy: .bufferingNewest(capacity))
        let (number, former, failure) = contents.withLockedValue { contents in
            let former = contents.listener
            contents.waiting.forEach { continuation.yield($0) }
            contents.waiting = []
            contents.listenerNumber += 1
            contents.listener = contents.failure == nil ? continuation : nil
            return (contents.listenerNumber, former, contents.failure)
        }
        former?.finish()
        if let failure { continuation.finish(throwing: failure) }
        continuation.onTermination = { [weak self] _ in self?.forget(number) }
        return stream
    }

    private func forget(_ number: Int) {
        contents.withLockedValue { if $0.listenerNumber == number { $0.listener = nil } }
    }

    func finish(_ error: IMAPError) {
        let listener = contents.withLockedValue { contents in
            contents.failure = error
            defer { contents.listener = nil }
            return contents.listener
        }
        listener?.finish(throwing: error)
    }
}
