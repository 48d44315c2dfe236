import MIME
import MailModel

/// What a file of vCards holds: entries for an address book, and what could not be read. Pure.
///
/// Reads 4.0 (RFC 6350), 3.0 (RFC 2426) and 2.1 with quoted-printable values and charsets. Properties that an entry has no
/// place for are passed over.
struct VCardFile: Sendable, Equatable {
    struct Fault: Sendable, Equatable {
        /// From 1.
        let line: Int
        let code: String
        let message: String
    }

    /// Those with an address, as they stand in the file.
    private(set) var contacts: [Contact.Draft] = []
    /// The first ones.
    private(set) var faults: [Fault] = []
    private(set) var faultCount = 0
    /// How many cards began.
    private(set) var cardCount = 0

    private static let faultLimit = 1000
    private var card: Card?
    /// How deep a card stands within the card that is read.
    private var nesting = 0

    init(_ bytes: [UInt8]) {
        var lines = VCardLines(bytes)
        while let line = lines.next() { read(line) }
        if let card { fault(card.line, "unterminated", "the card that begins here has no END:VCARD") }
    }

    private mutating func fault(_ line: Int, _ code: String, _ message: String) {
        faultCount += 1
        if faults.count < Self.faultLimit { faults.append(Fault(line: line, code: code, message: message)) }
    }

    private mutating func read(_ line: VCardLines.Line) {
        guard let property = VCardProperty(line.bytes) else {
            return fault(line.number, "malformed_line", "is no property: NAME:value is expected")
        }
        switch property.name {
        case "BEGIN" where card == nil && property.isVCard:
            cardCount += 1
            card = Card(line: line.number)
        case "BEGIN" where card != nil: nesting += 1
        case "END" where nesting > 0: nesting -= 1
        case "END" where card != nil && property.isVCard: finishCard()
        default:
            guard card != nil else { return fault(line.number, "outside_card", "stands outside of a card") }
            if nesting == 0 { add(property, line: line.number) }
        }
    }

    private mutating func finishCard() {
        guard let card else { return }
        self.card = nil
        guard let draft = card.draft else {
            return fault(card.line, "no_address", "the card that begins here has no address")
        }
        contacts.append(draft)
    }

    private mutating func add(_ property: VCardProperty, line: Int) {
        switch property.name {
        case "FN": card?.formattedName = property.line()
        case "N": card?.name = property.structured
        case "ORG": card?.organisation = property.components().filter { !$0.isEmpty }.joined(separator: ", ")
        case "NOTE": card?.notes.append(property.text())
        case "TEL": addPhone(property, line: line)
        case "EMAIL": addEmail(property, line: line)
        default: break
        }
    }

    private mutating func addPhone(_ property: VCardProperty, line: Int) {
        let phone = property.line(without: "tel:")
        guard !phone.isEmpty else { return }
        guard let count = card?.phones.count, count < Contact.Limit.values else {
            return fault(line, "too_many", "at most \(Contact.Limit.values) phone numbers are kept of an entry")
        }
        card?.phones.append(phone)
    }

    private mutating func addEmail(_ property: VCardProperty, line: Int) {
        let text = property.line(without: "mailto:")
        guard !text.isEmpty else { return }
        guard let address = try? EmailAddress(text) else {
            return fault(line, "invalid_address", "must be an address like name@example.com")
        }
        guard let card, !card.emails.contains(where: { $0.address == address }) else { return }
        guard card.emails.count < Contact.Limit.values else {
            return fault(line, "too_many", "at most \(Contact.Limit.values) addresses are kept of an entry")
        }
        self.card?.emails.append((address, property.preference))
    }

    /// Equal but for the card that is read.
    static func == (left: VCardFile, right: VCardFile) -> Bool {
        left.contacts == right.contacts && left.faults == right.faults && left.cardCount == right.cardCount
    }

    /// The entries, those that share an address as one: the first with the addresses and phones of all.
    var merged: [Contact.Draft] {
        var merged: [Contact.Draft] = []
        var places: [EmailAddress: Int] = [:]
        for contact in contacts {
            if let place = contact.emails.lazy.compactMap({ places[$0] }).first {
                let room = max(0, Contact.Limit.values - merged[place].emails.count)
                let further = contact.emails.filter { places[$0] == nil }.prefix(room)
                merged[place].emails += further
                for address in further { places[address] = place }
            } else {
                for address in contact.emails { places[address] = merged.count }
                merged.append(contact)
            }
        }
        return merged
    }
}

/// One card while it is read.
private struct Card: Sendable {
    /// Where it begins.
    let line: Int
    var formattedName = ""
    var name = ""
    var organisation = ""
    var notes: [String] = []
    var phones: [String] = []
    /// The lower the preference, the earlier it comes.
    var emails: [(address: EmailAddress, preference: Int)] = []

    /// nil without an address.
    var draft: Contact.Draft? {
        guard !emails.isEmpty else { return nil }
        let inOrder = emails.enumerated()
            .sorted { ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset) }.map(\.element.address)
        let shown = formattedName.isEmpty ? name : formattedName
        return Contact.Draft(
            name: shown.contains("@") && inOrder.contains { $0.description == shown.lowercased() } ? "" : shown,
            emails: inOrder, phones: phones, organisation: ContactText.line(organisation, limit: Contact.Limit.text),
            note: ContactText.lines(notes.joined(separator: "\n"), limit: Contact.Limit.note))
    }
}

/// The logical lines of a file of vCards, unfolded (RFC 6350 §3.2).
struct VCardLines {
    struct Line: Equatable {
        /// Where it begins, from 1.
        let number: Int
        let bytes: [UInt8]
    }

    private let bytes: [UInt8]
    private var offset = 0
    private var number = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
    }

    /// The next line that is not empty.
    mutating func next() -> Line? {
        while let first = physical() {
            let start = number
            var line = Array(first)
            while offset < bytes.count, bytes[offset] == 0x20 || bytes[offset] == 0x09, let more = physical() {
                line += more.dropFirst()
            }
            // A quoted-printable value goes on after a line that ends with `=` (vCard 2.1, RFC 2045 §6.7).
            if line.last == UInt8(ascii: "="), VCardProperty.isQuotedPrintable(line) {
                while line.last == UInt8(ascii: "="), let more = physical() { line = line.dropLast() + more }
            }
            if line.contains(where: { $0 > 0x20 }) { return Line(number: start, bytes: line) }
        }
        return nil
    }

    /// The next line as it stands in the file, without its end: CRLF, LF or CR.
    private mutating func physical() -> ArraySlice<UInt8>? {
        guard offset < bytes.count else { return nil }
        number += 1
        let start = offset
        while offset < bytes.count, bytes[offset] != 0x0a, bytes[offset] != 0x0d { offset += 1 }
        let line = bytes[start..<offset]
        if offset < bytes.count {
            offset += bytes[offset] == 0x0d && offset + 1 < bytes.count && bytes[offset + 1] == 0x0a ? 2 : 1
        }
        return line
    }
}
