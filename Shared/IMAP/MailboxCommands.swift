extension IMAPCommand where Output == SelectedMailbox {
    /// SELECT, or EXAMINE when read-only (RFC 9051 §6.3.2–3).
    /// - Parameters:
    ///   - condstore: have mod-sequences kept and told (RFC 7162 §3.1.8).
    ///   - resync: learn also what changed since (RFC 7162 §3.2.5); QRESYNC must have been enabled.
    public static func select(
        _ mailbox: MailboxName, readOnly: Bool = false, condstore: Bool = false, resync: QuickResync? = nil
    ) -> Self {
        var claims: ResponseClaims = [.mailboxState, .statusCodes]
        if resync != nil { claims.formUnion([.uidFetch, .vanishedEarlier]) }
        let request = CommandRequest(readOnly ? "EXAMINE " : "SELECT ", claims: claims) { encoder in
            encoder.mailbox(mailbox)
            if let resync {
                encoder.words(" (QRESYNC (")
                encoder.number(resync.uidValidity)
                encoder.words(" ")
                encoder.number(resync.modSeq)
                if let known = resync.knownUIDs {
                    encoder.words(" ")
                    encoder.set(known)
                }
                encoder.words("))")
            } else if condstore {
                encoder.words(" (CONDSTORE)")
            }
        }
        return Self(request) { SelectedMailbox($0, readOnly: readOnly) }
    }
}

extension SelectedMailbox {
    init(_ responses: CommandResponses, readOnly: Bool) {
        isReadOnly = readOnly
        for response in responses.untagged {
            switch response {
            case .exists(let count): exists = count
            case .flags(let flags): self.flags = flags
            case .status(let status): note(status.code)
            case .vanished(let uids, _): uids.ranges.forEach { vanished.append($0) }
            case .fetch(let message): changed.append(message)
            default: break
            }
        }
        note(responses.status.code)
    }

    private mutating func note(_ code: ResponseCode?) {
        switch code {
        case .permanentFlags(let flags): permanentFlags = flags
        case .uidValidity(let value): uidValidity = value
        case .uidNext(let value): uidNext = value
        case .highestModSeq(let value): highestModSeq = value
        case .unseen(let number): firstUnseen = number
        case .mailboxID(let id): mailboxID = id
        case .readOnly: isReadOnly = true
        default: break
        }
    }
}

extension IMAPCommand where Output == MailboxStatus {
    /// STATUS (RFC 9051 §6.3.11), for a mailbox that is not selected.
    public static func status(_ mailbox: MailboxName, _ items: [StatusItem]) -> Self {
        let request = CommandRequest("STATUS ", claims: .mailboxStatus) { encoder in
            encoder.mailbox(mailbox)
            encoder.words(" ")
            encoder.statusItems(items)
        }
        return Self(request) { responses throws(IMAPError) in
            for case .mailboxStatus(let status) in responses.untagged where status.mailbox == mailbox { return status }
            for case .mailboxStatus(let status) in responses.untagged { return status }
            throw IMAPError.protocolViolation("STATUS answered without a STATUS response")
        }
    }
}

extension IMAPCommand where Output == [ListedMailbox] {
    /// LIST with its extensions (RFC 9051 §6.3.9).
    /// - Parameters:
    ///   - patterns: `*` stands for anything, `%` for anything within one level.
    ///   - selecting: which mailboxes to show; needs `.listExtended` when not empty.
    ///   - returning: what else to tell of them; needs `.listExtended` when not empty.
    ///   - status: have a STATUS of each along (RFC 5819); needs `.listStatus` when not empty.
    public static func list(
        reference: MailboxName = "", patterns: [String] = ["*"], selecting: [ListSelection] = [],
        returning: [ListReturn] = [], status: [StatusItem] = []
    ) -> Self {
        let request = CommandRequest("LIST ", claims: status.isEmpty ? .list : [.list, .mailboxStatus]) { encoder in
            if !selecting.isEmpty {
                encoder.list(selecting) { $0.words($1.word) }
                encoder.words(" ")
            }
            encoder.mailbox(reference)
            encoder.words(" ")
            let names = patterns.map { MailboxName($0) }
            if names.count == 1 { encoder.mailbox(names[0]) } else { encoder.list(names) { $0.mailbox($1) } }
            if !returning.isEmpty || !status.isEmpty {
                encoder.words(" RETURN (")
                encoder.separated(returning) { $0.words($1.word) }
                if !status.isEmpty {
                    encoder.words(returning.isEmpty ? "STATUS " : " STATUS ")
                    encoder.statusItems(status)
                }
                encoder.words(")")
            }
        }
        return Self(request) { [ListedMailbox]($0) }
    }

    /// LSUB: the subscribed ones, for servers without LIST-EXTENDED (RFC 3501 §6.3.9).
    public static func subscribed(reference: MailboxName = "", pattern: String = "*") -> Self {
        let request = CommandRequest("LSUB ", claims: .list) { encoder in
            encoder.mailbox(reference)
            encoder.words(" ")
            encoder.mailbox(MailboxName(pattern))
        }
        return Self(request) { [ListedMailbox]($0) }
    }
}

extension [ListedMailbox] {
    /// The listed mailboxes in the server's order, each with its STATUS.
    fileprivate init(_ responses: CommandResponses) {
        self = []
        var places: [MailboxName: Int] = [:]
        for response in responses.untagged {
            switch response {
            case .list(let mailbox), .lsub(let mailbox):
                places[mailbox.name] = count
                append(mailbox)
            case .mailboxStatus(let status):
                if let place = places[status.mailbox] { self[place].status = status }
            default: break
            }
        }
    }
}

/// Which mailboxes LIST shows (RFC 5258 §3, RFC 6154 §5.2).
public enum ListSelection: Sendable, Hashable {
    case subscribed
    case remote
    case recursiveMatch
    case specialUse

    var word: StaticString {
        switch self {
        case .subscribed: "SUBSCRIBED"
        case .remote: "REMOTE"
        case .recursiveMatch: "RECURSIVEMATCH"
        case .specialUse: "SPECIAL-USE"
        }
    }
}

/// What LIST tells beside the names.
public enum ListReturn: Sendable, Hashable {
    case subscribed
    case children
    case specialUse

    var word: StaticString {
        switch self {
        case .subscribed: "SUBSCRIBED"
        case .children: "CHILDREN"
        case .specialUse: "SPECIAL-USE"
        }
    }
}

extension IMAPCommand where Output == Void {
    /// CREATE (RFC 9051 §6.3.4), with a special use where the server can (RFC 6154 §3).
    public static func create(_ mailbox: MailboxName, specialUse: MailboxAttribute? = nil) -> Self {
        Self(
            CommandRequest("CREATE ") { encoder in
                encoder.mailbox(mailbox)
                if let specialUse {
                    encoder.words(" (USE (")
                    encoder.atom(specialUse.rawValue)
                    encoder.words("))")
                }
            })
    }

    /// DELETE (RFC 9051 §6.3.5).
    public static func delete(_ mailbox: MailboxName) -> Self { naming("DELETE ", mailbox) }

    /// RENAME (RFC 9051 §6.3.6).
    public static func rename(_ mailbox: MailboxName, to name: MailboxName) -> Self {
        Self(
            CommandRequest("RENAME ") { encoder in
                encoder.mailbox(mailbox)
                encoder.words(" ")
                encoder.mailbox(name)
            })
    }

    /// SUBSCRIBE (RFC 9051 §6.3.7).
    public static func subscribe(_ mailbox: MailboxName) -> Self { naming("SUBSCRIBE ", mailbox) }

    /// UNSUBSCRIBE (RFC 9051 §6.3.8).
    public static func unsubscribe(_ mailbox: MailboxName) -> Self { naming("UNSUBSCRIBE ", mailbox) }

    /// CLOSE: expunge and leave the mailbox (RFC 9051 §6.4.1).
    public static var close: Self { Self(CommandRequest("CLOSE")) }

    /// UNSELECT: leave the mailbox without expunging (RFC 9051 §6.4.2).
    public static var unselect: Self { Self(CommandRequest("UNSELECT")) }

    private static func naming(_ word: StaticString, _ mailbox: MailboxName) -> Self {
        Self(CommandRequest(word) { $0.mailbox(mailbox) })
    }
}

extension IMAPCommand where Output == MailboxNamespaces {
    /// NAMESPACE (RFC 9051 §6.3.10).
    public static var namespace: Self {
        Self(CommandRequest("NAMESPACE", claims: .namespace)) { responses in
            for case .namespace(let namespaces) in responses.untagged { return namespaces }
            return MailboxNamespaces()
        }
    }
}

extension IMAPCommand where Output == [MailboxQuota] {
    /// GETQUOTAROOT: the quotas that hold for a mailbox (RFC 9208 §4.1.2).
    public static func quota(of mailbox: MailboxName) -> Self {
        Self(CommandRequest("GETQUOTAROOT ", claims: .quota) { $0.mailbox(mailbox) }) { responses in
            responses.untagged.compactMap { response -> MailboxQuota? in
                if case .quota(let quota) = response { quota } else { nil }
            }
        }
    }
}

extension CommandEncoder {
    fileprivate mutating func statusItems(_ items: [StatusItem]) {
        if items.isEmpty { reject("no status items") }
        list(items) { $0.atom($1.rawValue) }
    }
}
