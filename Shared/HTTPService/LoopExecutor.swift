import HummingbirdCore
import Logging
import NIOCore

/// Runs the tasks of a connection on its event loop.
///
/// A task that waits for other servers and computes little between is waked by the event loop anyway: run elsewhere, it
/// costs a switch of threads before and after each wait, and more time than all it does.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// A connection that is served on its own event loop: its requests are read, routed and answered there. What its routes
/// do runs in the concurrency pool, but for quick routes (`ServiceRouter.with`).
struct LoopChannel<Connection: ServerChildChannel>: ServerChildChannel
where Connection.Value: ServedChannel {
    let connection: Connection

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Connection.Value> {
        connection.setup(channel: channel, logger: logger)
    }

    func handle(value: Connection.Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await connection.handle(value: value, logger: logger)
        }
    }
}

/// What knows its channel.
protocol ServedChannel {
    var channel: any Channel { get }
}

extension NIOAsyncChannel: ServedChannel {}

/// Runs what computes for long in the concurrency pool, wherever the caller runs.
///
/// - Throws: What `body` throws.
public func offLoop<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try body() }
}
