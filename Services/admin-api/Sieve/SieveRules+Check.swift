import MailModel

extension SieveRules.Forwarding {
    /// - Parameter own: The mailbox's own address.
    /// - Throws: `Failure` `invalid` naming the field.
    func checked(own: String) throws -> Self {
        var checked = self
        guard destinations.count <= 20, !enabled || !destinations.isEmpty else {
            throw Failure.invalid("destinations", code: "out_of_range", "must be 1 to 20 addresses")
        }
        checked.destinations = try destinations.enumerated().map {
            try EmailAddress($1, field: "destinations.\($0)").description
        }
        guard !checked.destinations.contains(own) else {
            throw Failure.invalid("destinations", code: "loop", "must not hold the mailbox's own address")
        }
        return checked
    }
}

extension SieveRules.Autoreply {
    /// - Throws: `Failure` `invalid` naming the field.
    func checked() throws -> Self {
        try Self.check(subject, "subject", most: 200, lines: false)
        try Self.check(message, "message", most: 10_000, lines: true)
        guard !enabled || !message.isEmpty else { throw Failure.invalid("message", code: "required", "is required") }
        guard (1...60).contains(interval_days) else {
            throw Failure.invalid("interval_days", code: "out_of_range", "must be from 1 to 60")
        }
        for (field, date) in [("from", from), ("until", until)] {
            guard let date else { continue }
            guard Timestamp.milliseconds(rfc3339: date + "T00:00:00Z") != nil, Self.isDay(date) else {
                throw Failure.invalid(field, code: "invalid_date", "must be a day like 2026-12-24")
            }
        }
        if let from, let until, from > until {
            throw Failure.invalid("until", code: "out_of_range", "must not be before from")
        }
        guard addresses.count <= 20 else { throw Failure.invalid("addresses", code: "too_many", "must be at most 20") }
        var checked = self
        checked.addresses = try addresses.enumerated().map {
            try EmailAddress($1, field: "addresses.\($0)").description
        }
        return checked
    }

    /// Whether the calendar has the day: 30 February is none.
    private static func isDay(_ text: String) -> Bool {
        let parts = text.split(separator: "-").compactMap { Int($0) }
        guard text.utf8.count == 10, parts.count == 3 else { return false }
        let days = CivilDate.daysSinceEpoch(year: parts[0], month: parts[1], day: parts[2])
        return CivilDate.date(daysSinceEpoch: days) == (parts[0], parts[1], parts[2])
    }

    fileprivate static func check(_ text: String, _ field: String, most: Int, lines: Bool) throws {
        let isClean = text.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 && scalar.value != 0x7f || lines && "\r\n\t".unicodeScalars.contains(scalar)
        }
        guard isClean, text.unicodeScalars.count <= most else {
            throw Failure.invalid(
                field, code: "invalid_text",
                "must be at most \(most) characters\(lines ? "" : ", on one line"), without control characters")
        }
    }
}

extension SieveRules.Filter {
    /// - Parameter path: The field's name.
    /// - Throws: `Failure` `invalid` naming the field.
    func check(_ path: String) throws {
        try SieveRules.Autoreply.check(name, path + ".name", most: 100, lines: false)
        guard (1...50).contains(conditions.count) else {
            throw Failure.invalid(path + ".conditions", code: "out_of_range", "must be 1 to 50")
        }
        guard (1...20).contains(actions.count) else {
            throw Failure.invalid(path + ".actions", code: "out_of_range", "must be 1 to 20")
        }
        for (index, condition) in conditions.enumerated() { try condition.check("\(path).conditions.\(index)") }
        for (index, action) in actions.enumerated() { try action.check("\(path).actions.\(index)") }
    }
}

extension SieveRules.Condition {
    fileprivate func check(_ path: String) throws {
        if field == .header {
            // RFC 5322 §2.2: a field name.
            guard let header, (1...76).contains(header.utf8.count),
                header.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") })
            else {
                throw Failure.invalid(path + ".header", code: "invalid_header", "must be the name of a header field")
            }
        }
        let isOfSize = op == .over || op == .under
        guard (field == .size) == isOfSize else {
            throw Failure.invalid(
                path + ".op", code: "unfit", "does not fit the field: over and under are for size alone")
        }
        guard op != .exists else { return }
        guard let value else { throw Failure.invalid(path + ".value", code: "required", "is required") }
        if isOfSize {
            guard let bytes = Int(value), (0...1 << 31).contains(bytes) else {
                throw Failure.invalid(path + ".value", code: "out_of_range", "must be a number of bytes")
            }
        }
        try SieveRules.Autoreply.check(value, path + ".value", most: 500, lines: false)
    }
}

extension SieveRules.Action {
    fileprivate func check(_ path: String) throws {
        switch type {
        case .move, .copy:
            guard let folder, (1...250).contains(folder.unicodeScalars.count) else {
                throw Failure.invalid(path + ".folder", code: "required", "must name a folder")
            }
            try SieveRules.Autoreply.check(folder, path + ".folder", most: 250, lines: false)
        case .forward: _ = try EmailAddress(address ?? "", field: path + ".address")
        case .flag:
            guard let flag, (1...100).contains(flag.utf8.count),
                flag.drop(while: { $0 == "\\" }).utf8.allSatisfy({ byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                        || byte == UInt8(ascii: "$") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                })
            else {
                throw Failure.invalid(path + ".flag", code: "invalid_flag", "must be a flag like \\Flagged or $label1")
            }
        case .mark_read, .discard, .keep, .stop: break
        }
    }
}
