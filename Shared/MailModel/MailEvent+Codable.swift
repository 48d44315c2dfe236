extension MailEvent: Codable {
    private enum Keys: String, CodingKey { case type, id, account, at, data }
    private enum DataKeys: String, CodingKey { case folder, message, unseen, exists, uid, flags }

    public func encode(to encoder: any Encoder) throws {
        var envelope = encoder.container(keyedBy: Keys.self)
        try envelope.encode(type, forKey: .type)
        try envelope.encode(id, forKey: .id)
        try envelope.encode(account, forKey: .account)
        try envelope.encode(Timestamp.rfc3339(milliseconds: at), forKey: .at)
        var data = envelope.nestedContainer(keyedBy: DataKeys.self, forKey: .data)
        switch kind {
        case .newMessage(let folder, let message):
            try data.encode(folder, forKey: .folder)
            try data.encode(message, forKey: .message)
        case .folderUpdate(let folder, let unseen, let exists):
            try data.encode(folder, forKey: .folder)
            try data.encode(unseen, forKey: .unseen)
            try data.encode(exists, forKey: .exists)
        case .flagsChanged(let folder, let uid, let flags):
            try data.encode(folder, forKey: .folder)
            try data.encode(uid, forKey: .uid)
            try data.encode(flags, forKey: .flags)
        case .messageGone(let folder, let uid):
            try data.encode(folder, forKey: .folder)
            try data.encode(uid, forKey: .uid)
        case .resync, .sessionRevoked: break
        }
    }

    public init(from decoder: any Decoder) throws {
        let envelope = try decoder.container(keyedBy: Keys.self)
        let data = try envelope.nestedContainer(keyedBy: DataKeys.self, forKey: .data)
        let type = try envelope.decode(String.self, forKey: .type)
        let kind: Kind
        switch type {
        case "mail.new_message":
            kind = .newMessage(
                folder: try data.decode(String.self, forKey: .folder),
                message: try data.decode(MessageSummary.self, forKey: .message))
        case "mail.folder_update":
            kind = .folderUpdate(
                folder: try data.decode(String.self, forKey: .folder),
                unseen: try data.decode(Int.self, forKey: .unseen), exists: try data.decode(Int.self, forKey: .exists))
        case "mail.flags_changed":
            kind = .flagsChanged(
                folder: try data.decode(String.self, forKey: .folder), uid: try data.decode(UInt32.self, forKey: .uid),
                flags: try data.decode([String].self, forKey: .flags))
        case "mail.message_gone":
            kind = .messageGone(
                folder: try data.decode(String.self, forKey: .folder), uid: try data.decode(UInt32.self, forKey: .uid))
        case "mail.resync": kind = .resync
        case "session.revoked": kind = .sessionRevoked
        default:
            throw DecodingError.dataCorruptedError(
                forKey: .type, in: envelope, debugDescription: "unknown event type \(type)")
        }
        guard let at = Timestamp.milliseconds(rfc3339: try envelope.decode(String.self, forKey: .at)) else {
            throw DecodingError.dataCorruptedError(
                forKey: .at, in: envelope, debugDescription: "not an RFC 3339 time in UTC")
        }
        self.init(
            id: try envelope.decode(String.self, forKey: .id),
            account: try envelope.decode(String.self, forKey: .account), at: at, kind: kind)
    }
}
