extension ByteCursor {
    /// BODYSTRUCTURE or BODY (RFC 9051 §7.5.2). The extension fields at the end may be missing or more than known.
    mutating func bodyStructure(depth: Int) throws(MalformedResponse) -> BodyStructure {
        guard depth < limits.depth else { throw MalformedResponse() }
        try expect(UInt8(ascii: "("))
        var part =
            peek == UInt8(ascii: "(") ? try multipart(depth: depth) : try singlePart(depth: depth)
        if take(0x20) { try extensions(&part) }
        try expect(UInt8(ascii: ")"))
        return part
    }

    private mutating func multipart(depth: Int) throws(MalformedResponse) -> BodyStructure {
        var children: [BodyStructure] = []
        while peek == UInt8(ascii: "(") {
            guard children.count < limits.listItems else { throw MalformedResponse() }
            children.append(try bodyStructure(depth: depth + 1))
            // RFC 9051 has no space between parts; some servers write one.
            skipSpaces()
        }
        var part = BodyStructure(type: "multipart", subtype: try optionalString().lowercasedText)
        part.children = children
        if hasField { part.parameters = try parameters() }
        return part
    }

    private mutating func singlePart(depth: Int) throws(MalformedResponse) -> BodyStructure {
        let type = try optionalString().lowercasedText
        try space()
        var part = BodyStructure(type: type, subtype: try optionalString().lowercasedText)
        try space()
        part.parameters = try parameters()
        try space()
        part.contentID = try optionalText()
        try space()
        part.contentDescription = try optionalText()
        try space()
        part.encoding = try optionalString().lowercasedText
        try space()
        part.size = try number63()
        if type == "text" {
            if hasField { part.lines = try number64() }
        } else if type == "message", part.subtype == "rfc822" || part.subtype == "global" {
            try message(&part, depth: depth)
        }
        // MD5, which nobody uses
        if hasField { _ = try optionalString() }
        return part
    }

    private mutating func message(_ part: inout BodyStructure, depth: Int) throws(MalformedResponse) {
        try space()
        // Some servers list an attached message as if it were any part.
        guard peek == UInt8(ascii: "(") else {
            _ = try optionalString()
            return
        }
        part.message = .init(try envelope())
        try space()
        part.children = [try bodyStructure(depth: depth + 1)]
        try space()
        part.lines = try number64()
    }

    /// Disposition, language, location and what later standards add.
    private mutating func extensions(_ part: inout BodyStructure) throws(MalformedResponse) {
        if peek == UInt8(ascii: "(") {
            try expect(UInt8(ascii: "("))
            part.disposition = try optionalString().lowercasedText
            if hasField { part.dispositionParameters = try parameters() }
            try expect(UInt8(ascii: ")"))
        } else {
            _ = try optionalString()
        }
        guard hasField else { return }
        if peek == UInt8(ascii: "(") {
            try list { (cursor) throws(MalformedResponse) in
                if let language = try cursor.optionalText() { part.languages.append(language) }
            }
        } else if let language = try optionalText() {
            part.languages = [language]
        }
        guard hasField else { return }
        part.location = try optionalText()
        while hasField { try skipValue() }
    }

    /// Passes the space before another field, if there is one.
    private var hasField: Bool {
        mutating get { take(0x20) }
    }

    private mutating func parameters() throws(MalformedResponse) -> HeaderParameters {
        var parameters: [HeaderParameters.Parameter] = []
        try optionalList { (cursor) throws(MalformedResponse) in
            let name = try cursor.optionalString().lowercasedText
            try cursor.space()
            parameters.append(.init(name: name, value: try cursor.optionalText() ?? ""))
        }
        return HeaderParameters(parameters)
    }
}
