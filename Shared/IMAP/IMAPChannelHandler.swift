import Logging
import NIOCore

final class IMAPChannelHandler {
    static func open(
        _ configuration: IMAPConfiguration, on group: any EventLoopGroup, state: ConnectionState, logger: Logger
    ) async throws -> (channel: any Channel, handler: NIOLoopBound<IMAPChannelHandler>) {
        throw IMAPError.closed
    }

    func submit(_ requests: [CommandRequest], ticket: Int, promise: EventLoopPromise<[CommandResult]>) {}
    func abandon(_ ticket: Int) {}
    func startIdling(renewal: TimeAmount) {}
    func stopIdling() {}
    func shutDown(_ error: IMAPError) {}
}
