/// Which command of which `IMAPConnection.perform`.
struct CommandID: Hashable, Sendable {
    var ticket: Int
    var index: Int
}

/// The client's side of an IMAP connection as a pure state machine: bytes and commands in, actions and bytes out.
///
/// It knows no sockets, clocks or threads. Commands are written as soon as they come, behind one another without
/// waiting, except that nothing overtakes a literal that the server has not called for, an AUTHENTICATE, a STARTTLS, or
/// an IDLE that has not been ended by DONE.
struct ConnectionStateMachine {
    enum Action: Equatable {
        case greeted(isPreauthenticated: Bool)
        case capabilities(Set<IMAPCapability>)
        case event(IMAPEvent)
        /// The STARTTLS command was accepted: TLS begins before another byte is read or written.
        case startTLS
        case completed(CommandID, CommandResult)
        /// The connection is over; every command has been completed.
        case ended(IMAPError)
    }

    private enum Phase: Equatable {
        case greeting
        case open
        case ended(IMAPError)
    }

    /// Why nothing may be written just now.
    private enum Block {
        /// The last command waits to send a literal (RFC 9051 §4.3).
        case literal
        /// The last command must be answered first.
        case exclusive
    }

    private enum Idle: Equatable {
        case off
        /// IDLE was sent; `isUnwanted`: DONE goes out as soon as the server has said `+`.
        case requested(tag: String, isUnwanted: Bool)
        case active(tag: String)
        /// DONE was sent.
        case ending(tag: String)
    }

    private struct Command {
        let id: CommandID
        let request: CommandRequest
        var tag = ""
        /// How many segments have been written.
        var written = 0
        /// How many SASL replies have been written.
        var replies = 0
        var challenge: String?
        var responses: [UntaggedResponse] = []
        var responseBytes = 0
        var capabilityNews = 0
    }

    private static let responseOverhead = 400

    private let limits: IMAPLimits
    private let capacity: Int
    private var framer: ResponseFramer
    private let parser: ResponseParser
    private let known: KnownCapabilities
    private var phase = Phase.greeting
    private var block: Block?
    private var idle = Idle.off
    private var wantsIdle = false
    private var waiting: [Command] = []
    private var sent: [Command] = []
    private var lastTag = 0
    private var capabilities: Set<IMAPCapability> = []
    /// How often the server has told its capabilities.
    private var capabilityNews = 0
    private var output: [[UInt8]] = []
    private var actions: [Action] = []

    /// - Parameter known: What other connections have heard, to be shared with them.
    init(
        limits: IMAPLimits = IMAPLimits(), capacity: Int = 256, known: KnownCapabilities = KnownCapabilities()
    ) {
        self.limits = limits
        self.capacity = capacity
        self.known = known
        framer = ResponseFramer(limits: limits)
        parser = ResponseParser(limits: limits)
    }

    /// Whether the server owes us an answer.
    var isServerAwaited: Bool {
        switch idle {
        case .requested, .ending: return true
        case .off, .active: return phase == .greeting || !sent.isEmpty
        }
    }

    /// Whether any of these commands is still to be answered.
    func isPending(_ ticket: Int) -> Bool { (sent + waiting).contains { $0.id.ticket == ticket } }

    /// What to write, in order, in one flush.
    mutating func takeOutput() -> [[UInt8]] {
        defer { output = [] }
        return output
    }

    private mutating func takeActions() -> [Action] {
        defer { actions = [] }
        return actions
    }

    // MARK: Input from the owner

    /// Queues commands and writes what may be written.
    mutating func submit(_ requests: [CommandRequest], ticket: Int) -> [Action] {
        let refusal: IMAPError? =
            if case .ended(let error) = phase {
                error
            } else if waiting.count + sent.count + requests.count > capacity {
                .tooManyCommands
            } else {
                nil
            }
        for (index, request) in requests.enumerated() {
            let id = CommandID(ticket: ticket, index: index)
            if let refusal {
                actions.append(.completed(id, .failure(refusal)))
            } else {
                waiting.append(Command(id: id, request: request))
            }
        }
        writeWaiting()
        return takeActions()
    }

    /// IDLE from now on whenever there is no command.
    mutating func startIdling() {
        wantsIdle = true
        writeWaiting()
    }

    mutating func stopIdling() {
        wantsIdle = false
        interruptIdle()
    }

    /// Ends the running IDLE; the next begins at once.
    mutating func renewIdle() { interruptIdle() }

    /// The connection is gone, or is to go.
    mutating func end(_ error: IMAPError) -> [Action] {
        fail(error)
        return takeActions()
    }

    // MARK: Input from the server

    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [Action] {
        guard !hasEnded else { return [] }
        framer.append(bytes)
        do throws(IMAPError) {
            let parser = self.parser
            while !hasEnded,
                let (response, size) = try framer.next({ (frame) throws(IMAPError) in
                    (try parser.parse(frame), frame.count)
                })
            {
                try handle(response, size: size)
            }
        } catch {
            fail(error)
        }
        writeWaiting()
        rest()
        return takeActions()
    }

    /// A connection that listens may do so for hours, beside thousands of others: what it needed before is given back.
    private mutating func rest() {
        guard case .active = idle, sent.isEmpty, waiting.isEmpty else { return }
        framer.shrink()
        (sent, waiting) = ([], [])
    }

    private var hasEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    private mutating func handle(_ response: IMAPResponse, size: Int) throws(IMAPError) {
        if phase == .greeting { return try handleGreeting(response) }
        switch response {
        case .continuation(let text): resume(text)
        case .tagged(let tag, let status): try complete(tag, status)
        case .untagged(let response): try handle(response, size: size)
        }
    }

    private mutating func handleGreeting(_ response: IMAPResponse) throws(IMAPError) {
        guard case .untagged(.status(let status)) = response else {
            throw .protocolViolation("the greeting is none: this is no IMAP server")
        }
        if case .capability(let capabilities) = status.code { learn(capabilities) }
        switch status.condition {
        case .ok, .preauth:
            phase = .open
            actions.append(.greeted(isPreauthenticated: status.condition == .preauth))
        case .bye: throw .bye(status.code, text: status.text)
        case .no, .bad: throw .protocolViolation("the greeting is none: this is no IMAP server")
        }
    }

    /// `+`: the server waits for us (RFC 9051 §7.6).
    private mutating func resume(_ text: String) {
        if case .requested(let tag, let isUnwanted) = idle {
            idle = .active(tag: tag)
            if isUnwanted { interruptIdle() }
            return
        }
        // A continuation that nothing waits for means nothing.
        guard let last = sent.indices.last else { return }
        switch block {
        case .literal:
            block = nil
            writeSegments(ofSentAt: last, literalIsDue: true)
        case .exclusive:
            guard case .authenticate(let replies) = sent[last].request.effect else { return }
            if !text.isEmpty, let challenge = Base64.decode(text.utf8), !challenge.isEmpty {
                sent[last].challenge = String(decoding: challenge, as: UTF8.self)
            }
            let next = sent[last].replies
            sent[last].replies += 1
            // `*` gives up (RFC 9051 §6.2.2).
            write(next < replies.count ? replies[next] : [UInt8(ascii: "*")])
            write(Self.lineEnd)
        case nil: break
        }
    }

    private mutating func complete(_ tag: String, _ status: StatusResponse) throws(IMAPError) {
        if case .capability(let capabilities) = status.code { learn(capabilities) }
        switch idle {
        case .requested(tag, _), .active(tag), .ending(tag):
            idle = .off
            guard status.condition != .ok else { return }
            throw status.condition == .no
                ? .no(status.code, text: status.text) : .bad(status.code, text: status.text)
        default: break
        }
        guard let index = sent.firstIndex(where: { $0.tag == tag }) else {
            throw .protocolViolation("an answer to a command that was not given")
        }
        let isLast = index == sent.count - 1
        let command = sent.remove(at: index)
        if isLast { block = nil }
        let result = Self.result(of: command, status)
        if case .success = result { try takeEffect(of: command) }
        actions.append(.completed(command.id, result))
    }

    private static func result(of command: Command, _ status: StatusResponse) -> CommandResult {
        if status.condition == .ok {
            return .success(
                CommandResponses(untagged: command.responses, status: status))
        }
        if case .authenticate = command.request.effect {
            return .failure(
                .authenticationFailed(status.code, text: status.text, challenge: command.challenge))
        }
        return .failure(
            status.condition == .no ? .no(status.code, text: status.text) : .bad(status.code, text: status.text))
    }

    private mutating func takeEffect(of command: Command) throws(IMAPError) {
        switch command.request.effect {
        case .none: break
        case .authenticate:
            // Those told before may not hold any more (RFC 9051 §6.2.2).
            if command.capabilityNews == capabilityNews { set(capabilities: []) }
        case .startTLS:
            // What came in the clear behind the answer was put there by somebody else (RFC 9051 §11.1).
            if framer.hasPartialResponse { throw .protocolViolation("bytes between STARTTLS and TLS") }
            set(capabilities: [])
            actions.append(.startTLS)
        case .logout: fail(.closed)
        }
    }

    // MARK: Untagged responses

    private mutating func handle(_ response: UntaggedResponse, size: Int) throws(IMAPError) {
        switch response {
        case .capability(let capabilities): learn(capabilities)
        case .status(let status):
            if case .capability(let capabilities) = status.code { learn(capabilities) }
            if status.condition == .bye {
                if sent.contains(where: { $0.request.effect == .logout }) { return }
                throw .bye(status.code, text: status.text)
            }
            // Alerts are for people, whatever command runs.
            if status.code == .alert { return actions.append(.event(.status(status))) }
        default: break
        }
        guard let index = sent.firstIndex(where: { Self.command($0, claims: response) }) else {
            if case .capability = response { return }
            actions.append(.event(IMAPEvent(response)))
            return
        }
        if case .fetch(let message) = response, let digest = sent[index].request.digest {
            // Flags alone, with the UID, are news of a change by others (RFC 7162 §3.2).
            if !digest(message), message.size == nil { actions.append(.event(.fetched(message))) }
        } else {
            sent[index].responses.append(response)
            // As a value a short response takes more memory than on the wire.
            sent[index].responseBytes += Self.responseOverhead
        }
        sent[index].responseBytes += size
        if sent[index].responseBytes > limits.commandBytes {
            throw .protocolViolation("an answer of more than \(limits.commandBytes) bytes")
        }
    }

    /// Whether a response is an answer to this command: the earliest that claims it gets it.
    private static func command(_ command: Command, claims response: UntaggedResponse) -> Bool {
        let claims = command.request.claims
        return switch response {
        case .fetch(let message):
            claims.contains(.fetch) || (message.uid != nil && claims.contains(.uidFetch))
        case .vanished(_, let earlier): earlier && claims.contains(.vanishedEarlier)
        case .extendedSearch(let search):
            claims.contains(.search) && (search.tag == nil || search.tag == command.tag)
        case .search, .sort: claims.contains(.search)
        case .thread: claims.contains(.thread)
        case .list, .lsub: claims.contains(.list)
        case .mailboxStatus: claims.contains(.mailboxStatus)
        case .exists, .recent, .flags: claims.contains(.mailboxState)
        case .status: claims.contains(.statusCodes)
        case .id: claims.contains(.id)
        case .namespace: claims.contains(.namespace)
        case .quota, .quotaRoot: claims.contains(.quota)
        case .enabled: claims.contains(.enabled)
        case .capability: claims.contains(.capability)
        case .expunge, .other: false
        }
    }

    private mutating func learn(_ capabilities: [IMAPCapability]) {
        capabilityNews += 1
        set(capabilities: Set(capabilities))
    }

    private mutating func set(capabilities: Set<IMAPCapability>) {
        let capabilities = known.shared(capabilities)
        self.capabilities = capabilities
        actions.append(.capabilities(capabilities))
    }

    private mutating func fail(_ error: IMAPError) {
        guard !hasEnded else { return }
        phase = .ended(error)
        for command in sent + waiting { actions.append(.completed(command.id, .failure(error))) }
        (sent, waiting, idle, block, wantsIdle) = ([], [], .off, nil, false)
        actions.append(.ended(error))
    }
}

// MARK: - Writing

extension ConnectionStateMachine {
    private static let lineEnd: [UInt8] = [0x0D, 0x0A]

    private mutating func writeWaiting() {
        guard phase == .open else { return }
        if !waiting.isEmpty { interruptIdle() }
        var written = 0
        while block == nil, !isIdleInTheWay, written < waiting.count {
            start(waiting[written])
            written += 1
        }
        waiting.removeFirst(written)
        if wantsIdle, idle == .off, sent.isEmpty, waiting.isEmpty {
            let tag = nextTag()
            write(Array("\(tag) IDLE\r\n".utf8))
            idle = .requested(tag: tag, isUnwanted: false)
        }
    }

    private var isIdleInTheWay: Bool {
        switch idle {
        case .off, .ending: false
        case .requested, .active: true
        }
    }

    private mutating func interruptIdle() {
        switch idle {
        case .off, .ending: break
        case .requested(let tag, _): idle = .requested(tag: tag, isUnwanted: true)
        case .active(let tag):
            write(Array("DONE\r\n".utf8))
            idle = .ending(tag: tag)
        }
    }

    private mutating func start(_ command: Command) {
        var command = command
        command.tag = nextTag()
        command.capabilityNews = capabilityNews
        write(Array("\(command.tag) ".utf8))
        if command.request.effect != .none { block = .exclusive }
        sent.append(command)
        writeSegments(ofSentAt: sent.count - 1, literalIsDue: false)
    }

    /// Writes on from where the command stands, up to a literal that the server must call for or to its end.
    private mutating func writeSegments(ofSentAt index: Int, literalIsDue: Bool) {
        var literalIsDue = literalIsDue
        while sent[index].written < sent[index].request.segments.count {
            switch sent[index].request.segments[sent[index].written] {
            case .text(let text): write(text)
            case .literal(let bytes, let isBinary):
                if !literalIsDue {
                    let waits = !sendsUnasked(literalOf: bytes.count)
                    write(Array("\(isBinary ? "~" : ""){\(bytes.count)\(waits ? "" : "+")}\r\n".utf8))
                    if waits {
                        block = .literal
                        return
                    }
                }
                write(bytes)
                literalIsDue = false
            }
            sent[index].written += 1
        }
        write(Self.lineEnd)
    }

    /// RFC 7888
    private func sendsUnasked(literalOf count: Int) -> Bool {
        capabilities.contains(.literalPlus) || (count <= 4096 && capabilities.contains(.literalMinus))
    }

    private mutating func nextTag() -> String {
        lastTag += 1
        return "A\(lastTag)"
    }

    /// Small writes are put together; a large one, such as a message, is not copied.
    private mutating func write(_ bytes: [UInt8]) {
        if let last = output.indices.last, bytes.count < 16 * 1024, output[last].count < 16 * 1024 {
            output[last].append(contentsOf: bytes)
        } else if !bytes.isEmpty {
            output.append(bytes)
        }
    }
}
