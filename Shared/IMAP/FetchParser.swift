extension ByteCursor {
    /// The items of a FETCH response (RFC 9051 §7.5.2). An item that is unknown or malformed inside is passed over.
    mutating func fetchedMessage(_ number: UInt32) throws(MalformedResponse) -> FetchedMessage {
        // Numbers begin at 1 (RFC 9051 §9, nz-number).
        guard number > 0 else { throw MalformedResponse() }
        var message = FetchedMessage(sequenceNumber: number)
        try list { (cursor) throws(MalformedResponse) in
            let name = try cursor.word()
            if cursor.peek == UInt8(ascii: "[") {
                return try cursor.bracketedItem(name, &message)
            }
            try cursor.space()
            let value = cursor
            do {
                if try cursor.plainItem(name, &message) { return }
            } catch {}
            cursor.restore(value)
            try cursor.skipValue()
        }
        return message
    }

    /// - Returns: false when the item is unknown.
    private mutating func plainItem(
        _ name: UnsafeBufferPointer<UInt8>, _ message: inout FetchedMessage
    ) throws(MalformedResponse) -> Bool {
        if name.equals("UID") {
            message.uid = try number()
        } else if name.equals("FLAGS") {
            message.flags = try flags()
        } else if name.equals("MODSEQ") {
            message.modSeq = try parenthesised { (cursor) throws(MalformedResponse) in try cursor.number64() }
        } else if name.equals("INTERNALDATE") {
            message.internalDate = try internalDate()
        } else if name.equals("RFC822.SIZE") {
            message.size = try number63()
        } else if name.equals("ENVELOPE") {
            message.envelope = try envelope()
        } else if name.equals("BODYSTRUCTURE") || name.equals("BODY") {
            message.structure = try bodyStructure(depth: 0)
        } else {
            return try rareItem(name, &message)
        }
        return true
    }

    private mutating func rareItem(
        _ name: UnsafeBufferPointer<UInt8>, _ message: inout FetchedMessage
    ) throws(MalformedResponse) -> Bool {
        if name.equals("PREVIEW") {
            message.preview = try optionalText()
        } else if name.equals("X-GUID") {
            message.guid = try optionalText()
        } else if name.equals("EMAILID") {
            message.emailID = try parenthesised { (cursor) throws(MalformedResponse) in try cursor.wordText() }
        } else if name.equals("THREADID") {
            guard peek == UInt8(ascii: "(") else { return try optionalString() == nil }
            message.threadID = try parenthesised { (cursor) throws(MalformedResponse) in try cursor.wordText() }
        } else if name.equals("SAVEDATE") {
            guard peek == UInt8(ascii: "\"") else { return try optionalString() == nil }
            message.saveDate = try internalDate()
        } else if name.equals("RFC822") || name.equals("RFC822.HEADER") || name.equals("RFC822.TEXT") {
            let section: MessageSection =
                name.count == 6 ? .message : name.equals("RFC822.TEXT") ? MessageSection(text: .text) : .header
            message.sections.append(
                FetchedSection(section: section, isDecoded: false, bytes: try optionalString()?.unescaped))
        } else {
            return false
        }
        return true
    }

    /// `BODY[section]<origin> value`, `BINARY[part]<origin> value`, `BINARY.SIZE[part] number`
    private mutating func bracketedItem(
        _ name: UnsafeBufferPointer<UInt8>, _ message: inout FetchedMessage
    ) throws(MalformedResponse) {
        try expect(UInt8(ascii: "["))
        let section = try messageSection()
        try expect(UInt8(ascii: "]"))
        var origin: UInt64?
        if take(UInt8(ascii: "<")) {
            origin = try number64()
            try expect(UInt8(ascii: ">"))
        }
        try space()
        if name.equals("BINARY.SIZE") {
            message.binarySizes.append(.init(part: section.part, bytes: try number63()))
        } else if name.equals("BODY") || name.equals("BINARY") {
            message.sections.append(
                FetchedSection(
                    section: section, origin: origin, isDecoded: name.equals("BINARY"),
                    bytes: try optionalString()?.unescaped))
        } else {
            try skipValue()
        }
    }

    /// `1.2.HEADER.FIELDS (From To)`
    private mutating func messageSection() throws(MalformedResponse) -> MessageSection {
        var section = MessageSection()
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(peek) {
            section.part.append(Int(try number()))
            guard section.part.count <= limits.depth else { throw MalformedResponse() }
            guard take(UInt8(ascii: ".")) else { return section }
        }
        guard peek != UInt8(ascii: "]") else { return section }
        let word = try word()
        if word.equals("HEADER") {
            section.text = .header
        } else if word.equals("TEXT") {
            section.text = .text
        } else if word.equals("MIME") {
            section.text = .mime
        } else {
            var fields: [String] = []
            try space()
            try list { (cursor) throws(MalformedResponse) in fields.append(try cursor.text()) }
            section.text = word.equals("HEADER.FIELDS.NOT") ? .headerFieldsNot(fields) : .headerFields(fields)
        }
        return section
    }

    private mutating func parenthesised<Value>(
        _ value: (inout ByteCursor) throws(MalformedResponse) -> Value
    ) throws(MalformedResponse) -> Value {
        try expect(UInt8(ascii: "("))
        let result = try value(&self)
        try expect(UInt8(ascii: ")"))
        return result
    }

    /// `"17-Jul-1996 02:44:25 -0700"`, the day possibly with a space for its first digit.
    private mutating func internalDate() throws(MalformedResponse) -> InternalDate {
        try expect(UInt8(ascii: "\""))
        skipSpaces()
        let day = Int(try number())
        try expect(UInt8(ascii: "-"))
        let name = bytes(before: UInt8(ascii: "-"))
        try expect(UInt8(ascii: "-"))
        let month = (CalendarDay.months.firstIndex { $0.utf8.elementsEqual(name) } ?? -1) + 1
        let year = Int(try number())
        try space()
        let hour = Int(try number())
        try expect(UInt8(ascii: ":"))
        let minute = Int(try number())
        try expect(UInt8(ascii: ":"))
        let second = Int(try number())
        try space()
        let isWest = take(UInt8(ascii: "-"))
        if !isWest { try expect(UInt8(ascii: "+")) }
        let zone = Int(try number())
        try expect(UInt8(ascii: "\""))
        guard let date = CalendarDay(year: year, month: month, day: day), hour < 24, minute < 60, second <= 60,
            zone < 2400
        else { throw MalformedResponse() }
        let offset = zone / 100 * 60 + zone % 100
        return InternalDate(
            day: date, hour: hour, minute: minute, second: second, offsetMinutes: isWest ? -offset : offset)
    }
}
