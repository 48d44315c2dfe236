extension ByteCursor {
    mutating func mailboxName() throws(MalformedResponse) -> MailboxName {
        MailboxName(wire: try text())
    }

    /// NIL or one character in quotes.
    private mutating func delimiter() throws(MalformedResponse) -> Character? {
        try optionalText()?.first
    }

    /// LIST and LSUB (RFC 9051 §7.3.1).
    mutating func listedMailbox() throws(MalformedResponse) -> ListedMailbox {
        var attributes: [MailboxAttribute] = []
        try list { (cursor) throws(MalformedResponse) in
            attributes.append(MailboxAttribute(rawValue: try cursor.wordText()))
        }
        try space()
        let delimiter = try delimiter()
        try space()
        var mailbox = ListedMailbox(name: try mailboxName(), delimiter: delimiter, attributes: attributes)
        guard take(0x20), peek == UInt8(ascii: "(") else { return mailbox }
        try list { (cursor) throws(MalformedResponse) in
            let name = try cursor.optionalString().lowercasedText
            try cursor.space()
            guard name == "oldname" else { return try cursor.skipValue() }
            try cursor.list { (cursor) throws(MalformedResponse) in mailbox.oldName = try cursor.mailboxName() }
        }
        return mailbox
    }

    /// STATUS (RFC 9051 §7.3.2).
    mutating func mailboxStatus() throws(MalformedResponse) -> MailboxStatus {
        var status = MailboxStatus(mailbox: try mailboxName())
        try space()
        try list { (cursor) throws(MalformedResponse) in
            let name = try cursor.word()
            try cursor.space()
            if name.equals("MESSAGES") {
                status.messages = try cursor.number()
            } else if name.equals("UNSEEN") {
                status.unseen = try cursor.number()
            } else if name.equals("UIDNEXT") {
                status.uidNext = try cursor.number()
            } else if name.equals("UIDVALIDITY") {
                status.uidValidity = try cursor.number()
            } else if name.equals("HIGHESTMODSEQ") {
                status.highestModSeq = try cursor.number64()
            } else if name.equals("SIZE") {
                status.size = try cursor.number63()
            } else if name.equals("RECENT") {
                status.recent = try cursor.number()
            } else if name.equals("DELETED") {
                status.deleted = try cursor.number()
            } else if name.equals("MAILBOXID"), cursor.take(UInt8(ascii: "(")) {
                status.mailboxID = try cursor.wordText()
                try cursor.expect(UInt8(ascii: ")"))
            } else {
                try cursor.skipValue()
            }
        }
        return status
    }

    /// NAMESPACE (RFC 9051 §7.3.5).
    mutating func namespaces() throws(MalformedResponse) -> MailboxNamespaces {
        var namespaces = MailboxNamespaces()
        namespaces.personal = try namespaceList()
        try space()
        namespaces.otherUsers = try namespaceList()
        try space()
        namespaces.shared = try namespaceList()
        return namespaces
    }

    private mutating func namespaceList() throws(MalformedResponse) -> [MailboxNamespaces.Namespace] {
        var namespaces: [MailboxNamespaces.Namespace] = []
        try optionalList { (cursor) throws(MalformedResponse) in
            try cursor.expect(UInt8(ascii: "("))
            let prefix = try cursor.mailboxName()
            try cursor.space()
            namespaces.append(.init(prefix: prefix, delimiter: try cursor.delimiter()))
            while cursor.take(0x20) { try cursor.skipValue() }
            try cursor.expect(UInt8(ascii: ")"))
        }
        return namespaces
    }

    /// QUOTA (RFC 9208 §5.1).
    mutating func quota() throws(MalformedResponse) -> MailboxQuota {
        var quota = MailboxQuota(root: try text())
        try space()
        try list { (cursor) throws(MalformedResponse) in
            let name = try cursor.wordText()
            try cursor.space()
            let usage = try cursor.number64()
            try cursor.space()
            quota.resources.append(.init(name: name.uppercased(), usage: usage, limit: try cursor.number64()))
        }
        return quota
    }

    /// QUOTAROOT (RFC 9208 §5.2).
    mutating func quotaRoot() throws(MalformedResponse) -> UntaggedResponse {
        let mailbox = try mailboxName()
        var roots: [String] = []
        while take(0x20), peek != 0x0D, roots.count < limits.listItems { roots.append(try text()) }
        return .quotaRoot(mailbox, roots: roots)
    }
}
