import Testing

@testable import AuthServer

@Suite struct OneTimeCodeTests {
    /// RFC 6238, appendix B, of whose eight digits ours are the last six.
    @Test(arguments: [
        (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
        (2_000_000_000, "279037"), (20_000_000_000, "353130"),
    ]) func theCodesAreThoseOfTheRFC(time: Int, code: String) {
        let totp = TOTP(secret: Array("12345678901234567890".utf8))
        #expect(totp.code(step: Int64(time) / 30) == code)
        #expect(totp.step(of: code, at: Int64(time)) == Int64(time) / 30)
    }

    @Test func clocksMayBeOffByOneStep() {
        let totp = TOTP(secret: Array("12345678901234567890".utf8))
        let now: Int64 = 1_234_567_890
        for (offset, counts) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            let code = totp.code(step: (now + Int64(offset)) / 30)
            #expect((totp.step(of: code, at: now) != nil) == counts, "\(offset) s")
        }
        #expect(totp.step(of: "", at: now) == nil && totp.step(of: "28708", at: now) == nil)
    }

    /// RFC 4648, section 10.
    @Test func theSecretIsShownInBase32() {
        for (text, encoded) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            #expect(TOTP(secret: Array(text.utf8)).base32 == encoded)
        }
        let uri = TOTP(secret: Array("foobar".utf8)).uri(issuer: "Mail & more", account: "a@example.com")
        #expect(uri.hasPrefix("otpauth://totp/Mail%20%26%20more:a%40example.com?secret=MZXW6YTBOI&issuer="))
    }
}
