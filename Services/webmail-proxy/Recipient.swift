import MIME
import MailModel

/// A person a message goes to: `"a@example.com"`, `"Name <a@example.com>"`, or as lists of messages show one,
/// `{"addr": "a@example.com", "name": "Name"}`.
struct Recipient: Decodable, Sendable, Equatable {
    /// Bytes.
    private static let maximumName = 500

    private let name: String
    private let text: String

    private enum CodingKeys: String, CodingKey { case addr, name }

    init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            // What a parser would pass over must not be passed over in silence.
            let isOneLine = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            let parsed = isOneLine ? MIMEHeader.addresses(Array(text.utf8)) : []
            self.name = parsed.count == 1 ? parsed[0].name : ""
            self.text = parsed.count == 1 ? parsed[0].address : text
        } else {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            text = try fields.decode(String.self, forKey: .addr)
            name = try fields.decodeIfPresent(String.self, forKey: .name) ?? ""
        }
    }

    /// The address checked: the local part as it was written, for it may matter to its server, the domain as A-labels.
    func address(field: String) throws(Failure) -> MIMEAddress {
        guard name.utf8.count <= Self.maximumName else {
            throw .invalid(field, code: "too_long", "must have a name of at most \(Self.maximumName) bytes")
        }
        let checked = try EmailAddress(text, field: field)
        let local = text.lastIndex(of: "@").map { String(text[..<$0]) } ?? checked.localPart
        return MIMEAddress(name: name, address: "\(local)@\(checked.domain)")
    }
}
