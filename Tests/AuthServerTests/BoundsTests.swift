import EventBus
import Testing

@testable import AuthServer
@testable import HTTPService

/// How much of something there may be, and whose it counts as.
@Suite struct BoundsTests {
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("unknown", "unknown"),
        ("2001:db8::1", "2001:db8:0:0::/64"), ("2001:db8:0:0:ffff:1:2:3", "2001:db8:0:0::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"), ("::1", "0:0:0:0::/64"),
    ]) func whatCountsAsOnePlace(address: String, network: String) {
        #expect(ClientNetwork(of: address).text == network)
    }

    @Test func noAddressIsTooLongToKeep() {
        #expect(ClientNetwork(of: String(repeating: "ü1", count: 100)).text == String(repeating: "1", count: 45))
    }

    /// Also when all that is held is asked for again and again, and so becomes young again.
    @Test func whatWasVerifiedIsHeldUpToItsCapacity() {
        let cache = VerifiedCredentials(capacity: 10)
        for round in 0..<50 {
            for earlier in 0..<round { _ = cache.lastSeen("m\(earlier)") }
            cache.noteSeen("m\(round)", at: 1)
        }
        #expect(cache.lastSeen("m49") == 1)
        #expect((0..<50).filter { cache.lastSeen("m\($0)") != nil }.count <= 10)
    }

    @Test(arguments: ["", "  ", "a\u{7}", "a\u{7f}b", "a\u{85}b", "\u{9f}", String(repeating: "x", count: 201)])
    func aNameHasNoControlCharacters(name: String) {
        #expect(throws: (any Error).self) { try DisplayName(name) }
    }

    @Test func anAccountIsOneHoweverItIsWritten() {
        func attempt(_ email: String, _ source: String = "2001:db8::1") -> LoginThrottle.Attempt {
            LoginThrottle.Attempt(email: email, source: source)
        }
        let plain = attempt("a@xn--bcher-kva.example")
        #expect(attempt("A@Bücher.example.", "2001:db8::2") == plain && attempt("a@bücher.example") == plain)
        #expect(attempt("b@bücher.example") != plain && attempt("a@bücher.example", "2001:db8:0:1::1") != plain)
        #expect(attempt("no address") == attempt("No Address"))
    }

    // MARK: While Redis is away

    @Test func aSourceThatTriesManyAccountsIsHeldBack() {
        let throttle = LocalThrottle()
        let now = ContinuousClock.now
        let waits = (0..<60).map { throttle.begin(account: "a\($0)", source: "s", now: now) }
        #expect(waits.filter { $0 == .zero }.count == AttemptDelay.source.free + 1)
        #expect(throttle.begin(account: "a", source: "another", now: now) == .zero)
    }

    @Test func aFloodDoesNotWipeOutWhoIsHeldBack() {
        let throttle = LocalThrottle(capacity: 200)
        let now = ContinuousClock.now
        for _ in 0..<6 { _ = throttle.begin(account: "victim", source: "guesser", now: now) }
        for other in 0..<1000 { _ = throttle.begin(account: "a\(other)", source: "s\(other)", now: now) }
        #expect(throttle.begin(account: "victim", source: "guesser", now: now) > .zero)
    }

    @Test func whatWasNotDecidedDoesNotCountHereEither() {
        let throttle = LocalThrottle()
        for _ in 0..<100 {
            #expect(throttle.begin(account: "a", source: "s") == .zero)
            throttle.withdraw(account: "a", source: "s")
        }
    }

    @Test func countsBeginAnewAndKeepTheLargest() {
        let counts = LocalCounts(capacity: 100)
        let now = ContinuousClock.now
        #expect((1...5).map { _ in counts.count("n", within: .seconds(60), now: now) } == [1, 2, 3, 4, 5])
        for other in 0..<500 { _ = counts.count("o\(other)", within: .seconds(60), now: now) }
        #expect(counts.count("n", within: .seconds(60), now: now) == 6)
        #expect(counts.count("n", within: .seconds(60), now: now + .seconds(61)) == 1)
    }

    // MARK: Settings, services, housekeeping

    @Test func noTokenOutlivesItsRevocation() async throws {
        for (name, value) in [
            ("MAIL_LIFETIME", "24h"), ("MAIL_LIFETIME", "500ms"), ("ACCESS_LIFETIME", "2h"),
            ("SIGNING_KEY_AGE", "5s"), ("REFRESH_LIFETIME", "91d"), ("REFRESH_RETRY_WINDOW", "2m"),
        ] {
            let required = [
                "XYNAP_MASTER_KEY_FILE": "x", "XYNAP_INTROSPECTION_CREDENTIALS": "a:b",
                "XYNAP_ISSUER": "https://m.test",
            ]
            let bare = try await SettingsReader(environment: required)
            let faulty = try await SettingsReader(environment: required.merging(["XYNAP_" + name: value]) { $1 })
            _ = (AuthSettings(bare), AuthSettings(faulty))
            #expect(faulty.faults.count == bare.faults.count + 1, "\(name) \(value)")
        }
    }

    @Test(arguments: ["https://m.test/", "m.test", "https://m.test?x", "https://m.test#x", "ftp://m.test"])
    func anIssuerIsAURLThatPathsCanBePutBehind(issuer: String) async throws {
        let required = ["XYNAP_MASTER_KEY_FILE": "x", "XYNAP_INTROSPECTION_CREDENTIALS": "a:b"]
        let bare = try await SettingsReader(environment: required)
        let faulty = try await SettingsReader(environment: required.merging(["XYNAP_ISSUER": issuer]) { $1 })
        _ = (AuthSettings(bare), AuthSettings(faulty))
        #expect(faulty.faults.count == bare.faults.count + 1, "\(faulty.faults)")
    }

    @Test func aTokenOpensNoServiceThatItIsNotFor() {
        func wanted(_ service: String?) -> MailScope { Introspector.Login(service: service, remote: nil).wanted }
        #expect(wanted("imap") == .imap && wanted("submission") == .smtp)
        #expect(wanted(nil).isEmpty && wanted("").isEmpty, "who says nothing wants to know whatever there is")
        for unknown in ["doveadm", "IMAP", "imap ", "x"] {
            #expect(!MailScope.all.isSuperset(of: wanted(unknown)), "\(unknown)")
        }
    }

    @Test func housekeepingThatFailsWaitsLongerAndLonger() {
        #expect(Housekeeping.pause(after: 0) == .seconds(3600))
        #expect(Housekeeping.pause(after: 1) == .milliseconds(250), "the database is not there yet")
        #expect(Housekeeping.pause(after: 12) == .seconds(4))
        #expect(Housekeeping.pause(after: 1000) == .seconds(300))
        #expect(Housekeeping.pause(after: .max) == .seconds(300))
    }
}
