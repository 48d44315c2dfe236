import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Hostile values in every field that reaches IMAP: refused or encoded, and a tap on the wire hears the commands of a
/// harmless value and no other.
@Suite(.timeLimit(.minutes(3))) struct InjectionTests {
    /// A call with one field to fill in.
    private struct Probe: Sendable {
        let name: String
        /// What nobody could mean ill.
        let harmless: String
        /// Whether the field is part of the URL: it comes percent-encoded.
        var isInURL = true
        /// Whether a value stands in the command as a string; else only the verbs are the same for each.
        var isString = true
        /// Nothing is a harmless value too.
        var mayBeEmpty = false
        let call: @Sendable (Client, String) async throws -> Reply
    }

    private static let webmail = "/api/v1/mail/webmail"
    private static let inbox = webmail + "/messages/INBOX"
    private static let folders = webmail + "/folders"

    private static let values = [
        "a\r\nA1 DELETE Sent", "a\nA1 DELETE Sent", "a\rA1 DELETE Sent", "a\u{0}b", "{5+}", "a {5+}", "{5}\r\nhello",
        "~{3+}", "a{0+}", "\"", "a\" DELETE \"Sent", "\\", "a\\", "\\\"", "(", ") (", "a) RETURN (", "*", "%", "[", "]",
        "NIL", "&AAo-", "&AA0ACg-", "&", "&-", "&AAA-", "&jj", "&2AA-", "&AGEAYg-", "~", ".", "..", "../x", "/", "a//b",
        " a", "1:*", "1,2", "-1", "99999999999999999999", "ü", "日本", "e\u{301}", "\u{202e}x", "\u{2028}A1 NOOP",
        "\u{85}A1 NOOP", "\u{7f}", "\u{1b}[2J", String(repeating: "x", count: 90), String(repeating: "x", count: 300),
        String(repeating: "ü", count: 1500),
    ]
    /// Escapes of what is no UTF-8, or of what a URL should not hold.
    private static let escapes = [
        "%FF", "a%C3", "%C0%AF", "%C0%8A", "%ED%A0%80", "%F4%90%80%80", "%00", "%0D%0A", "%25",
    ]
    private static let thorough = ["folder of a page", "q", "path to create", "subject of a draft"]
    private static let tooLong = [String(repeating: "x", count: 5000), String(repeating: "\"", count: 100_000)]

    let alice: Mailbox
    let proxy: TappedProxy

    init() async throws {
        let platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
        proxy = try await TappedProxy(platform)
        let mail = plainMail(from: "friend@elsewhere.example", to: alice.email, subject: "harmless")
        let delivered = try await alice.deliver([["base64": .string(Data(mail.utf8).base64EncodedString())]])
        try #require(delivered[0]["accepted"] == true)
    }

    private static var pathProbes: [Probe] {
        [
            Probe(name: "folder of a page", harmless: "Nowhere") { try await $0.get("\(webmail)/messages/\($1)") },
            Probe(name: "folder of a mail", harmless: "Nowhere") { try await $0.get("\(webmail)/messages/\($1)/1") },
            Probe(name: "folder of changes", harmless: "Nowhere") {
                try await $0.get("\(webmail)/changes/\($1)?since=1")
            },
            Probe(name: "folder to subscribe to", harmless: "Nowhere") {
                try await $0.patch("\(folders)/\($1)", ["subscribed": true])
            },
            Probe(name: "folder to rename", harmless: "Nowhere") {
                try await $0.patch("\(folders)/\($1)", ["name": "Other"])
            },
            Probe(name: "folder to delete", harmless: "Nowhere") { try await $0.delete("\(folders)/\($1)") },
            Probe(name: "q", harmless: "harmless", isString: false, mayBeEmpty: true) {
                try await $0.get("\(inbox)?q=\($1)")
            },
            Probe(name: "q, a term", harmless: "harmless", isString: false) {
                try await $0.get("\(inbox)?q=subject:%22\($1)%22%20OR%20body:%22\($1)%22")
            },
            Probe(name: "uid", harmless: "1", isString: false) { try await $0.get("\(inbox)/\($1)") },
            Probe(name: "uid of a raw mail", harmless: "1", isString: false) {
                try await $0.get("\(inbox)/\($1)/raw")
            },
            Probe(name: "uid to flag", harmless: "1", isString: false) {
                try await $0.post("\(inbox)/\($1)/flags", ["flags": ["\\Seen"]])
            },
            Probe(name: "uid of a draft", harmless: "1", isString: false) {
                try await $0.delete("\(webmail)/drafts/\($1)")
            },
            Probe(name: "part", harmless: "1", isString: false) { try await $0.get("\(inbox)/1/attachments/\($1)") },
            Probe(name: "attached message", harmless: "1", isString: false) {
                try await $0.get("\(inbox)/1?part=\($1)")
            },
            Probe(name: "uid_validity", harmless: "1", isString: false) {
                try await $0.get("\(inbox)?uid_validity=\($1)")
            },
            Probe(name: "since", harmless: "1", isString: false) {
                try await $0.get("\(webmail)/changes/INBOX?since=\($1)")
            },
        ]
    }

    private static var bodyProbes: [Probe] {
        [
            probe("path to create", "Harmless") { .post(folders, ["path": $0]) },
            probe("name to create", "Harmless") { .post(folders, ["name": $0]) },
            probe("parent to create in", "Harmless") { .post(folders, ["name": "Child", "parent": $0]) },
            probe("path to rename to", "Harmless") { .patch("\(folders)/Probe", ["path": $0]) },
            probe("name to rename to", "Harmless") { .patch("\(folders)/Probe", ["name": $0]) },
            probe("target of a move", "Nowhere") { .post("\(inbox)/1/move", ["target": $0]) },
            probe("target of a copy", "Nowhere") {
                .post("\(inbox)/batch", ["uids": [1], "action": "copy", "target": $0])
            },
            probe("flag", "harmless", isString: false) { .post("\(inbox)/1/flags", ["flags": [$0]]) },
            probe("flag of many", "harmless", isString: false) {
                .post("\(inbox)/batch", ["uids": [1], "action": "flags", "flags": [$0]])
            },
            probe("uid of many", "1", isString: false) {
                .post("\(inbox)/batch", ["uids": [$0], "action": "flags", "flags": ["\\Seen"]])
            },
            probe("subject of a draft", "harmless") { .post("\(webmail)/drafts", ["subject": $0]) },
            probe("text of a draft", "harmless") { .post("\(webmail)/drafts", ["subject": "x", "plain": $0]) },
            probe("name in a draft", "harmless") {
                .post("\(webmail)/drafts", ["to": [["addr": "a@elsewhere.example", "name": $0]]])
            },
            probe("folder of an attachment", "Nowhere") {
                .post("\(webmail)/drafts", ["attachments": [["message": ["folder": $0, "uid": 1, "part": "1"]]]])
            },
            probe("part of an attachment", "9", isString: false) {
                .post("\(webmail)/drafts", ["attachments": [["message": ["folder": "INBOX", "uid": 1, "part": $0]]]])
            },
        ]
    }

    /// A call by its parts.
    private struct Call {
        let method: HTTPMethod
        let path: String
        let body: JSON

        static func post(_ path: String, _ body: JSON) -> Call { Call(method: .POST, path: path, body: body) }
        static func patch(_ path: String, _ body: JSON) -> Call { Call(method: .PATCH, path: path, body: body) }
    }

    private static func probe(
        _ name: String, _ harmless: String, isString: Bool = true, _ call: @escaping @Sendable (JSON) -> Call
    ) -> Probe {
        Probe(name: name, harmless: harmless, isInURL: false, isString: isString) { client, value in
            let filled = call(.string(value))
            return try await client.send(filled.method, filled.path, filled.body)
        }
    }

    @Test func aTapHearsTheCommandsOfAHarmlessValue() async throws {
        var wire = Overhearing(proxy: proxy, mailbox: alice)
        let standing = Set(try await paths())
        var calls = 0
        var refused = 0
        for (index, probe) in (Self.pathProbes + Self.bodyProbes).enumerated() {
            // The first time a session also learns what it asks for once.
            for _ in 0..<2 {
                try await prepare(standing)
                _ = try wire.commands()
                _ = try await probe.call(proxy.client(of: alice), probe.harmless)
            }
            if probe.mayBeEmpty { _ = try await probe.call(proxy.client(of: alice), "") }
            let usual = try wire.commands()
            try await prepare(standing)
            let values =
                probe.isInURL
                ? Self.values.map(escaped) + Self.escapes + [Self.tooLong[0]] : Self.values + Self.tooLong
            // Each value into a third of the fields, and all into some: what encodes them is the same.
            for (place, value) in values.enumerated()
            where (place + index) % 3 == 0 || Self.thorough.contains(probe.name) {
                _ = try wire.commands()
                let reply = try await probe.call(proxy.client(of: alice), value)
                let what = "\(probe.name) \(value.prefix(60).debugDescription)"
                let commands = try wire.commands()
                #expect((200..<300).contains(reply.status) || (400..<500).contains(reply.status), "\(what): \(reply)")
                #expect(reply.status < 400 || reply.isCleanProblem, "\(what): \(reply.text.prefix(300))")
                let surplus = Self.surplus(of: commands, over: usual) { probe.isString ? $0.outline : $0.verb }
                #expect(surplus == [], "\(what): \(reply.status)")
                calls += 1
                if reply.status >= 400 { refused += 1 } else if !probe.isInURL { try await prepare(standing) }
            }
        }
        let left = try await alice.imap(.password(alice.password), ["uids", "INBOX"], ["folders"])
        #expect(left[1] == [1] && left[2].strings.contains("Sent"), "\(left)")
        print("hostile values in IMAP: \(calls) calls, \(refused) refused, \(calls - refused) encoded")
        proxy.service.stop()
    }

    /// The address of the client is told to Dovecot when a session begins.
    @Test func theAddressOfTheClientStaysAString() async throws {
        var wire = Overhearing(proxy: proxy, mailbox: alice)
        for value in ["192.0.2.1", "1.2.3.4\" \"x", "{5+}", "a\\", "(", "NIL", "fe80::1%eth0"] {
            proxy.imap.hangUp()
            let reply = try await proxy.client(of: alice).get(Self.folders, headers: [("X-Forwarded-For", value)])
            #expect(reply.status == 200, "\(value): \(reply.text)")
            let logins = try wire.commands().filter { $0.verb == "ID" || $0.verb == "AUTHENTICATE" }
            #expect(logins.map(\.verb) == ["ID", "AUTHENTICATE"], "\(value)")
            #expect(logins.first?.shape == "ID ($ $)")
        }
        proxy.service.stop()
    }

    private func paths() async throws -> [String] {
        try await proxy.client(of: alice).get(Self.folders).json(200)["items"].items.compactMap { $0["path"].string }
    }

    /// The folders as they were, and one to rename.
    private func prepare(_ standing: Set<String>) async throws {
        let client = proxy.client(of: alice)
        let now = try await paths()
        for path in now.filter({ !standing.contains($0) && $0 != "Probe" }).sorted(by: >) {
            _ = try await client.delete("\(Self.folders)/\(escaped(path))?recursive=true")
        }
        if !now.contains("Probe") { _ = try await client.post(Self.folders, ["path": "Probe"]).json(201) }
    }

    /// What begins a session and opens a folder, which depends on what was done before.
    private static let preludes: Set<String> = ["ID", "AUTHENTICATE", "CAPABILITY", "SELECT", "LIST", "NOOP"]

    /// What was said beyond what is usual, each as often as it is too much.
    private static func surplus(
        of commands: [WrittenCommand], over usual: [WrittenCommand], _ trait: (WrittenCommand) -> String
    ) -> [String] {
        var rest = usual.map(trait)
        return commands.filter { !preludes.contains($0.verb) }.map(trait).filter { said in
            guard let index = rest.firstIndex(of: said) else { return true }
            rest.remove(at: index)
            return false
        }
    }
}

extension WrittenCommand {
    /// The command with neither its texts nor its numbers.
    fileprivate var outline: String { shape.replacing(/[0-9]+/, with: "9") }
}

/// Hears all that is said for a mailbox, and that the tags follow one another: a command that was put in has another.
private struct Overhearing {
    let proxy: TappedProxy
    let mailbox: Mailbox
    private var tags: [Int: Int] = [:]

    init(proxy: TappedProxy, mailbox: Mailbox) {
        self.proxy = proxy
        self.mailbox = mailbox
    }

    /// The commands since the last time.
    mutating func commands() throws -> [WrittenCommand] {
        var commands: [WrittenCommand] = []
        for speech in proxy.imap.take(of: mailbox) {
            for command in try WrittenCommand.all(in: speech.bytes) {
                let number = tags[speech.connection, default: 0] + 1
                guard command.tag == "A\(number)" else {
                    throw Surprise("\(command.tag) came where A\(number) was due: \(command.shape.prefix(200))")
                }
                tags[speech.connection] = number
                commands.append(command)
            }
        }
        return commands
    }
}
