/// A point in time as IMAP writes it: `"17-Jul-1996 02:44:25 -0700"` (RFC 9051 §9, date-time).
public struct InternalDate: Hashable, Sendable, CustomStringConvertible {
    public var secondsSince1970: Int64
    /// The zone it was written in, minutes east of Greenwich.
    public var offsetMinutes: Int

    public init(secondsSince1970: Int64, offsetMinutes: Int = 0) {
        self.secondsSince1970 = secondsSince1970
        self.offsetMinutes = offsetMinutes
    }

    init(day: CalendarDay, hour: Int, minute: Int, second: Int, offsetMinutes: Int) {
        let local = day.daysSince1970 * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        self.init(secondsSince1970: local - Int64(offsetMinutes * 60), offsetMinutes: offsetMinutes)
    }

    /// As on the wire, without quotes.
    public var description: String {
        let local = secondsSince1970 + Int64(offsetMinutes * 60)
        let (days, seconds) = local.quotientFloor(86_400)
        let zone = abs(offsetMinutes)
        return "\(CalendarDay(daysSince1970: days)) "
            + [seconds / 3600, seconds / 60 % 60, seconds % 60].map { padded(Int($0)) }.joined(separator: ":")
            + " \(offsetMinutes < 0 ? "-" : "+")\(padded(zone / 60))\(padded(zone % 60))"
    }
}

/// A calendar day without time or zone, as SEARCH compares them (RFC 9051 §6.4.4).
public struct CalendarDay: Hashable, Sendable, CustomStringConvertible {
    public let year: Int
    public let month: Int
    public let day: Int

    /// Nil unless month is 1–12, day 1–31 and year 1–9999.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// The proleptic Gregorian day, by counting 400-year cycles that begin on 1 March.
    init(daysSince1970: Int64) {
        let (cycle, dayOfCycle) = (daysSince1970 + 719_468).quotientFloor(146_097)
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
        month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
        year = Int(yearOfCycle + cycle * 400) + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int64 {
        let marchYear = Int64(month <= 2 ? year - 1 : year)
        let (cycle, yearOfCycle) = marchYear.quotientFloor(400)
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return cycle * 146_097 + dayOfCycle - 719_468
    }

    /// `17-Jul-1996`
    public var description: String {
        let years = String(year)
        return "\(padded(day))-\(Self.months[month - 1])-\(String(repeating: "0", count: 4 - years.count))\(years)"
    }

    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}

private func padded(_ number: Int) -> String {
    number < 10 ? "0\(number)" : "\(number)"
}

extension Int64 {
    /// Division that rounds down, so that days before 1970 come out right.
    fileprivate func quotientFloor(_ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
