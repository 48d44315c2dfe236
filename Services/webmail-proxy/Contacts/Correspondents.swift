import MIME
import MailModel
import Storage

/// Adds up who a mailbox wrote to and heard from. Pure.
struct Correspondents {
    /// One mail to somebody counts as much as four from them.
    private static let wroteWeight = 1.0
    private static let heardWeight = 0.25

    /// Who writes to more at once writes to nobody in particular.
    private static let recipientLimit = 50

    /// The mailbox's own addresses, which are left out.
    let own: Set<String>
    /// Everybody once, or once for each mail, so that those known already can be told from the others.
    let addsUp: Bool
    private var people: [String: ContactStore.Correspondent] = [:]
    private var single: [ContactStore.Correspondent] = []

    init(own: Set<String>, addsUp: Bool = true) {
        self.own = own
        self.addsUp = addsUp
    }

    /// The earliest first, where they are not added up.
    var all: [ContactStore.Correspondent] {
        addsUp
            ? people.values.sorted { $0.address.description < $1.address.description }
            : single.sorted { ($0.wroteAt ?? 0) < ($1.wroteAt ?? 0) }
    }

    /// - Parameter at: Milliseconds since 1970.
    mutating func wroteTo(_ recipients: [MIMEAddress], at: Int64) {
        for recipient in recipients.prefix(Self.recipientLimit) {
            add(recipient, weight: Self.wroteWeight, at: at, isWritten: true)
        }
    }

    /// Programs and lists are not people: their mail does not count.
    mutating func heardFrom(_ sender: MIMEAddress, at: Int64, headers: [MIMEHeader] = []) {
        guard !Self.isAutomatic(headers), !Self.isNobody(sender.address) else { return }
        add(sender, weight: Self.heardWeight, at: at, isWritten: false)
    }

    private mutating func add(_ person: MIMEAddress, weight: Double, at: Int64, isWritten: Bool) {
        guard let address = try? EmailAddress(person.address), !own.contains(address.description) else { return }
        let affinity = Affinity(weight: weight, at: at)
        let name = Self.name(person)
        let new = ContactStore.Correspondent(
            address: address, name: name, affinity: affinity, wroteAt: isWritten ? at : nil)
        guard addsUp else { return single.append(new) }
        guard var known = people[address.description] else {
            people[address.description] = new
            return
        }
        known.affinity = known.affinity + affinity
        if !name.isEmpty { known.name = name }
        if isWritten { known.wroteAt = max(known.wroteAt ?? at, at) }
        people[address.description] = known
    }

    /// Empty where it says no more than the address.
    private static func name(_ person: MIMEAddress) -> String {
        let name = ContactText.line(person.name, limit: Contact.Limit.text)
        let bare = name.trimming { $0 == "'" || $0 == "\"" || $0 == " " }
        return bare.contains("@") ? "" : bare
    }

    /// What headers tell of mail that no person wrote, or wrote to many: RFC 2919, RFC 2369, RFC 3834 §5, and the
    /// `Precedence` of old.
    private static func isAutomatic(_ headers: [MIMEHeader]) -> Bool {
        headers.contains { header in
            let value = header.value.lowercased()
            return switch header.name.lowercased() {
            case "list-id", "list-unsubscribe", "list-post": true
            case "auto-submitted": !value.hasPrefix("no")
            case "precedence": ["bulk", "list", "junk"].contains { value.hasPrefix($0) }
            default: false
            }
        }
    }

    /// The headers that `heardFrom` looks at.
    static let telling = ["List-Id", "List-Unsubscribe", "List-Post", "Auto-Submitted", "Precedence"]

    private static let nobodies: Set<String> = [
        "noreply", "donotreply", "dontreply", "nepasrepondre", "mailerdaemon", "postmaster", "bounce", "bounces",
        "listserv", "majordomo", "notification", "notifications", "newsletter", "automailer",
    ]

    /// Whether an address is one that nobody reads: `no-reply@`, `bounces+ann=example.com@`, `list-owner@`.
    static func isNobody(_ address: String) -> Bool {
        let local = address.prefix { $0 != "@" }.lowercased()
        let words = local.split { $0 == "+" || $0 == "=" }
        guard let first = words.first else { return true }
        let bare = String(first.filter { $0.isLetter })
        return nobodies.contains(bare) || bare.hasPrefix("noreply") || bare.hasSuffix("noreply")
            || bare.hasPrefix("donotreply") || first.hasPrefix("owner-")
            || ["-bounces", "-bounce", "-owner", "-request"].contains { first.hasSuffix($0) }
            // Variable envelope return paths.
            || local.contains("=")
    }
}

/// Text of contacts.
enum ContactText {
    /// On one line, without controls and without white space around it; cut.
    static func line(_ text: String, limit: Int) -> String {
        if isPlainLine(text), text.utf8.count <= limit { return text }
        let words = text.unicodeScalars.split { $0.properties.isWhitespace || isControl($0) }
        let line = words.map { String(String.UnicodeScalarView($0)) }.joined(separator: " ")
        return cut(line, limit: limit)
    }

    /// Most are: what a look at the bytes can tell.
    private static func isPlainLine(_ text: String) -> Bool {
        var previous = UInt8(ascii: " ")
        for byte in text.utf8 {
            guard (0x20..<0x7f).contains(byte), byte != 0x20 || previous != 0x20 else { return false }
            previous = byte
        }
        return previous != 0x20
    }

    /// Line ends as LF, no other controls but tabs; cut.
    static func lines(_ text: String, limit: Int) -> String {
        let scalars = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").unicodeScalars
        return cut(
            String(String.UnicodeScalarView(scalars.filter { !isControl($0) || $0 == "\n" || $0 == "\t" })),
            limit: limit)
    }

    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar == "\u{2028}" || scalar == "\u{2029}"
    }

    private static func cut(_ text: String, limit: Int) -> String {
        guard text.unicodeScalars.count > limit else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
    }
}

extension String {
    fileprivate func trimming(_ isOuter: (Character) -> Bool) -> String {
        var rest = self[...]
        while let first = rest.first, isOuter(first) { rest = rest.dropFirst() }
        while let last = rest.last, isOuter(last) { rest = rest.dropLast() }
        return String(rest)
    }
}
