import Credentials
import MailModel
import Testing

@testable import MailWatcher

/// The bounded queue between the events and one client.
struct ListenerTests {
    static func listener(_ accounts: [String] = ["a@example.com"], capacity: Int = 3) -> Listener {
        let platform = Caller.Platform(tokenID: 1, name: "test", scopes: ["*"])
        return Listener(Subscriber(identity: .platform(platform), accounts: accounts), capacity: capacity)
    }

    static func event(_ id: String, _ account: String = "a@example.com") -> MailEvent {
        MailEvent(id: id, account: account, at: 0, kind: .folderUpdate(folder: "INBOX", unseen: 0, exists: 0))
    }

    @Test("events come in order, once each")
    func once() {
        let listener = Self.listener(capacity: 8)
        listener.replayed(Self.event("5-0"))
        for id in ["4-0", "5-0", "5-1", "5-1"] { listener.offer(Self.event(id)) }
        #expect(listener.pop() == .event(Self.event("5-1")))
        #expect(listener.pop() == nil)
    }

    @Test("only who wants to see that the connection lives is waked for it")
    func beats() {
        let webSocket = Self.listener()
        webSocket.beat()
        #expect(webSocket.pop() == nil)
        let platform = Caller.Platform(tokenID: 1, name: "test", scopes: ["*"])
        let stream = Listener(
            Subscriber(identity: .platform(platform), accounts: ["a@example.com"]), capacity: 3, wantsBeats: true)
        stream.beat()
        #expect(stream.pop() == .beat)
        #expect(stream.pop() == nil)
    }

    @Test("what it does not listen to is not heard")
    func foreign() {
        let listener = Self.listener()
        listener.offer(Self.event("1-0", "b@example.com"))
        #expect(listener.pop() == nil)
    }

    @Test("a slow reader gets a resync instead of a queue that grows")
    func slow() {
        let listener = Self.listener()
        for n in 1...1000 { listener.offer(Self.event("\(n)-0")) }
        guard case .event(let event) = listener.pop() else {
            Issue.record("no event")
            return
        }
        #expect(event.kind == .resync)
        #expect(listener.pop() == nil)
        listener.offer(Self.event("1001-0"))
        #expect(listener.pop() == .event(Self.event("1001-0")))
    }

    @Test("the end drops what a revoked session must not hear, and keeps what a shutdown may finish")
    func end() {
        for (end, hears) in [(Listener.End.revoked, false), (.expired, false), (.shutdown, true)] {
            let listener = Self.listener()
            listener.offer(Self.event("1-0"))
            listener.end(end)
            listener.offer(Self.event("2-0"))
            if hears { #expect(listener.pop() == .event(Self.event("1-0"))) }
            #expect(listener.pop() == .end(end))
        }
    }

    @Test("a revoked account is taken from a service token, and the last one ends it")
    func accountsTakenAway() {
        let listener = Self.listener(["a@example.com", "b@example.com"])
        listener.revoke(account: "a@example.com")
        listener.offer(Self.event("1-0"))
        guard case .event(let event) = listener.pop() else {
            Issue.record("no event")
            return
        }
        #expect(event.kind == .sessionRevoked && event.account == "a@example.com")
        listener.offer(Self.event("1-0", "b@example.com"))
        #expect(listener.pop() == .event(Self.event("1-0", "b@example.com")))
        listener.revoke(account: "b@example.com")
        guard case .event(let last) = listener.pop() else {
            Issue.record("no event")
            return
        }
        #expect(last.kind == .sessionRevoked && last.account == "b@example.com")
        #expect(listener.pop() == .end(.revoked))
        #expect(listener.farewell == nil, "each was told")
    }

    @Test("a session that ends as a whole is told by one event")
    func farewell() {
        let listener = Self.listener(["a@example.com", "b@example.com"])
        listener.revoke(account: "a@example.com")
        listener.end(.revoked)
        #expect(listener.farewell?.account == "b@example.com")
    }

    @Test("who is revoked is not told what was missed either; at a shutdown all is told")
    func hears() {
        let revoked = Self.listener(["a@example.com", "b@example.com"])
        #expect(revoked.hears("a@example.com") && revoked.hears("b@example.com"))
        revoked.revoke(account: "a@example.com")
        #expect(!revoked.hears("a@example.com") && revoked.hears("b@example.com"))
        revoked.end(.revoked)
        #expect(!revoked.hears("b@example.com"))
        let stopped = Self.listener()
        stopped.end(.shutdown)
        #expect(stopped.hears("a@example.com"))
    }

    @Test("after a word to list again smaller ids count, but not what was replayed")
    func resync() {
        let listener = Self.listener(capacity: 8)
        listener.replayed(Self.event("4-0"))
        listener.offer(Self.event("9-0"))
        listener.offer(MailEvent(account: "a@example.com", at: 0, kind: .resync))
        for id in ["4-0", "5-0"] { listener.offer(Self.event(id)) }
        #expect(listener.pop() == .event(Self.event("9-0")))
        _ = listener.pop()
        #expect(listener.pop() == .event(Self.event("5-0")))
    }

    @Test("a person may have so many streams, a service token more")
    func limit() throws {
        let subscribers = Subscribers(capacity: 1000)
        let token = AccessToken.access(
            issuer: "https://mail.example.com", subject: "user:1", jti: "1", issuedAt: 0, family: "f",
            email: "a@example.com", customerID: 1, role: "member", accounts: ["a@example.com"])
        let person = Subscriber(identity: .person(token), accounts: ["a@example.com"])
        var listeners: [Listener] = []
        for _ in 0..<Subscribers.personLimit {
            listeners.append(Listener(person, capacity: 3))
            try subscribers.add(listeners[listeners.count - 1])
        }
        let failure = #expect(throws: Failure.self) { try subscribers.add(Listener(person, capacity: 3)) }
        #expect(failure?.code == "too_many_streams")
        try subscribers.add(Self.listener())
        subscribers.remove(listeners[0])
        try subscribers.add(Listener(person, capacity: 3))
        #expect(subscribers.count == Subscribers.personLimit + 1)
    }

    @Test("a token whose time is over ends its stream")
    func expired() async throws {
        let subscribers = Subscribers(capacity: 1)
        let token = AccessToken.access(
            issuer: "https://mail.example.com", subject: "user:1", jti: "1", issuedAt: 0, family: "f",
            email: "a@example.com", customerID: 1, role: "member", accounts: ["a@example.com"])
        let listener = Listener(Subscriber(identity: .person(token), accounts: ["a@example.com"]), capacity: 3)
        try subscribers.add(listener)
        let running = Task { try await subscribers.run() }
        try await listener.forEach { item in #expect(item == .end(.expired)) }
        running.cancel()
        try await running.value
        #expect(listener.hasEnded)
    }

    @Test("revocations end a person's stream, and take mailboxes from a service token's")
    func revocations() throws {
        let subscribers = Subscribers(capacity: 10)
        let token = AccessToken.access(
            issuer: "https://mail.example.com", subject: "user:1", jti: "1", issuedAt: 5000, family: "f",
            email: "a@example.com", customerID: 1, role: "member", accounts: ["a@example.com", "B@example.com"])
        func ends(_ kind: Revocation.Kind, _ value: String, notBefore: Int64 = 6000) throws -> Bool {
            let listener = Listener(Subscriber(identity: .person(token), accounts: ["a@example.com"]), capacity: 3)
            try subscribers.add(listener)
            defer { subscribers.remove(listener) }
            subscribers.revoke([Revocation(id: 1, at: .max, kind: kind, value: value, notBefore: notBefore)])
            return listener.hasEnded
        }
        #expect(try ends(.jti, "1") && ends(.family, "f") && ends(.user, "user:1") && ends(.account, "b@example.com"))
        #expect(try !ends(.jti, "2") && !ends(.family, "g") && !ends(.user, "user:1", notBefore: 5000))
        let service = Self.listener(["a@example.com", "b@example.com"])
        try subscribers.add(service)
        subscribers.revoke([Revocation(id: 1, at: .max, kind: .account, value: "a@example.com", notBefore: 1)])
        #expect(!service.hasEnded && service.farewell?.account == "b@example.com")
        subscribers.revoke([Revocation(id: 2, at: .max, kind: .jti, value: "service:1", notBefore: 1)])
        #expect(service.hasEnded)
    }

    @Test("ids are compared as numbers, and local ones come after", arguments: [("9-0", "10-0"), ("5-9", "5-10")])
    func ids(_ less: String, _ greater: String) throws {
        let (less, greater) = (try #require(EventID(less)), try #require(EventID(greater)))
        #expect(less < greater)
        #expect(greater.next(at: 1) > greater)
        #expect(greater.next(at: 99).description == "99-0")
        #expect(EventID("5") == nil && EventID("-") == nil && EventID("5-x") == nil && EventID("5-0-0") == nil)
    }
}
