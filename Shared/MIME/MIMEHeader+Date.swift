#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif
import CGMime

extension MIMEHeader {
    /// Milliseconds since 1970 in UTC of a raw `Date` value; nil if unreadable.
    public static func date(_ raw: String) -> Int64? {
        var raw = raw
        return raw.withUTF8(usualDate).map { $0 * 1000 } ?? date(Array(raw.utf8))
    }

    /// Milliseconds since 1970 in UTC of a raw `Date` value (RFC 5322 §3.3 and its obsolete forms); nil if unreadable.
    public static func date(_ raw: [UInt8]) -> Int64? {
        if let seconds = raw.withUnsafeBufferPointer(usualDate) { return seconds * 1000 }
        GMime.initialize()
        return unfold(raw).withCStringReplacingNUL { text -> Int64? in
            guard let date = g_mime_utils_header_decode_date(text) else { return nil }
            defer { g_date_time_unref(date) }
            return Int64(g_date_time_to_unix(date)) * 1000
        }
    }

    /// `Mon, 7 Feb 1994 21:52:25 -0800`, with or without the day of the week: what nearly all messages have, read without
    /// an allocation. Nil for anything else.
    private static func usualDate(_ bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
        var rest = bytes[...]
        func skipSpaces() { rest = rest.drop { $0 == 0x20 } }
        func number(_ digits: ClosedRange<Int>) -> Int32? {
            var value: Int32 = 0
            var count = 0
            while count < digits.upperBound, let digit = rest.first, digit &- 0x30 <= 9 {
                value = value * 10 + Int32(digit - 0x30)
                rest = rest.dropFirst()
                count += 1
            }
            return digits.contains(count) ? value : nil
        }
        func take(_ byte: Character) -> Bool {
            guard rest.first == byte.asciiValue else { return false }
            rest = rest.dropFirst()
            return true
        }
        skipSpaces()
        if rest.count > 4, rest[rest.startIndex + 3] == UInt8(ascii: ",") {
            rest = rest.dropFirst(4)
            skipSpaces()
        }
        var time = tm()
        guard let day = number(1...2), take(" "), let month = Self.month(rest.prefix(3)) else { return nil }
        rest = rest.dropFirst(3)
        guard take(" "), let year = number(4...4), take(" "), let hour = number(2...2), take(":"),
            let minute = number(2...2), take(":"), let second = number(2...2), take(" "),
            let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
        else { return nil }
        rest = rest.dropFirst()
        guard let zone = number(4...4), rest.first.map({ $0 <= 0x20 }) ?? true, (1...31).contains(day), hour < 24,
            minute < 60, second < 61, year >= 1900
        else { return nil }
        (time.tm_mday, time.tm_mon, time.tm_year) = (day, month, year - 1900)
        (time.tm_hour, time.tm_min, time.tm_sec) = (hour, minute, second)
        let offset = Int64(zone / 100 * 60 + zone % 100) * 60
        return Int64(timegm(&time)) - (sign == UInt8(ascii: "-") ? -offset : offset)
    }

    /// From 0.
    private static func month(_ name: Slice<UnsafeBufferPointer<UInt8>>) -> Int32? {
        guard name.count == 3 else { return nil }
        let word = name.reduce(0) { $0 << 8 | UInt32($1 | 0x20) }
        switch word {
        case 0x6a616e: return 0
        case 0x666562: return 1
        case 0x6d6172: return 2
        case 0x617072: return 3
        case 0x6d6179: return 4
        case 0x6a756e: return 5
        case 0x6a756c: return 6
        case 0x617567: return 7
        case 0x736570: return 8
        case 0x6f6374: return 9
        case 0x6e6f76: return 10
        case 0x646563: return 11
        default: return nil
        }
    }
}
