import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// How a connection is protected.
public enum SMTPSecurity: String, Sendable {
    case plain
    /// TLS from the first byte, port 465 (RFC 8314 §3.3).
    case implicitTLS
    /// STARTTLS, required: port 587 (RFC 3207).
    case startTLS
}

/// Credentials (RFC 4954).
public enum SMTPCredentials: Sendable {
    /// `AUTH PLAIN` (RFC 4616).
    case plain(user: String, password: String)
    /// `AUTH XOAUTH2`: an OAuth 2.0 bearer token.
    case xoauth2(user: String, token: String)
}

/// The longest waits (RFC 5321 §4.5.3.2 gives minutes for relays; a submission client has a person waiting).
public struct SMTPTimeouts: Sendable {
    public var connect: Duration = .seconds(5)
    /// For the reply to any one command before a transaction.
    public var command: Duration = .seconds(30)
    /// For the replies to the commands of a transaction that are sent together: the server checks every recipient.
    public var transaction: Duration = .seconds(30)
    /// For the message, from its first byte to the final reply.
    public var message: Duration = .seconds(120)

    public init() {}
}

/// A message that the server waits for: sender and recipients are known to it, one recipient at least was accepted.
public struct BegunMessage: Sendable {
    fileprivate let transaction: MailTransaction
}

/// One connection to a submission server (RFC 6409): EHLO, AUTH, any number of messages, QUIT.
///
/// One exchange at a time; a second one meanwhile throws `SMTPError.busy`. After a time-out, a cancellation, a
/// protocol violation or a lost connection, it is closed for good. A refused message leaves it usable.
public final class SMTPConnection: Sendable {
    private struct State {
        var capabilities = SMTPCapabilities()
        var isBusy = false
    }

    private let channel: any Channel
    private let exchange: NIOLoopBound<SMTPExchange>
    private let timeouts: SMTPTimeouts
    private let state = Mutex(State())

    private init(channel: any Channel, exchange: NIOLoopBound<SMTPExchange>, timeouts: SMTPTimeouts) {
        self.channel = channel
        self.exchange = exchange
        self.timeouts = timeouts
    }

    /// Connects, secures, greets.
    /// - Parameters:
    ///   - tls: Needed unless `security` is `.plain`; without it the system's roots are loaded for this connection.
    ///   - clientName: What EHLO says; a domain or an address literal.
    /// - Throws: `SMTPError`.
    public static func connect(
        host: String, port: Int, security: SMTPSecurity, tls: SMTPTLS? = nil, clientName: String = "localhost",
        timeouts: SMTPTimeouts = SMTPTimeouts()
    ) async throws(SMTPError) -> SMTPConnection {
        let ehlo = try SMTPCommand.ehlo(clientName)
        let trust: SMTPTLS? = if security == .plain { nil } else if let tls { tls } else { try SMTPTLS() }
        let connection = try await open(
            host: host, port: port, tls: security == .implicitTLS ? trust : nil, timeouts: timeouts)
        do {
            try await connection.greet(ehlo)
            if security == .startTLS, let trust {
                try await connection.startTLS(trust, host: host)
                try await connection.hello(ehlo)
            }
            return connection
        } catch {
            connection.channel.close(promise: nil)
            throw error
        }
    }

    /// What the server offers, from the last EHLO.
    public var capabilities: SMTPCapabilities { state.withLock(\.capabilities) }

    /// Whether the socket is open; a frozen server is found out only by `reset()`.
    public var isOpen: Bool { channel.isActive }

    /// - Throws: `SMTPError.authenticationFailed`, `.authenticationUnavailable` (454: try again), …
    public func authenticate(_ credentials: SMTPCredentials) async throws(SMTPError) {
        let mechanism = if case .plain = credentials { "PLAIN" } else { "XOAUTH2" }
        guard capabilities.authMechanisms.contains(mechanism) else { throw .mechanismUnavailable(mechanism) }
        let command = try SMTPCommand.authenticate(credentials)
        try await exclusively { () async throws(SMTPError) in
            var reply = try await self.ask(command)
            var challenge: String?
            if reply.code == 334 {
                // The server's account of the error; an empty response makes it fail the exchange.
                challenge = Base64.decode(reply.text).map { String(decoding: $0, as: UTF8.self) }
                reply = try await self.ask(.emptyResponse)
            }
            guard reply.isPositive else {
                throw reply.isTransient
                    ? .authenticationUnavailable(reply) : .authenticationFailed(reply, challenge: challenge)
            }
        }
    }

    /// Sends one message: MAIL, RCPT and DATA in one flush where the server has PIPELINING (RFC 2920).
    /// - Parameter message: With any line ends: bare CR and LF become CRLF, dots are stuffed (RFC 5321 §4.5.2).
    /// - Returns: when at least one recipient was accepted and the server has taken the message.
    /// - Throws: `SMTPError.refused` with every recipient's reply, …
    public func send(_ envelope: Envelope, message: [UInt8]) async throws(SMTPError) -> Delivery {
        let has8Bit = message.contains { $0 >= 0x80 }
        return try await finish(begin(envelope, size: message.count, has8Bit: has8Bit), message: message)
    }

    /// As above, for a message that is not in memory as a whole.
    ///
    /// - Parameters:
    ///   - size: Of the message: bytes.
    ///   - has8Bit: It holds bytes beyond ASCII.
    ///   - piece: The next piece of it; nil after the last. What it throws ends the connection before the message is
    ///     whole, so that the server drops it, and becomes `SMTPError.messageUnavailable`.
    public func send(
        _ envelope: Envelope, size: Int, has8Bit: Bool, piece: () async throws -> [UInt8]?
    ) async throws(SMTPError) -> Delivery {
        let transaction = try MailTransaction(envelope, size: size, has8Bit: has8Bit, capabilities: capabilities)
        return try await exclusively { () async throws(SMTPError) in
            let begun = try await self.begin(transaction)
            return try await self.finish(begun, with: self.ask(self.write(piece), at: .message))
        }
    }

    /// Begins a message: says from whom it is and for whom, and has the server wait for it.
    ///
    /// The connection is taken by it until `finish`; one that is closed before sends nothing.
    /// - Parameters:
    ///   - size: Of the message: bytes.
    ///   - has8Bit: It holds bytes beyond ASCII.
    /// - Throws: As `send`.
    public func begin(_ envelope: Envelope, size: Int, has8Bit: Bool) async throws(SMTPError) -> BegunMessage {
        let transaction = try MailTransaction(envelope, size: size, has8Bit: has8Bit, capabilities: capabilities)
        try occupy()
        do { return BegunMessage(transaction: try await begin(transaction)) } catch {
            vacate()
            throw error
        }
    }

    /// Sends what was begun.
    /// - Parameter message: As for `send`.
    /// - Throws: As `send`.
    public func finish(_ begun: BegunMessage, message: [UInt8]) async throws(SMTPError) -> Delivery {
        defer { vacate() }
        return try await finish(begun.transaction, with: ask(MessageData.encode(message), at: .message))
    }

    /// - Returns: The end of the message, still to be written.
    private func write(_ piece: () async throws -> [UInt8]?) async throws(SMTPError) -> [UInt8] {
        var data = MessageData()
        let channel = channel
        // A server that stops reading must not hold us for ever; the message is not whole yet, so nothing is in doubt.
        let timeout = channel.eventLoop.scheduleTask(in: TimeAmount(timeouts.message)) { channel.close(promise: nil) }
        defer { timeout.cancel() }
        do {
            while let bytes = try await piece() {
                do {
                    try await channel.writeAndFlush(ByteBuffer(bytes: data.encode(bytes)))
                } catch { throw SMTPError.closed(.data) }
            }
        } catch {
            channel.close(promise: nil)
            throw error as? SMTPError ?? .messageUnavailable(String(describing: error))
        }
        return data.end
    }

    /// - Returns: The transaction, of which the message is still to be sent.
    private func begin(_ start: MailTransaction) async throws(SMTPError) -> MailTransaction {
        var transaction = start
        var step = transaction.start
        while true {
            switch step {
            case .send(let commands): step = try transaction.receive(try await ask(commands))
            case .sendMessage: return transaction
            case .sendEmptyMessage: step = try transaction.receive(try await ask(MessageData.terminator, at: .message))
            case .finished: throw violation("a message is taken that was not sent")
            case .failed(let error, let needsReset):
                if needsReset, isOpen { _ = try? await ask(.reset) }
                throw error
            }
        }
    }

    private func finish(_ begun: MailTransaction, with replies: [SMTPReply]) throws(SMTPError) -> Delivery {
        var transaction = begun
        switch try transaction.receive(replies) {
        case .finished(let delivery): return delivery
        case .failed(let error, _): throw error
        case .send, .sendMessage, .sendEmptyMessage: throw violation("a reply to no message")
        }
    }

    /// RSET: forgets a transaction, and tells whether a kept connection still lives.
    public func reset() async throws(SMTPError) {
        try await exclusively { () async throws(SMTPError) in
            let reply = try await self.ask(.reset)
            guard reply.isPositive else { throw .refused(.reset, reply, recipients: []) }
        }
    }

    /// Says QUIT and closes, without waiting for the answer (RFC 5321 §4.1.1.10); just closes where a message is begun.
    public func close() {
        if state.withLock(\.isBusy) { return channel.close(promise: nil) }
        let quit = ByteBuffer(bytes: SMTPCommand.quit.bytes)
        channel.writeAndFlush(quit).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    /// QUIT and close; never fails, and takes at most a second.
    public func quit() async {
        _ = try? await ask(SMTPCommand.quit.bytes, at: .quit, timeout: .seconds(1))
        try? await channel.close()
    }
}

// MARK: - Opening

extension SMTPConnection {
    private static func open(
        host: String, port: Int, tls: SMTPTLS?, timeouts: SMTPTimeouts
    ) async throws(SMTPError) -> SMTPConnection {
        do {
            return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(TimeAmount(timeouts.connect))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls { try channel.pipeline.syncOperations.addHandler(tls.makeHandler(host: host)) }
                        let handler = SMTPExchange()
                        try channel.pipeline.syncOperations.addHandler(handler)
                        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
                        return SMTPConnection(channel: channel, exchange: bound, timeouts: timeouts)
                    }
                }
        } catch {
            throw (error as? SMTPError) ?? .unreachable(String(describing: error))
        }
    }

    private func greet(_ ehlo: SMTPCommand) async throws(SMTPError) {
        let greeting = try await ask(nil, at: .greeting, timeout: timeouts.command)[0]
        guard greeting.isPositive else { throw .refused(.greeting, greeting, recipients: []) }
        try await hello(ehlo)
    }

    private func hello(_ ehlo: SMTPCommand) async throws(SMTPError) {
        let reply = try await ask(ehlo)
        guard reply.isPositive else { throw .refused(.ehlo, reply, recipients: []) }
        state.withLock { $0.capabilities = SMTPCapabilities(ehlo: reply) }
    }

    private func startTLS(_ tls: SMTPTLS, host: String) async throws(SMTPError) {
        guard capabilities.hasStartTLS else { throw .startTLSUnavailable }
        let reply = try await ask(.startTLS)
        guard reply.isPositive else { throw .refused(.startTLS, reply, recipients: []) }
        let exchange = exchange
        let channel = channel
        do {
            try await channel.eventLoop.submit {
                guard !exchange.value.hasUnreadInput else {
                    throw SMTPError.protocolViolation("text between STARTTLS and the handshake")
                }
                let handler = try tls.makeHandler(host: host)
                try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            }.get()
        } catch {
            throw (error as? SMTPError) ?? .tls(String(describing: error))
        }
    }
}

// MARK: - Exchanges

extension SMTPConnection {
    private func exclusively<Value: Sendable>(
        _ body: () async throws(SMTPError) -> Value
    ) async throws(SMTPError) -> Value {
        try occupy()
        defer { vacate() }
        return try await body()
    }

    private func occupy() throws(SMTPError) {
        let isFree = state.withLock { state in
            defer { state.isBusy = true }
            return !state.isBusy
        }
        guard isFree else { throw .busy }
    }

    private func vacate() { state.withLock { $0.isBusy = false } }

    private func ask(_ command: SMTPCommand) async throws(SMTPError) -> SMTPReply {
        try await ask(command.bytes, at: command.stage)[0]
    }

    /// Commands of a transaction in one flush; as many replies.
    private func ask(_ commands: [SMTPCommand]) async throws(SMTPError) -> [SMTPReply] {
        try await ask(
            commands.flatMap(\.bytes), at: commands[0].stage, count: commands.count, timeout: timeouts.transaction)
    }

    private func ask(
        _ bytes: [UInt8]?, at stage: SMTPError.Stage, count: Int = 1, timeout: Duration? = nil
    ) async throws(SMTPError) -> [SMTPReply] {
        let wait = timeout ?? (stage == .message ? timeouts.message : timeouts.command)
        let exchange = exchange
        let channel = channel
        do {
            return try await withTaskCancellationHandler {
                try await channel.eventLoop.flatSubmit {
                    exchange.value.exchange(
                        bytes.map { ByteBuffer(bytes: $0) }, stage: stage, count: count,
                        timeout: TimeAmount(wait), channel: channel)
                }.get()
            } onCancel: {
                channel.close(promise: nil)
            }
        } catch {
            throw (error as? SMTPError) ?? .closed(stage)
        }
    }

    private func violation(_ text: String) -> SMTPError {
        channel.close(promise: nil)
        return .protocolViolation(text)
    }
}
