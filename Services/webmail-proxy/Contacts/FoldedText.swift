/// Text as it is searched for: small letters without accents, whatever is no letter, digit or ASCII a space.
enum FoldedText {
    static func fold(_ text: some StringProtocol) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars { append(scalar, to: &bytes) }
        return bytes
    }

    /// As people without such keys write them, `Mueller` for `Müller`; nil where there is nothing to write otherwise.
    static func foldWithDigraphs(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var differs = false
        for scalar in text.unicodeScalars {
            append(scalar, to: &bytes)
            guard "äöüÄÖÜåÅøØ".unicodeScalars.contains(scalar) else { continue }
            differs = true
            if scalar == "å" || scalar == "Å" {
                bytes.append(UInt8(ascii: "a"))
            } else {
                bytes.append(UInt8(ascii: "e"))
            }
        }
        return differs ? bytes : nil
    }

    /// Whether a byte of folded text belongs to a word.
    static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
    }

    private static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8]) {
        if scalar.value < 0x80 {
            let byte = UInt8(scalar.value)
            bytes.append((0x41...0x5a).contains(byte) ? byte | 0x20 : byte < 0x20 || byte == 0x7f ? 0x20 : byte)
        } else if let known = table[scalar.value] {
            bytes += known
        } else {
            bytes += folded(scalar)
        }
    }

    /// The letters of the scripts that have accents.
    private static let table: [UInt32: [UInt8]] = {
        var table: [UInt32: [UInt8]] = [:]
        for range: ClosedRange<UInt32> in [0xc0...0x24f, 0x370...0x52f, 0x1e00...0x1fff] {
            for value in range { table[value] = Unicode.Scalar(value).map(folded) }
        }
        return table
    }()

    private static let digraphs: [Unicode.Scalar: String] = [
        "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ς": "σ",
    ]

    private static func folded(_ scalar: Unicode.Scalar) -> [UInt8] {
        var bytes: [UInt8] = []
        for small in scalar.properties.lowercaseMapping.unicodeScalars {
            switch small.properties.generalCategory {
            case .nonspacingMark, .format: continue
            default: break
            }
            guard small.properties.isAlphabetic || small.properties.numericType != nil else {
                bytes.append(0x20)
                continue
            }
            bytes += Array((digraphs[small] ?? String(Character(base(of: small)))).utf8)
        }
        return bytes
    }

    /// The letter that an accent was put on, as the names of the characters tell: LATIN SMALL LETTER A WITH DIAERESIS.
    private static func base(of scalar: Unicode.Scalar) -> Unicode.Scalar {
        if scalar == "ı" { return "i" }
        guard let name = scalar.properties.name, let accent = name.firstRange(of: " WITH ") else { return scalar }
        return letters[String(name[..<accent.lowerBound])] ?? scalar
    }

    /// Small letters without accents by their names.
    private static let letters: [String: Unicode.Scalar] = {
        var letters: [String: Unicode.Scalar] = [:]
        for range: ClosedRange<UInt32> in [0x61...0x7a, 0x3b1...0x3c9, 0x430...0x45f] {
            for scalar in range.compactMap(Unicode.Scalar.init) { letters[scalar.properties.name ?? ""] = scalar }
        }
        return letters
    }()
}
