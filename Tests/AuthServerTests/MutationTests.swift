import HTTPService
import TestSupport
import Testing

@testable import AuthServer

/// What OAuth clients and browsers send, mutilated: read as something that is allowed, or refused. The same in every run.
@Suite struct MutationTests {
    @Test func parametersAreGivenOnceAndPlainly() {
        var random = SeededGenerator(seed: 21)
        let seed = Array("grant_type=refresh_token&client_id=mutt&refresh_token=xr_abc&scope=imap+smtp&state=%00".utf8)
        for _ in 0..<10_000 {
            let text = String(decoding: random.mutation(of: seed), as: UTF8.self)
            guard let fields = try? FormFields(text) else { continue }
            let parameters = OAuthParameters(fields)
            for name in ["grant_type", "client_id", "refresh_token", "scope", "state"] {
                do {
                    guard let value = try parameters[name] else { continue }
                    #expect(!value.isEmpty && value.utf8.count <= 8192 && fields.all(name) == [value])
                    #expect(!value.utf8.contains { $0 < 0x20 || $0 == 0x7f })
                } catch { #expect(error.code == "invalid_request") }
            }
        }
    }

    @Test func smallWordsAreReadStrictly() {
        var random = SeededGenerator(seed: 22)
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        for _ in 0..<10_000 {
            let scope = String(decoding: random.mutation(of: Array("imap smtp openid".utf8)), as: UTF8.self)
            if let read = MailScope(scope) { #expect(["imap", "smtp", "imap smtp"].contains(read.text)) }
            let verifier = String(decoding: random.mutation(of: Array(challenge.utf8)), as: UTF8.self)
            if PKCE.challenge(ofVerifier: verifier) != nil {
                #expect((43...128).contains(verifier.utf8.count) && verifier.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f })
            }
            if PKCE.isChallenge(verifier) { #expect(verifier.utf8.count == 43) }
            let code = String(decoding: random.mutation(of: Array("BCDF-GHJK".utf8)), as: UTF8.self)
            if let read = UserCode(code) { #expect(read.letters.utf8.count == 8 && UserCode(read.text) == read) }
        }
    }

    @Test func anyHeaderNamesALanguage() {
        var random = SeededGenerator(seed: 23)
        let seed = Array("de-AT,de;q=0.9, en-US;q=0.8,en;q=0.7,*;q=0.1".utf8)
        for _ in 0..<5000 {
            let text = String(decoding: random.mutation(of: seed), as: UTF8.self)
            #expect(PageLanguage.allCases.contains(PageLanguage(locales: text, accepted: text)))
        }
        for bad in ["q=nan", "de;q=inf,en;q=-1", ";;;,,,", "de;q=1e999", String(repeating: "de;", count: 5000)] {
            #expect(PageLanguage.allCases.contains(PageLanguage(locales: nil, accepted: bad)))
        }
    }

    @Test func theBrowsersCookieIsOneOfOurs() {
        let secret = String(repeating: "A", count: 22)
        func find(_ cookies: String) -> String? { PageState.browser(cookies: cookies, name: "__Host-xynap-page") }
        #expect(
            find("a=b; __Host-xynap-page=\(secret); c=d") == secret && find("__Host-xynap-page=\(secret)") == secret)
        for bad in [
            "", "__Host-xynap-page", "__Host-xynap-page=", "__Host-xynap-page=\(secret)A",
            "x__Host-xynap-page=\(secret)",
            "__host-xynap-page=\(secret)", "__Host-xynap-page =\(secret)", "a=__Host-xynap-page=\(secret)",
            "__Host-xynap-page=\(secret.dropLast())\u{0}", "__Host-xynap-page=\(String(repeating: "é", count: 11))",
        ] { #expect(find(bad) == nil, "\(bad)") }
        var random = SeededGenerator(seed: 24)
        let seed = Array("a=b; __Host-xynap-page=\(secret); c=d".utf8)
        for _ in 0..<5000 {
            let found = find(String(decoding: random.mutation(of: seed), as: UTF8.self))
            #expect(found == nil || found?.utf8.count == 22)
        }
    }
}
