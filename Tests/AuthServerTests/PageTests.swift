import Credentials
import FoundationEssentials
import MailModel
import TestSupport
import Testing

@testable import AuthServer

@Suite struct PageTests {
    @Test(arguments: [
        "<script>alert(1)</script>", "\" onfocus=\"alert(1)", "' autofocus '", "&lt;", "</title><img src=x>", "a\0b",
    ]) func textNeverBecomesMarkup(hostile: String) {
        let html = HTML.element("p", ["title": hostile], .text(hostile)).markup
        #expect(html.hasPrefix("<p title=\"") && html.hasSuffix("</p>"))
        let inside = html.dropFirst("<p title=\"".count).dropLast("</p>".count)
        #expect(!inside.contains("<") && !inside.contains("'") && !inside.contains("\0"))
        #expect(inside.filter { $0 == "\"" }.count == 1 && inside.filter { $0 == ">" }.count == 1)
    }

    @Test func theLanguageIsTheOneWantedMost() {
        func language(_ locales: String?, _ accepted: String?) -> PageLanguage {
            PageLanguage(locales: locales, accepted: accepted)
        }
        #expect(language(nil, nil) == .english && language(nil, "fr, *") == .english)
        #expect(language(nil, "de-AT,en;q=0.5") == .german && language(nil, "fr, en;q=0.1, de;q=0.9") == .german)
        #expect(language("fr de", "en") == .german && language("en", "de") == .english)
        #expect(language(nil, "de;q=0, en;q=0.1") == .english)
        #expect(language(nil, String(repeating: ",;q=", count: 10_000)) == .english)
    }

    private func seal() throws -> (PageSeal, String) {
        let file = FileManager.default.temporaryDirectory.appending(path: "master-\(UInt64.random(in: 0 ... .max))")
            .path
        return (PageSeal(box: try SecretBox(file: file)), file)
    }

    private func state(expiresAt: Int64 = Timestamp.now() + 1000) -> PageState {
        PageState(
            step: .consent, language: .german, subject: "user:1", browser: OpaqueToken.hash(of: "cookie"),
            expiresAt: expiresAt)
    }

    @Test func aKeyFileOfAnotherKindIsNamed() throws {
        let (_, file) = try seal()
        defer { try? FileManager.default.removeItem(atPath: file) }
        try KeyFile.replace(path: file, with: "no key at all")
        #expect(throws: KeyFileError.notASealingKey(path: file)) { try SecretBox(file: file) }
        #expect("\(KeyFileError.notASealingKey(path: file))".contains(file))
    }

    @Test func aStateCountsInItsBrowserAndInItsTime() throws {
        let (seal, file) = try seal()
        defer { try? FileManager.default.removeItem(atPath: file) }
        let sealed = try seal.seal(state())
        #expect(seal.open(sealed, browser: "cookie")?.subject == "user:1")
        #expect(seal.open(sealed, browser: "other") == nil)
        #expect(try seal.open(seal.seal(state(expiresAt: Timestamp.now() - 1)), browser: "cookie") == nil)
        #expect(!sealed.contains("user"))
        let (other, otherFile) = try self.seal()
        defer { try? FileManager.default.removeItem(atPath: otherFile) }
        #expect(other.open(sealed, browser: "cookie") == nil, "sealed with another master key")
    }

    @Test func aChangedStateIsNone() throws {
        let (seal, file) = try seal()
        defer { try? FileManager.default.removeItem(atPath: file) }
        let sealed = Array(try seal.seal(state()).utf8)
        var random = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            var changed = sealed
            changed[Int.random(in: 0..<changed.count, using: &random)] ^= UInt8.random(in: 1...63, using: &random)
            let text = String(decoding: changed, as: UTF8.self)
            // The last character of base64 may hold bits that mean nothing.
            if Data(base64Encoded: text) == Data(base64Encoded: String(decoding: sealed, as: UTF8.self)) { continue }
            #expect(seal.open(text, browser: "cookie") == nil)
        }
        for bad in ["", "====", String(repeating: "A", count: 40_000)] {
            #expect(seal.open(bad, browser: "cookie") == nil)
        }
    }
}
