/// Times on the wire: RFC 3339 in UTC with `Z`, without Foundation's calendars (they cost microseconds each).
public enum Timestamp {
    /// Milliseconds since 1970 in UTC, now.
    public static func now() -> Int64 {
        let elapsed = SystemClock.sinceEpoch()
        return elapsed.seconds * 1000 + elapsed.nanoseconds / 1_000_000
    }

    /// `2026-01-02T03:04:05.678Z`; without the fraction where it is zero. Years 1 to 9999.
    public static func rfc3339(milliseconds: Int64) -> String {
        String(unsafeUninitializedCapacity: longest) { write(milliseconds, to: $0) }
    }

    /// Writes what `rfc3339(milliseconds:)` makes, without making a string.
    public static func appendRFC3339(milliseconds: Int64, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: longest) { place in
            let length = write(milliseconds, to: place)
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: place[..<length]))
        }
    }

    /// Bytes of a time with its fraction.
    private static let longest = 24

    /// - Returns: How many bytes of `place` were written, from its start.
    private static func write(_ milliseconds: Int64, to place: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let second = milliseconds.floorDivided(by: 1000)
        let fraction = Int(milliseconds - second * 1000)
        let day = second.floorDivided(by: 86_400)
        let ofDay = Int(second - day * 86_400)
        let (year, month, dayOfMonth) = CivilDate.date(daysSinceEpoch: Int(day))
        var end = 0
        func append(_ value: Int, digits: Int, then separator: UInt8) {
            var rest = value
            for index in stride(from: end + digits - 1, through: end, by: -1) {
                place[index] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            place[end + digits] = separator
            end += digits + 1
        }
        append(year, digits: 4, then: UInt8(ascii: "-"))
        append(month, digits: 2, then: UInt8(ascii: "-"))
        append(dayOfMonth, digits: 2, then: UInt8(ascii: "T"))
        append(ofDay / 3600, digits: 2, then: UInt8(ascii: ":"))
        append(ofDay / 60 % 60, digits: 2, then: UInt8(ascii: ":"))
        append(ofDay % 60, digits: 2, then: fraction == 0 ? UInt8(ascii: "Z") : UInt8(ascii: "."))
        if fraction != 0 { append(fraction, digits: 3, then: UInt8(ascii: "Z")) }
        return end
    }

    /// `2026-01-02T03:04:05Z`.
    public static func rfc3339(seconds: Int64) -> String { rfc3339(milliseconds: seconds * 1000) }

    /// Milliseconds since 1970 of a time with `Z` and up to nine digits of fraction; nil for anything else.
    public static func milliseconds(rfc3339 text: String) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        guard (20...30).contains(bytes.count), bytes.last == UInt8(ascii: "Z"), bytes[4] == 0x2d, bytes[7] == 0x2d,
            bytes[10] == UInt8(ascii: "T"), bytes[13] == 0x3a, bytes[16] == 0x3a,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var millis = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21, number(20..<bytes.count - 1) != nil else {
                return nil
            }
            let digits = bytes[20..<bytes.count - 1].prefix(3).map { Int($0 - 0x30) }
            millis = (0..<3).reduce(0) { $0 * 10 + ($1 < digits.count ? digits[$1] : 0) }
        }
        let seconds =
            CivilDate.daysSinceEpoch(year: year, month: month, day: day) * 86_400
            + hour * 3600 + minute * 60 + second
        return Int64(seconds) * 1000 + Int64(millis)
    }

}

/// The proleptic Gregorian calendar in integers (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
public enum CivilDate {
    public static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    public static func date(daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
        let z = daysSinceEpoch + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
