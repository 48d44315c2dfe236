import MailModel
import Storage

/// A mailbox as it is asked for.
struct NewAccount: Decodable {
    let local_part: String
    let password: String
    var quota_mb: Int?
    var display_name: String?
    var send_limit: Int?

    func draft(passwordHash: String) throws -> AccountStore.Draft {
        AccountStore.Draft(
            localPart: local_part, passwordHash: passwordHash, quotaMB: try AccountRule.quota(quota_mb) ?? 1024,
            displayName: try AccountRule.displayName(display_name) ?? "",
            sendLimit: try AccountRule.sendLimit(send_limit))
    }
}

/// What of a mailbox is to change; `"send_limit": null` gives it the platform's own limit.
struct AccountChange: Decodable {
    private let quota_mb: Int?
    private let display_name: String?
    private let send_limit: Int??
    private let local_part: String?

    private enum CodingKeys: String, CodingKey { case quota_mb, display_name, send_limit, local_part }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        quota_mb = try fields.decodeIfPresent(Int.self, forKey: .quota_mb)
        display_name = try fields.decodeIfPresent(String.self, forKey: .display_name)
        let limit = try fields.decodeIfPresent(Int.self, forKey: .send_limit)
        send_limit = fields.contains(.send_limit) ? .some(limit) : nil
        local_part = try fields.decodeIfPresent(String.self, forKey: .local_part)
    }

    func checked() throws -> AccountStore.Change {
        AccountStore.Change(
            quotaMB: try AccountRule.quota(quota_mb), displayName: try AccountRule.displayName(display_name),
            sendLimit: try send_limit.map { try AccountRule.sendLimit($0) }, localPart: local_part)
    }
}

/// What a mailbox may be.
enum AccountRule {
    static func quota(_ megabytes: Int?) throws -> Int? {
        try bounded(megabytes, 1...1_048_576, field: "quota_mb")
    }

    static func sendLimit(_ recipients: Int?) throws -> Int? {
        try bounded(recipients, 0...1_000_000, field: "send_limit")
    }

    static func displayName(_ name: String?) throws -> String? {
        guard let name else { return nil }
        guard name.unicodeScalars.count <= 200,
            !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f })
        else {
            throw Failure.invalid("display_name", code: "invalid_name", "must be at most 200 characters, on one line")
        }
        return name
    }

    private static func bounded(_ value: Int?, _ range: ClosedRange<Int>, field: String) throws -> Int? {
        guard let value else { return nil }
        guard range.contains(value) else {
            throw Failure.invalid(
                field, code: "out_of_range", "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
