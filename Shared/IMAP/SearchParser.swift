extension ByteCursor {
    /// The numbers of SEARCH or SORT, with the mod-sequence of RFC 7162 §3.1.5 behind them.
    mutating func searchNumbers(
        _ make: (SequenceSet, UInt64?) -> UntaggedResponse
    ) throws(MalformedResponse) -> UntaggedResponse {
        var numbers = SequenceSet()
        var modSeq: UInt64?
        while take(0x20) {
            switch peek {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                numbers.append(try number())
            case UInt8(ascii: "("):
                try list { (cursor) throws(MalformedResponse) in
                    guard try cursor.word().equals("MODSEQ") else { throw MalformedResponse() }
                    try cursor.space()
                    modSeq = try cursor.number64()
                }
            default: break
            }
        }
        guard peek == 0x0D || peek == 0x0A else { throw MalformedResponse() }
        return make(numbers, modSeq)
    }

    /// ESEARCH (RFC 9051 §7.3.4; PARTIAL of RFC 5267 §4.4).
    mutating func extendedSearch() throws(MalformedResponse) -> ExtendedSearchResponse {
        var response = ExtendedSearchResponse()
        if peek == UInt8(ascii: "(") {
            try list { (cursor) throws(MalformedResponse) in
                let isTag = try cursor.word().equals("TAG")
                try cursor.space()
                let value = try cursor.text()
                if isTag { response.tag = value }
            }
            skipSpaces()
        }
        while peek > 0x20 {
            let name = try word()
            if name.equals("UID") {
                response.isUID = true
            } else {
                try space()
                try searchItem(name, &response.result)
            }
            skipSpaces()
        }
        return response
    }

    private mutating func searchItem(
        _ name: UnsafeBufferPointer<UInt8>, _ result: inout SearchResult
    ) throws(MalformedResponse) {
        if name.equals("COUNT") {
            result.count = try number()
        } else if name.equals("ALL") {
            result.matches = try sequenceSet()
        } else if name.equals("MIN") {
            result.min = try number()
        } else if name.equals("MAX") {
            result.max = try number()
        } else if name.equals("MODSEQ") {
            result.modSeq = try number64()
        } else if name.equals("PARTIAL") {
            try expect(UInt8(ascii: "("))
            _ = try word()
            try space()
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(peek) {
                result.matches = try sequenceSet()
            } else {
                // NIL: the page lies behind the last match.
                _ = try optionalString()
            }
            try expect(UInt8(ascii: ")"))
        } else {
            try skipValue()
        }
    }
}
