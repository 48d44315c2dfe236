extension IMAPCommand where Output == SearchResult {
    /// UID SEARCH (RFC 9051 §6.4.4).
    /// - Parameter returning: what to tell; empty: all matches, in the form every server knows. Otherwise `.esearch` is
    ///   needed, for `.partial` also `.searchContext`.
    public static func uidSearch(_ key: SearchKey, returning: [SearchReturn] = []) -> Self {
        let request = CommandRequest("UID SEARCH", claims: .search) { encoder in
            encoder.searchReturn(returning)
            if !key.isASCII { encoder.words(" CHARSET UTF-8") }
            encoder.words(" ")
            key.encode(into: &encoder)
        }
        return Self(request) { SearchResult($0) }
    }

    /// UID SORT (RFC 5256 §3); needs `.sort`. `matches` are in sorted order.
    /// - Parameter returning: as for `uidSearch`; otherwise needs `.esort`, for `.partial` `.sortContext` or
    ///   `.searchContext`.
    public static func uidSort(by order: [SortKey], _ key: SearchKey, returning: [SearchReturn] = []) -> Self {
        let request = CommandRequest("UID SORT", claims: .search) { encoder in
            encoder.searchReturn(returning)
            encoder.words(" ")
            if order.isEmpty { encoder.reject("no sort keys") }
            encoder.list(order) { $1.encode(into: &$0) }
            encoder.words(" UTF-8 ")
            key.encode(into: &encoder)
        }
        return Self(request) { SearchResult($0) }
    }
}

extension SearchResult {
    init(_ responses: CommandResponses) {
        self.init()
        for response in responses.untagged {
            switch response {
            case .extendedSearch(let search): self = search.result
            case .search(let numbers, let modSeq), .sort(let numbers, let modSeq):
                numbers.ranges.forEach { matches.append($0) }
                self.modSeq = modSeq
            default: break
            }
        }
    }
}

/// What SEARCH or SORT returns (RFC 9051 §6.4.4, RFC 5267 §4.4).
public enum SearchReturn: Sendable, Hashable {
    case min
    case max
    case count
    case all
    /// A page of the matches by place, from 1: `1...50`.
    case partial(ClosedRange<UInt32>)
    /// Keep the result as `$` (RFC 5182).
    case save
}

/// What SORT sorts by (RFC 5256 §3).
public indirect enum SortKey: Sendable, Hashable {
    case arrival
    case cc
    case date
    case from
    case size
    case subject
    case to
    case displayFrom
    case displayTo
    case descending(SortKey)

    func encode(into encoder: inout CommandEncoder) {
        switch self {
        case .arrival: encoder.words("ARRIVAL")
        case .cc: encoder.words("CC")
        case .date: encoder.words("DATE")
        case .from: encoder.words("FROM")
        case .size: encoder.words("SIZE")
        case .subject: encoder.words("SUBJECT")
        case .to: encoder.words("TO")
        case .displayFrom: encoder.words("DISPLAYFROM")
        case .displayTo: encoder.words("DISPLAYTO")
        case .descending(.descending(let key)): key.encode(into: &encoder)
        case .descending(let key):
            encoder.words("REVERSE ")
            key.encode(into: &encoder)
        }
    }
}

/// What to search for (RFC 9051 §6.4.4).
public indirect enum SearchKey: Sendable, Hashable {
    case all
    case flag(MessageFlag)
    case noFlag(MessageFlag)
    case from(String)
    case to(String)
    case cc(String)
    case bcc(String)
    case subject(String)
    case body(String)
    /// Headers and body.
    case text(String)
    /// A header that holds a text; an empty text: that exists.
    case header(String, String)
    /// By the time it came into the mailbox.
    case before(CalendarDay)
    case on(CalendarDay)
    case since(CalendarDay)
    /// By its Date header.
    case sentBefore(CalendarDay)
    case sentOn(CalendarDay)
    case sentSince(CalendarDay)
    /// Came within so many seconds (RFC 5032).
    case younger(seconds: UInt32)
    case older(seconds: UInt32)
    /// Bytes.
    case larger(UInt64)
    case smaller(UInt64)
    case uid(SequenceSet)
    case sequence(SequenceSet)
    /// Changed at or after this mod-sequence (RFC 7162 §3.1.5).
    case modSeq(UInt64)
    /// The saved result (RFC 5182).
    case saved
    case not(SearchKey)
    case or(SearchKey, SearchKey)
    /// All of these; none: everything.
    case and([SearchKey])

    var isASCII: Bool {
        switch self {
        case .from(let text), .to(let text), .cc(let text), .bcc(let text), .subject(let text), .body(let text),
            .text(let text), .header(_, let text):
            text.utf8.allSatisfy { $0 < 0x80 }
        case .not(let key): key.isASCII
        case .or(let one, let other): one.isASCII && other.isASCII
        case .and(let keys): keys.allSatisfy(\.isASCII)
        default: true
        }
    }
}

extension SearchKey {
    func encode(into encoder: inout CommandEncoder) {
        switch self {
        case .all: encoder.words("ALL")
        case .saved: encoder.words("$")
        case .flag(let flag): Self.encode(flag, isSet: true, into: &encoder)
        case .noFlag(let flag): Self.encode(flag, isSet: false, into: &encoder)
        case .from(let text): encoder.search("FROM ", text)
        case .to(let text): encoder.search("TO ", text)
        case .cc(let text): encoder.search("CC ", text)
        case .bcc(let text): encoder.search("BCC ", text)
        case .subject(let text): encoder.search("SUBJECT ", text)
        case .body(let text): encoder.search("BODY ", text)
        case .text(let text): encoder.search("TEXT ", text)
        case .header(let name, let text):
            encoder.search("HEADER ", name)
            encoder.search(" ", text)
        case .uid(let set):
            encoder.words("UID ")
            encoder.set(set)
        case .sequence(let set): encoder.set(set)
        case .not(let key):
            encoder.words("NOT ")
            key.encode(into: &encoder)
        case .or(let one, let other):
            encoder.words("OR ")
            one.encode(into: &encoder)
            encoder.words(" ")
            other.encode(into: &encoder)
        case .and(let keys):
            if keys.isEmpty { encoder.words("ALL") } else { encoder.list(keys) { $1.encode(into: &$0) } }
        case .before, .on, .since, .sentBefore, .sentOn, .sentSince: encodeDay(into: &encoder)
        case .younger, .older, .larger, .smaller, .modSeq: encodeNumber(into: &encoder)
        }
    }

    private func encodeDay(into encoder: inout CommandEncoder) {
        switch self {
        case .before(let day): encoder.search("BEFORE ", day.description)
        case .on(let day): encoder.search("ON ", day.description)
        case .since(let day): encoder.search("SINCE ", day.description)
        case .sentBefore(let day): encoder.search("SENTBEFORE ", day.description)
        case .sentOn(let day): encoder.search("SENTON ", day.description)
        case .sentSince(let day): encoder.search("SENTSINCE ", day.description)
        default: break
        }
    }

    private func encodeNumber(into encoder: inout CommandEncoder) {
        switch self {
        case .younger(let seconds): encoder.search("YOUNGER ", UInt64(seconds))
        case .older(let seconds): encoder.search("OLDER ", UInt64(seconds))
        case .larger(let bytes): encoder.search("LARGER ", bytes)
        case .smaller(let bytes): encoder.search("SMALLER ", bytes)
        case .modSeq(let value): encoder.search("MODSEQ ", value)
        default: break
        }
    }

    private static func encode(_ flag: MessageFlag, isSet: Bool, into encoder: inout CommandEncoder) {
        switch flag {
        case .answered: encoder.words(isSet ? "ANSWERED" : "UNANSWERED")
        case .deleted: encoder.words(isSet ? "DELETED" : "UNDELETED")
        case .draft: encoder.words(isSet ? "DRAFT" : "UNDRAFT")
        case .flagged: encoder.words(isSet ? "FLAGGED" : "UNFLAGGED")
        case .seen: encoder.words(isSet ? "SEEN" : "UNSEEN")
        case .recent: encoder.words(isSet ? "RECENT" : "OLD")
        default:
            if flag.isSystem { encoder.reject("a system flag that cannot be searched for") }
            encoder.words(isSet ? "KEYWORD " : "UNKEYWORD ")
            encoder.atom(flag.rawValue)
        }
    }
}

extension CommandEncoder {
    fileprivate mutating func search(_ word: StaticString, _ text: String) {
        words(word)
        string(text)
    }

    fileprivate mutating func search(_ word: StaticString, _ value: UInt64) {
        words(word)
        number(value)
    }

    fileprivate mutating func searchReturn(_ options: [SearchReturn]) {
        guard !options.isEmpty else { return }
        words(" RETURN ")
        list(options) { encoder, option in
            switch option {
            case .min: encoder.words("MIN")
            case .max: encoder.words("MAX")
            case .count: encoder.words("COUNT")
            case .all: encoder.words("ALL")
            case .save: encoder.words("SAVE")
            case .partial(let range):
                encoder.words("PARTIAL ")
                encoder.number(range.lowerBound)
                encoder.words(":")
                encoder.number(range.upperBound)
            }
        }
    }
}
