import HTTPService
import MailModel

extension Page<Account> {
    /// What `JSONResponses` makes of it, byte for byte: that took a third of the time of a list.
    func json() -> [UInt8] {
        var json = JSONWriter(capacity: 64 + items.count * 320)
        json.object { json in
            json.key("items")
            json.array(items) { $1.write(to: &$0) }
            json.field("page", page)
            json.field("total", total)
            json.field("per_page", perPage)
        }
        return json.bytes
    }
}

extension Account {
    /// As `encode(to:)`.
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("id", id)
            json.field("email", email)
            json.field("domain_id", domainID)
            json.field("quota_mb", quotaMB)
            json.field("used_mb", usedMB)
            json.field("messages", messages)
            json.field("status", status.rawValue)
            json.field("display_name", displayName)
            json.field("last_login", lastLogin)
            if let sendLimit { json.field("send_limit", sendLimit) }
            json.field("created_at", createdAt)
            if let deletedAt { json.field("deleted_at", deletedAt) }
            if let purgeAt { json.field("purge_at", purgeAt) }
        }
    }
}
