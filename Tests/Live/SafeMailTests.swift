import Foundation
import TestSupport
import Testing

/// Hostile mails, delivered, read through the API and put into the page of a real browser beside a canary: no script
/// runs, no request leaves, nothing outside of the mail is covered or changed.
@Suite(.timeLimit(.minutes(5))) struct SafeMailTests {
    let platform: Platform
    let reader: Mailbox

    init() async throws {
        platform = try Platform()
        reader = try await platform.commonTenant().newMailbox(unique("reader"))
    }

    /// The attacks, by class: one file each in `Tests/Corpus/html`.
    private func attacks() throws -> [(name: String, html: Data)] {
        let folder = Outside.repository.appending(path: "Tests/Corpus/html")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".html") }
            .sorted().map { ($0, try Data(contentsOf: folder.appending(path: $0))) }
    }

    private func deliver(_ attacks: [(name: String, html: Data)]) async throws {
        let mails = attacks.map { attack in
            let head = """
                From: Eve <eve@outside.test>\r
                Subject: \(attack.name)\r
                Content-Type: text/html; charset=utf-8\r
                Content-Transfer-Encoding: base64\r
                \r

                """
            let body = attack.html.base64EncodedString(options: [.lineLength76Characters, .endLineWithCarriageReturn])
            return JSON.object(["base64": .string(Data((head + body).utf8).base64EncodedString())])
        }
        let results = try await reader.deliver(mails)
        try #require(results.count == attacks.count && results.allSatisfy { $0["accepted"] == true })
    }

    private func show(_ mails: [(name: String, html: String)]) async throws -> [JSON] {
        try await Outside(
            script: "mail_browser.py",
            ["mails": .array(mails.map { ["name": .string($0.name), "html": .string($0.html)] })]
        ).results()
    }

    @Test(arguments: [false, true]) func noAttackGetsOutOfItsMail(showsRemoteImages: Bool) async throws {
        let attacks = try attacks()
        try await deliver(attacks)
        var mails: [(name: String, html: String)] = []
        for (index, attack) in attacks.enumerated() {
            let path = reader.message("INBOX", index + 1) + "?remote_images=\(showsRemoteImages)"
            let message = try await reader.client.get(path).json(200)
            #expect(message["subject"].string == attack.name)
            mails.append((attack.name, message["html"].string ?? ""))
        }
        let results = try await show(mails)
        try #require(results.count == mails.count)
        for result in results {
            let name = result["name"].string ?? ""
            #expect(result["script"] == false && result["dialogs"] == 0, "\(name): a script ran")
            #expect(result["connections"] == [], "\(name): a request left")
            #expect(result["covered"] == [], "\(name): the page is covered")
            #expect(result["changed"] == [], "\(name): the page is changed")
            #expect(result["stayed"] == true, "\(name): the page was left")
            let strays = result["asked"].strings.filter { !$0.hasPrefix("/api/v1/mail/webmail/images?url=") }
            #expect(strays == [] && (showsRemoteImages || result["asked"] == []), "\(name): \(result["asked"])")
        }
        if showsRemoteImages {
            #expect(results.contains { $0["asked"] != [] }, "remote images are asked of the page's own host")
        }
    }

    /// The same mails as they were sent: were they harmless in this browser, the test above would prove nothing.
    @Test func theCanarySingsForMailsAsTheyAre() async throws {
        let names = [
            "img-onerror", "images", "css-import", "css-global", "overlay-fixed", "overlay-wide", "clobbering",
            "script",
        ]
        let mails = try attacks().filter { names.contains(String($0.name.dropLast(5))) }
            .map { ($0.name, String(decoding: $0.html, as: UTF8.self)) }
        let results = Dictionary(try await show(mails).map { ($0["name"].string ?? "", $0) }) { $1 }
        #expect(results["script.html"]?["script"] == true)
        #expect(results["img-onerror.html"]?["script"] == true)
        #expect(results["images.html"]?["connections"] != [])
        #expect(results["css-import.html"]?["connections"] != [])
        #expect(results["css-global.html"]?["changed"] != [])
        #expect(results["overlay-fixed.html"]?["covered"] != [])
        #expect(results["overlay-wide.html"]?["changed"] != [] || results["overlay-wide.html"]?["covered"] != [])
        #expect(results["clobbering.html"]?["changed"] != [])
    }
}
