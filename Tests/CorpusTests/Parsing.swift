import Foundation
import TestSupport

@testable import Credentials
@testable import HTMLSanitizer
@testable import HTTPService
@testable import IMAP
@testable import MIME
@testable import SMTP

/// Our parsers of what strangers send, and what must hold of each for any bytes. That none of them stops the process or
/// takes for ever goes without saying; libFuzzer and the replay of the corpora both watch that.
enum Parsing: String, CaseIterable {
    case imap, mime, html, tokens, forms, json, smtp

    /// What is wrong; nil when all is well.
    func fault(_ bytes: [UInt8]) async -> String? {
        switch self {
        case .imap: Self.imap(bytes)
        case .mime: Self.mime(bytes)
        case .html: Self.html(String(decoding: bytes, as: UTF8.self))
        case .tokens: await Self.token(String(decoding: bytes, as: UTF8.self))
        case .forms: Self.form(String(decoding: bytes, as: UTF8.self))
        case .json: Self.json(bytes)
        case .smtp: Self.smtp(bytes)
        }
    }

    // MARK: IMAP

    /// However the bytes are cut, the machine does the same.
    private static func imap(_ bytes: [UInt8]) -> String? {
        let whole = conversation(bytes, pieces: bytes.count)
        for size in [1, 7, 64] where size < bytes.count {
            guard conversation(bytes, pieces: size) == whole else {
                return "cut into \(size) bytes it acts differently"
            }
        }
        return nil
    }

    private static func conversation(_ bytes: [UInt8], pieces size: Int) -> [ConnectionStateMachine.Action] {
        var machine = ConnectionStateMachine(limits: IMAPLimits(lineBytes: 1 << 16, literalBytes: 1 << 16))
        var actions = Array("* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n".utf8).withUnsafeBytes { machine.receive($0) }
        actions += machine.submit(
            [
                IMAPCommand.select("INBOX").request,
                IMAPCommand.list(returning: [.specialUse], status: [.messages]).request,
                IMAPCommand.uidFetch([1], [.uid, .flags, .envelope, .bodyStructure, .body(.header)]).request,
                IMAPCommand.noop.request,
            ], ticket: 1)
        var rest = bytes[...]
        while !rest.isEmpty {
            actions += rest.prefix(max(1, size)).withUnsafeBytes { machine.receive($0) }
            rest = rest.dropFirst(max(1, size))
        }
        return actions + machine.end(.closed)
    }

    // MARK: MIME

    private static func mime(_ bytes: [UInt8]) -> String? {
        var limits = MIMEMessage.Limits()
        limits.parts = 100
        let message = try? MIMEMessage.parse(bytes, limits: limits)
        let headers = MIMEHeader.parseBlock(bytes) + (message?.headers ?? [])
        let line = Array(bytes.prefix(2000))
        let addresses = MIMEHeader.addresses(line) + (message?.from ?? []) + (message?.to ?? [])
        var values = headers.map(\.value) + addresses.flatMap { [$0.name, $0.address] } + [MIMEHeader.decode(line)]
        values += [message?.subject].compactMap { $0 }
        let parameters = MIMEParameters(raw: pairs(line))
        values += ["filename", "name", "charset"].compactMap { parameters[$0] }
        _ = (MIMEHeader.date(line), MIMEHeader.messageIDs(line))
        for encoding in ["base64", "quoted-printable", "x-uuencode", "8bit"] {
            let text = MIMEBody.text(line, transferEncoding: encoding, parameters: parameters)
            if text.utf8.contains(0) { return "a NUL in a text" }
        }
        return values.contains { $0.utf8.contains { $0 == 0x0d || $0 == 0x0a || $0 == 0 } }
            ? "a line end in a header" : nil
    }

    /// `name=value;…`, as they stand.
    private static func pairs(_ bytes: [UInt8]) -> [(name: [UInt8], value: [UInt8])] {
        bytes.split(separator: UInt8(ascii: ";")).map { pair in
            let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (Array(halves[0].drop { $0 == 0x20 }), halves.count == 2 ? Array(halves[1]) : [])
        }
    }

    // MARK: HTML

    private static func html(_ text: String) -> String? {
        for remote in [HTMLSanitizer.RemoteImages.blocked, .rewritten { "/images?url=" + String($0.utf8.count) }] {
            let sanitizer = HTMLSanitizer(remoteImages: remote) { _ in "/inline/x" }
            let result = sanitizer.sanitize(text)
            let found = Reparse(result.fragment).violations()
            if let first = found.first { return "\(first) in \(result.fragment)" }
            // Another reader finds nothing more to take away.
            let again = sanitizer.sanitize(result.html)
            if again.remoteImagesBlocked != 0 || !again.css.isEmpty {
                return "a second look finds more: \(result.html)"
            }
            if again.isSimplified { continue }
            let third = sanitizer.sanitize(again.html)
            if Reparse(third.html).text != Reparse(again.html).text { return "its text changes: \(again.html)" }
        }
        if let first = Reparse(HTMLSanitizer.plainToHTML(text)).violations().first { return "as plain text: \(first)" }
        _ = HTMLSanitizer.preview(HTMLSanitizer.htmlToText(text))
        return nil
    }

    // MARK: Tokens, forms, JSON

    /// A key of which nobody has the other half (RFC 7515 §A.3).
    private static let jwks = """
        {"keys":[{"kty":"EC","crv":"P-256","kid":"k1","alg":"ES256","use":"sig",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}
        """

    private static func token(_ text: String) async -> String? {
        guard let keys = try? KeySet(jwks: jwks, issuer: "https://mail.test") else { return "the key is refused" }
        _ = try? KeySet(jwks: text, issuer: "https://mail.test")
        _ = OpaqueToken(text, kind: .service)
        return (try? await keys.verifyAny(text)) == nil ? nil : "a token without a signature counts"
    }

    private static func form(_ text: String) -> String? {
        guard let form = try? FormFields(text) else { return nil }
        return form.all("token").first == form["token"] ? nil : "the first value is not the first of all"
    }

    private struct Anything: Decodable {
        struct Inner: Decodable { let email: String? }
        let name: String?
        let count: Int?
        let size: UInt8?
        let ratio: Double?
        let on: Bool?
        let list: [Inner]?
        let map: [String: String]?
    }

    private static func json(_ bytes: [UInt8]) -> String? {
        let isJSON = (try? JSONParser.parse(bytes)) != nil
        // What we take, everybody must take for the same.
        if isJSON, (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) == nil,
            !bytes.contains(where: { (0x30...0x39).contains($0) })
        {
            return "JSON that is none to others"
        }
        let decoded = try? StrictJSONDecoder.decode(Anything.self, from: bytes)
        return decoded != nil && !isJSON ? "a value of what is no JSON" : nil
    }

    // MARK: SMTP

    private static func smtp(_ bytes: [UInt8]) -> String? {
        var whole = SMTPReplyParser(), single = SMTPReplyParser()
        let replies = try? whole.feed(bytes)
        var collected: [SMTPReply]? = []
        for byte in bytes {
            guard let more = try? single.feed(CollectionOfOne(byte)) else {
                collected = nil
                break
            }
            collected? += more
        }
        return replies == collected ? nil : "cut into bytes it reads differently"
    }
}
