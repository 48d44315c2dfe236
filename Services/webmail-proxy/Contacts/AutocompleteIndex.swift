import MailModel

/// The people of one mailbox, found by the beginning of any word of their name or address. Pure.
///
/// Every word is a token, eight bytes of which stand in a sorted array beside the place of the rest: what begins with some
/// letters is one run of it. All texts are in one array of bytes, so that 50,000 people take some ten megabytes.
struct AutocompleteIndex {
    struct Match: Sendable, Equatable {
        let name: String
        let email: String
        let score: Double
    }

    private struct Entry {
        /// Where its texts begin: the address, the name, and both folded, each of those ended by a zero.
        var start: UInt32 = 0
        var addressLength: UInt16 = 0
        var nameLength: UInt16 = 0
        var foldedLength: UInt16 = 0
        var isContact = false
        var affinity = -Double.infinity

        var foldedStart: Int { Int(start) + Int(addressLength) + Int(nameLength) }
        /// Of all its texts.
        var length: Int { Int(addressLength) + Int(nameLength) + Int(foldedLength) }
        var isShown: Bool { isContact || affinity > -.infinity }
    }

    private struct Token {
        let key: UInt64
        /// Where it stands in the texts.
        let offset: UInt32
        let entry: UInt32
    }

    /// Beside what mail adds to it: an address that somebody wrote down comes before a stranger who wrote once.
    private static let contactScore = 0.1
    private static let maximumTokens = 24

    private var text: [UInt8] = []
    private var entries: [Entry] = []
    private var tokens: [Token] = []
    /// By the hash of the address; of equal hashes the next free number.
    private var places: [Int: UInt32] = [:]
    /// Bytes of texts that were replaced.
    private var wasted = 0

    /// How many people are shown.
    var count: Int { entries.count { $0.isShown } }

    /// About how much memory it takes: bytes.
    var size: Int {
        text.capacity + entries.capacity * MemoryLayout<Entry>.stride + tokens.capacity * MemoryLayout<Token>.stride
            + places.capacity * 24
    }

    /// Adds people, changes those who are known, and leaves out the forgotten.
    mutating func apply(_ people: [KnownPerson]) {
        var renewed: [UInt32] = []
        var isRenamed = false
        for person in people {
            let hash = place(of: person.address)
            if let index = places[hash] {
                if !has(name: person.name, Int(index)) {
                    isRenamed = true
                    wasted += entries[Int(index)].length
                    write(person, at: Int(index))
                    renewed.append(index)
                }
                note(person, at: Int(index))
            } else if !person.isForgotten {
                let index = UInt32(entries.count)
                entries.append(Entry())
                write(person, at: Int(index))
                note(person, at: Int(index))
                places[hash] = index
                renewed.append(index)
            }
        }
        if isRenamed {
            var isOld = [Bool](repeating: false, count: entries.count)
            for index in renewed { isOld[Int(index)] = true }
            tokens.removeAll { isOld[Int($0.entry)] }
        }
        merge(renewed.flatMap { tokens(of: Int($0)) })
        if wasted > 65_536, wasted > text.count / 2 { rebuild() }
    }

    /// The best first: all whose name or address has, for each word of the query, a word that begins with it. An empty
    /// query finds everybody.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func search(_ query: String, limit: Int, now: Int64) -> [Match] {
        let terms = Self.terms(query)
        var best = Best(limit: limit)
        guard let lead = terms.map({ (term: $0, run: run(of: $0)) }).min(by: { $0.run.count < $1.run.count }) else {
            guard query.allSatisfy(\.isWhitespace) else { return [] }
            for index in entries.indices { consider(index, others: [], now: now, &best) }
            return best.entries.map { match($0.index, score: $0.score) }
        }
        let others = terms.filter { $0 != lead.term }
        for token in tokens[lead.run] {
            if lead.term.count > 8, !begins(at: Int(token.offset), with: lead.term) { continue }
            consider(Int(token.entry), others: others, now: now, &best)
        }
        return best.entries.map { match($0.index, score: $0.score) }
    }

    private static func terms(_ query: String) -> [[UInt8]] {
        FoldedText.fold(query.prefix(200)).split(separator: 0x20).prefix(8).compactMap { word in
            let term = word.drop { !FoldedText.isWord($0) }
            return term.isEmpty ? nil : Array(term.prefix(64))
        }
    }
}

// MARK: Search

extension AutocompleteIndex {
    /// The best so far.
    private struct Best {
        let limit: Int
        var entries: [(index: Int, score: Double)] = []

        init(limit: Int) {
            self.limit = limit
            entries.reserveCapacity(limit + 1)
        }

        var worst: (index: Int, score: Double)? { entries.count == limit ? entries.last : nil }
    }

    private func consider(_ index: Int, others: [[UInt8]], now: Int64, _ best: inout Best) {
        let entry = entries[index]
        guard entry.isShown else { return }
        let score = Affinity(exponent: entry.affinity).score(at: now) + (entry.isContact ? Self.contactScore : 0)
        let found = (index: index, score: score)
        if let worst = best.worst, !isBetter(found, than: worst) { return }
        // Several of its words may begin with the same letters.
        guard !best.entries.contains(where: { $0.index == index }), others.allSatisfy({ has($0, index) }) else {
            return
        }
        let position = best.entries.firstIndex { isBetter(found, than: $0) } ?? best.entries.count
        best.entries.insert(found, at: position)
        if best.entries.count > best.limit { best.entries.removeLast() }
    }

    private func isBetter(_ left: (index: Int, score: Double), than right: (index: Int, score: Double)) -> Bool {
        guard left.score == right.score else { return left.score > right.score }
        return address(left.index).lexicographicallyPrecedes(address(right.index))
    }

    /// The tokens whose first eight bytes may belong to words that begin with the term.
    private func run(of term: [UInt8]) -> Range<Int> {
        let low = Self.key(term[...])
        let free = UInt64(8 * max(0, 8 - term.count))
        let high = free == 0 ? low : low | (UInt64(1) << free - 1)
        return tokens.partition { $0.key < low }..<tokens.partition { $0.key <= high }
    }

    private func begins(at offset: Int, with term: [UInt8]) -> Bool {
        guard offset + term.count <= text.count else { return false }
        for index in term.indices where text[offset + index] != term[index] { return false }
        return true
    }

    /// Whether a word of an entry begins with the term.
    private func has(_ term: [UInt8], _ index: Int) -> Bool {
        let start = entries[index].foldedStart, end = start + Int(entries[index].foldedLength)
        return (start..<end).contains { isWordStart($0, from: start) && begins(at: $0, with: term) }
    }

    private func match(_ index: Int, score: Double) -> Match {
        let entry = entries[index]
        let start = Int(entry.start) + Int(entry.addressLength)
        return Match(
            name: String(decoding: text[start..<start + Int(entry.nameLength)], as: UTF8.self),
            email: String(decoding: address(index), as: UTF8.self), score: score)
    }
}

// MARK: Entries

extension AutocompleteIndex {
    private func address(_ index: Int) -> ArraySlice<UInt8> {
        let start = Int(entries[index].start)
        return text[start..<start + Int(entries[index].addressLength)]
    }

    /// Where the address stands, or may stand, in `places`.
    private func place(of address: String) -> Int {
        var hash = address.hashValue
        while let index = places[hash], !self.address(Int(index)).elementsEqual(address.utf8) { hash &+= 1 }
        return hash
    }

    private func has(name: String, _ index: Int) -> Bool {
        let entry = entries[index]
        let start = Int(entry.start) + Int(entry.addressLength)
        return text[start..<start + Int(entry.nameLength)].elementsEqual(name.utf8)
    }

    private mutating func note(_ person: KnownPerson, at index: Int) {
        entries[index].isContact = person.isContact
        entries[index].affinity = person.affinity?.exponent ?? -.infinity
    }

    private mutating func write(_ person: KnownPerson, at index: Int) {
        let start = text.count
        text += person.address.utf8
        let name = text.count
        text += person.name.utf8
        let folded = text.count
        if !person.name.isEmpty {
            text += FoldedText.fold(person.name)
            text.append(0)
            if let other = FoldedText.foldWithDigraphs(person.name) {
                text += other
                text.append(0)
            }
        }
        text += FoldedText.fold(person.address)
        text.append(0)
        entries[index].start = UInt32(start)
        entries[index].addressLength = UInt16(clamping: name - start)
        entries[index].nameLength = UInt16(clamping: folded - name)
        entries[index].foldedLength = UInt16(clamping: text.count - folded)
    }

    private mutating func rebuild() {
        let people = entries.indices.filter { entries[$0].isShown }.map { index in
            let match = match(index, score: 0)
            let exponent = entries[index].affinity
            return KnownPerson(
                address: match.email, name: match.name,
                affinity: exponent > -.infinity ? Affinity(exponent: exponent) : nil,
                isContact: entries[index].isContact)
        }
        self = AutocompleteIndex()
        apply(people)
    }
}

// MARK: Tokens

extension AutocompleteIndex {
    private func isWordStart(_ offset: Int, from start: Int) -> Bool {
        FoldedText.isWord(text[offset]) && (offset == start || !FoldedText.isWord(text[offset - 1]))
    }

    private func tokens(of index: Int) -> [Token] {
        let start = entries[index].foldedStart, end = start + Int(entries[index].foldedLength)
        let words = (start..<end).lazy.filter { isWordStart($0, from: start) && !isTopLevel($0) }
        return words.prefix(Self.maximumTokens).map { offset in
            Token(key: Self.key(text[offset..<end]), offset: UInt32(offset), entry: UInt32(index))
        }
    }

    /// Whether the word is the last of a domain, such as `com`, which would find everybody.
    private func isTopLevel(_ offset: Int) -> Bool {
        guard offset > 0, text[offset - 1] == UInt8(ascii: ".") else { return false }
        return text[offset...].first { !FoldedText.isWord($0) && $0 != UInt8(ascii: "-") } == 0
    }

    /// The first eight bytes of a text, up to a zero, as a number that sorts like them.
    private static func key(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var key: UInt64 = 0
        var count: UInt64 = 0
        for byte in bytes.prefix(8) {
            if byte == 0 { break }
            key = key << 8 | UInt64(byte)
            count += 1
        }
        return count == 0 ? 0 : key << (64 - 8 * count)
    }

    /// Puts tokens where they belong.
    private mutating func merge(_ new: [Token]) {
        guard !new.isEmpty else { return }
        let new = new.sorted { $0.key < $1.key }
        var merged: [Token] = []
        merged.reserveCapacity(tokens.count + new.count)
        var rest = tokens[...]
        for token in new {
            let count = rest.partition { $0.key <= token.key } - rest.startIndex
            merged += rest.prefix(count)
            rest = rest.dropFirst(count)
            merged.append(token)
        }
        merged += rest
        tokens = merged
    }
}

extension RandomAccessCollection where Index == Int {
    /// The index of the first element of which the condition no longer holds, of a collection that is sorted by it.
    fileprivate func partition(_ holds: (Element) -> Bool) -> Int {
        var low = startIndex, high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if holds(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
