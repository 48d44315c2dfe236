import Testing

@testable import IMAP

/// Bytes in, actions and bytes out.
struct StateMachineTests {
    private var machine = ConnectionStateMachine()

    /// What the machine has put out since last asked.
    private mutating func written() -> String {
        machine.takeOutput().map { String(decoding: $0, as: UTF8.self) }.joined()
    }

    @discardableResult
    private mutating func receive(_ text: String) -> [ConnectionStateMachine.Action] {
        Array(text.utf8).withUnsafeBytes { machine.receive($0) }
    }

    private mutating func submit(_ requests: CommandRequest..., ticket: Int = 1) -> [ConnectionStateMachine.Action] {
        machine.submit(requests, ticket: ticket)
    }

    private func result(
        _ actions: [ConnectionStateMachine.Action], _ index: Int = 0, ticket: Int = 1
    ) -> CommandResult? {
        for case .completed(CommandID(ticket: ticket, index: index), let result) in actions { return result }
        return nil
    }

    @Test mutating func commandsWaitForTheGreetingAndLeaveTogether() {
        #expect(submit(IMAPCommand.noop.request, IMAPCommand.select("A").request).isEmpty)
        #expect(written() == "")
        receive("* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n")
        #expect(written() == "A1 NOOP\r\nA2 SELECT \"A\"\r\n")
    }

    @Test mutating func answersFindTheirCommands() throws {
        receive("* OK hi\r\n")
        let fetch = IMAPCommand.uidFetch([5], [.uid, .flags])
        _ = submit(IMAPCommand.select("A").request, fetch.request)
        let actions = receive(
            "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nA1 OK [READ-WRITE] y\r\n* 4 EXISTS\r\n* 2 FETCH (FLAGS ())\r\n"
                + "* 3 FETCH (UID 5 FLAGS ())\r\n* 1 EXPUNGE\r\nA2 NO [UNAVAILABLE] later\r\n")
        let selected = SelectedMailbox(try #require(result(actions)).get(), readOnly: false)
        #expect(selected.exists == 3)
        #expect(selected.uidValidity == 7)
        #expect(result(actions, 1) == .failure(.no(.unavailable, text: "later")))
        let events = actions.compactMap { action -> IMAPEvent? in
            if case .event(let event) = action { event } else { nil }
        }
        #expect(events.first == .exists(4))
        #expect(events.last == .expunged(sequenceNumber: 1))
        #expect(events.count == 3, "a FETCH without UID is news, not the answer to UID FETCH")
    }

    @Test mutating func literalsWaitUnlessTheServerNeedsNoWaiting() {
        receive("* OK hi\r\n")
        let append = IMAPCommand.append(Array("mail".utf8), to: "A", flags: [.seen]).request
        _ = submit(append, IMAPCommand.noop.request)
        #expect(written() == "A1 APPEND \"A\" (\\Seen) {4}\r\n")
        receive("+ go\r\n")
        #expect(written() == "mail\r\nA2 NOOP\r\n")
        receive("A1 OK done\r\nA2 OK done\r\n* CAPABILITY IMAP4rev1 LITERAL+\r\n")
        _ = submit(append, IMAPCommand.noop.request, ticket: 2)
        #expect(written() == "A3 APPEND \"A\" (\\Seen) {4+}\r\nmail\r\nA4 NOOP\r\n")
    }

    @Test mutating func aRefusedLiteralIsNotSent() {
        receive("* OK hi\r\n")
        _ = submit(IMAPCommand.append(Array("mail".utf8), to: "A").request, IMAPCommand.noop.request)
        _ = written()
        #expect(result(receive("A1 NO [TRYCREATE] no\r\n")) == .failure(.no(.tryCreate, text: "no")))
        #expect(written() == "A2 NOOP\r\n")
    }

    @Test mutating func idleMakesWayAndComesBack() {
        receive("* OK [CAPABILITY IDLE] hi\r\n")
        machine.startIdling()
        #expect(written() == "A1 IDLE\r\n")
        _ = submit(IMAPCommand.noop.request)
        #expect(written() == "", "no DONE before the server idles")
        receive("+ idling\r\n")
        #expect(written() == "DONE\r\nA2 NOOP\r\n")
        receive("A1 OK\r\nA2 OK\r\n")
        #expect(written() == "A3 IDLE\r\n")
        receive("+ idling\r\n")
        #expect(!machine.isServerAwaited)
        #expect(receive("* 7 EXISTS\r\n") == [.event(.exists(7))])
        machine.stopIdling()
        #expect(written() == "DONE\r\n")
        receive("A3 OK done\r\n")
        #expect(written() == "")
    }

    @Test mutating func whatComesInPiecesWhileItListensIsHeardWhole() {
        receive("* OK [CAPABILITY IDLE] hi\r\n")
        machine.startIdling()
        receive("+ idling\r\n")
        #expect(receive("* 7 EXISTS\r\n* 1 EX") == [.event(.exists(7))])
        #expect(receive("PUNGE\r") == [])
        #expect(receive("\n") == [.event(.expunged(sequenceNumber: 1))])
        #expect(receive("* 6 EXISTS\r\n") == [.event(.exists(6))])
    }

    @Test mutating func anErrorChallengeIsAnsweredAndHandedOut() throws {
        receive("* OK hi\r\n")
        let mechanism = SASLMechanism.xoauth2(user: "a@b", token: "t")
        let first = try #require(mechanism.initialResponse)
        _ = submit(mechanism.request(initialResponse: first, inOneStep: true), IMAPCommand.noop.request)
        #expect(written() == "A1 AUTHENTICATE XOAUTH2 dXNlcj1hQGIBYXV0aD1CZWFyZXIgdAEB\r\n")
        receive("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
        #expect(written() == "\r\n")
        let actions = receive("A1 NO [AUTHENTICATIONFAILED] no\r\n")
        #expect(
            result(actions)
                == .failure(
                    .authenticationFailed(.authenticationFailed, text: "no", challenge: #"{"status":"401"}"#)))
        #expect(written() == "A2 NOOP\r\n")
    }

    @Test mutating func withoutInitialResponseTheServerIsWaitedFor() throws {
        receive("* OK hi\r\n")
        let mechanism = SASLMechanism.plain(user: "u", password: "p")
        let first = try #require(mechanism.initialResponse)
        _ = submit(mechanism.request(initialResponse: first, inOneStep: false))
        #expect(written() == "A1 AUTHENTICATE PLAIN\r\n")
        receive("+ \r\n")
        #expect(written() == "AHUAcA==\r\n")
        receive("+ more\r\n")
        #expect(written() == "*\r\n")
        #expect(SASLMechanism.xoauth2(user: "a\u{1}b", token: "t").initialResponse == nil)
    }

    @Test mutating func bytesBehindStartTLSAreRefused() {
        receive("* OK hi\r\n")
        _ = submit(IMAPCommand.startTLS.request, IMAPCommand.noop.request)
        #expect(written() == "A1 STARTTLS\r\n")
        let actions = receive("A1 OK go\r\n* OK [CAPABILITY LITERAL+] injected\r\n")
        #expect(actions.last == .ended(.protocolViolation("bytes between STARTTLS and TLS")))
    }

    @Test mutating func theEndReachesAll() {
        receive("* OK hi\r\n")
        _ = submit(IMAPCommand.noop.request, IMAPCommand.noop.request)
        let actions = receive("* BYE [UNAVAILABLE] kicked\r\nA1 OK\r\n")
        let bye = IMAPError.bye(.unavailable, text: "kicked")
        #expect(result(actions, 0) == .failure(bye))
        #expect(result(actions, 1) == .failure(bye))
        #expect(result(submit(IMAPCommand.noop.request, ticket: 2), ticket: 2) == .failure(bye))
    }

    @Test mutating func foreignServersAndFloodsEndTheConnection() {
        #expect(receive("220 smtp ready\r\n").last != nil)
        machine = ConnectionStateMachine(limits: IMAPLimits(commandBytes: 100), capacity: 2)
        receive("* OK hi\r\n")
        let refused = submit(IMAPCommand.noop.request, IMAPCommand.noop.request, IMAPCommand.noop.request)
        #expect(result(refused) == .failure(.tooManyCommands))
        _ = submit(IMAPCommand.uidFetch(.all, [.uid]).request)
        let actions = receive(String(repeating: "* 1 FETCH (UID 1)\r\n", count: 10))
        guard case .ended(.protocolViolation) = actions.last else { return #expect(Bool(false)) }
    }
}
