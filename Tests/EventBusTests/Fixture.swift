import EventBus
import Logging
import MailModel
import Redis
import TestSupport

enum Fixture {
    /// Runs the body beside a running bus.
    static func with(
        url: String? = nil, logCapacity: Int = 1000, _ body: (EventBus) async throws -> Void
    ) async throws {
        let url = try url ?? TestStack.load().redisURL
        let bus = EventBus(
            redis: try Redis.Configuration(url: url), logCapacity: logCapacity, logger: Logger(label: "test"))
        let result = await withTaskGroup(of: Void.self, returning: Result<Void, any Error>.self) { tasks in
            tasks.addTask { try? await bus.run() }
            defer { tasks.cancelAll() }
            do { return .success(try await body(bus)) } catch { return .failure(error) }
        }
        await bus.close()
        try result.get()
    }

    static func account() -> String { "zz\(UInt64.random(in: 0 ... .max))@example.test" }

    static func event(_ account: String, _ number: Int) -> MailEvent {
        MailEvent(
            account: account, at: 1_767_323_045_678,
            kind: .folderUpdate(folder: #"In "id":"" \ box"#, unseen: number, exists: number))
    }
}

extension EventBus {
    /// What is told of an account from now on.
    func heard(_ account: String) async -> GapQueue<MailEvent>.Iterator {
        let told = GapQueue<MailEvent>(capacity: 1000, gap: Fixture.event(account, -2))
        await follow([account]) { told.append($0) }
        return told.makeAsyncIterator()
    }
}

extension MailEvent {
    /// The number that `Fixture.event` put in; -1 for a resync.
    var number: Int? {
        switch kind {
        case .folderUpdate(_, let unseen, _): unseen
        case .resync: -1
        default: nil
        }
    }
}
