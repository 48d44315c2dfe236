import EventBus
import MailModel
import Storage
import Testing

@testable import AuthServer

@Suite struct GrantTests {
    /// RFC 7636, appendix B.
    @Test func theChallengeIsThatOfTheRFC() {
        #expect(
            PKCE.challenge(ofVerifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
                == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    }

    @Test func verifiersHaveTheirForm() {
        for bad in [
            "", String(repeating: "a", count: 42), String(repeating: "a", count: 129),
            String(repeating: "a", count: 42) + "=", String(repeating: "ä", count: 43),
        ] { #expect(PKCE.challenge(ofVerifier: bad) == nil) }
        #expect(PKCE.isChallenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
        for bad in ["", "short", String(repeating: "a", count: 44), String(repeating: "~", count: 43)] {
            #expect(!PKCE.isChallenge(bad))
        }
    }

    @Test func scopesAreReadAsClientsSendThem() {
        #expect(MailScope(nil)?.text == "imap smtp" && MailScope("")?.text == "imap smtp")
        #expect(MailScope("smtp openid")?.text == "smtp")
        #expect(MailScope("urn:ietf:params:oauth:scope:mail")?.text == "imap smtp")
        for bad in ["openid", "IMAP", "imap,smtp", "imap admin"] { #expect(MailScope(bad) == nil) }
    }

    @Test func userCodesAreReadAsPeopleTypeThem() throws {
        let code = UserCode.new()
        #expect(code.letters.count == 8 && code.text.count == 9)
        #expect(UserCode(code.text.lowercased()) == code && UserCode(" \(code.letters) ") == code)
        for bad in ["", "AEIO-UYBB", "BCDF-GHJ", "BCDF-GHJKL", String(repeating: "-", count: 40) + code.letters] {
            #expect(UserCode(bad) == nil)
        }
    }

    @Test func aServiceTokenHasNoMoreThanItsMakerNorForLonger() throws {
        let grant = try ServiceTokenGrant(scopes: ["mail:read"], domains: nil, addresses: nil)
        func isWithin(_ creator: Caller.Platform, _ expiresAt: Int64?) -> Bool {
            do {
                try grant.require(within: creator, expiresAt: expiresAt)
                return true
            } catch { return false }
        }
        let lasting = Caller.Platform(tokenID: 1, name: "a", scopes: ["mail:read"])
        let ending = Caller.Platform(tokenID: 1, name: "a", scopes: ["mail:read"], expiresAt: 1000)
        #expect(isWithin(lasting, nil) && isWithin(lasting, 5) && isWithin(ending, 1000))
        #expect(!isWithin(ending, nil) && !isWithin(ending, 1001))
        #expect(!isWithin(Caller.Platform(tokenID: 1, name: "a", scopes: ["mail:write"]), nil))
    }

    @Test func delaysGrowAndEnd() {
        let delays = (1...20).map { AttemptDelay.pair.delay(after: $0) }
        #expect(delays.prefix(5).allSatisfy { $0 == .zero })
        #expect(delays[5...8] == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(delays.last == .seconds(900))
        #expect(AttemptDelay.account.delay(after: 1000) == .seconds(30), "nobody can lock an owner out for long")
    }

    @Test func aNameThatLooksLikeAKnownOneIsFound() {
        for name in [
            "Thunderbird", "thunderbird", "Thunderbird Mail", "Thunderblrd", "Thunderb1rd", "Thundеrbird",
            "Τhunderbird",
            "Thunder bird", "Thünderbird", "Ｔｈｕｎｄｅｒｂｉｒｄ", "𝐓hunderbird", "T.h.u.n.d.e.r.b.i.r.d", "Get Thunderbird now",
        ] { #expect(ClientName(name).passes(for: "Thunderbird"), "\(name)") }
        #expect(ClientName("Mutt").passes(for: "Mutt") && ClientName("MUTT (new)").passes(for: "Mutt"))
        #expect(ClientName("Xynap-Mail Login").passes(for: "xynap mail"))
        for name in ["K-9 Mail", "FairEmail", "Muttley", "Thunder", "邮件", "Mail", "An unnamed program", "Клиент"] {
            for known in OAuthClient.presets.map(\.name) + ["xynap mail"] {
                #expect(!ClientName(name).passes(for: known), "\(name) for \(known)")
            }
        }
    }
}
