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

/// Events for the owner: a bounded list of those that wait, or none while he is told of each.
final class EventBuffer: Sendable {
    typealias Tell = @Sendable (Result<IMAPEvent, IMAPError>) -> Void

    private struct Contents: Sendable {
        var waiting: [IMAPEvent] = []
        var tell: Tell?
        var failure: IMAPError?
    }

    private let capacity: Int
    private let contents = NIOLockedValueBox(Contents())

    init(capacity: Int) {
        self.capacity = max(capacity, 2)
    }

    func push(_ event: IMAPEvent) {
        contents.withLockedValue { contents in
            if let tell = contents.tell { return tell(.success(event)) }
            if contents.waiting.count >= capacity { contents.waiting = [.lost] }
            contents.waiting.append(event)
        }
    }

    func take() -> [IMAPEvent] {
        contents.withLockedValue { contents in
            defer { contents.waiting = [] }
            return contents.waiting
        }
    }

    /// Tells what waits, then each as it comes, and the end. Under the lock, so that they keep their order, and so that
    /// none is told when `endTelling` has returned.
    func tell(_ tell: @escaping Tell) {
        contents.withLockedValue { contents in
            for event in contents.waiting { tell(.success(event)) }
            contents.waiting = []
            if let failure = contents.failure { tell(.failure(failure)) } else { contents.tell = tell }
        }
    }

    func endTelling() { contents.withLockedValue { $0.tell = nil } }

    func finish(_ error: IMAPError) {
        contents.withLockedValue { contents in
            contents.failure = error
            contents.tell?(.failure(error))
            contents.tell = nil
        }
    }
}
