import FoundationEssentials
import MailModel

/// The script that does what the rules say (RFC 5228), and bears them in a comment, so that there is one truth.
struct SieveScript: Sendable, Equatable {
    /// Its name among the scripts of the mailbox.
    static let name = "xynap"
    private static let mark = "# xynap-rules: "

    let rules: SieveRules
    /// A script of the person's own, which runs after the rules.
    var personal: String?

    init(_ rules: SieveRules, personal: String? = nil) {
        self.rules = rules
        self.personal = personal
    }

    /// Reads a script that this wrote; nil for any other.
    init?(parsing text: String) {
        guard let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix(Self.mark) }),
            let json = Data(base64Encoded: String(line.dropFirst(Self.mark.count))),
            let kept = try? JSONDecoder().decode(Kept.self, from: json)
        else { return nil }
        rules = kept.rules
        personal = kept.personal
    }

    private struct Kept: Codable {
        let rules: SieveRules
        let personal: String?
    }

    var text: String {
        get throws {
            var extensions = Set<String>()
            var body: [String] = []
            for filter in rules.filters where filter.enabled { body.append(Self.text(filter, &extensions)) }
            if rules.autoreply.enabled { body.append(Self.text(rules.autoreply, &extensions)) }
            if rules.forwarding.enabled { body.append(Self.text(rules.forwarding, &extensions)) }
            if let personal {
                extensions.insert("include")
                body.append("include :personal :optional \(Self.quoted(personal));")
            }
            let json = try JSONEncoder().encode(Kept(rules: rules, personal: personal))
            let required = extensions.sorted().map(Self.quoted).joined(separator: ", ")
            let head = [
                "# Written by the platform: what is changed here is lost when the rules are set again.",
                Self.mark + json.base64EncodedString(), extensions.isEmpty ? "" : "require [\(required)];",
            ]
            return (head + body).joined(separator: "\r\n") + "\r\n"
        }
    }

    // MARK: parts

    private static func text(_ forwarding: SieveRules.Forwarding, _ extensions: inout Set<String>) -> String {
        if forwarding.keep_copy { extensions.insert("copy") }
        let how = forwarding.keep_copy ? "redirect :copy" : "redirect"
        return forwarding.destinations.map { "\(how) \(quoted($0));" }.joined(separator: "\r\n")
    }

    private static func text(_ autoreply: SieveRules.Autoreply, _ extensions: inout Set<String>) -> String {
        extensions.insert("vacation")
        var command = "vacation :days \(autoreply.interval_days)"
        if !autoreply.subject.isEmpty { command += " :subject \(quoted(autoreply.subject))" }
        if !autoreply.addresses.isEmpty {
            command += " :addresses [\(autoreply.addresses.map(quoted).joined(separator: ", "))]"
        }
        command += " \(quoted(autoreply.message));"
        var tests: [String] = []
        for (relation, day) in [("ge", autoreply.from), ("le", autoreply.until)] {
            guard let day else { continue }
            extensions.formUnion(["date", "relational"])
            tests.append(#"currentdate :zone "+0000" :value "\#(relation)" "date" \#(quoted(day))"#)
        }
        return tests.isEmpty ? command : "if allof(\(tests.joined(separator: ", "))) { \(command) }"
    }

    private static func text(_ filter: SieveRules.Filter, _ extensions: inout Set<String>) -> String {
        let tests = filter.conditions.map { test($0) }.joined(separator: ", ")
        // Flags are for what is kept after them (RFC 5232 §3).
        let flags: Set<SieveRules.Action.Kind> = [.mark_read, .flag]
        let ordered =
            filter.actions.filter { flags.contains($0.type) } + filter.actions.filter { !flags.contains($0.type) }
        let actions = ordered.map { action($0, &extensions) }.joined(separator: " ")
        return "if \(filter.match == .all ? "allof" : "anyof")(\(tests)) { \(actions) }"
    }

    private static func test(_ condition: SieveRules.Condition) -> String {
        let value = quoted(condition.value ?? "")
        let headers: [String] =
            switch condition.field {
            case .from: ["from"]
            case .to: ["to"]
            case .cc: ["cc"]
            case .recipient: ["to", "cc"]
            case .subject: ["subject"]
            case .header: [condition.header ?? ""]
            case .size: []
            }
        let names = "[\(headers.map(quoted).joined(separator: ", "))]"
        let subject = [.from, .to, .cc, .recipient].contains(condition.field) ? "address :all" : "header"
        return switch condition.op {
        case .contains: "\(subject) :contains \(names) \(value)"
        case .not_contains: "not \(subject) :contains \(names) \(value)"
        case .is: "\(subject) :is \(names) \(value)"
        case .is_not: "not \(subject) :is \(names) \(value)"
        case .matches: "\(subject) :matches \(names) \(value)"
        case .exists: "exists \(names)"
        case .over: "size :over \(condition.value ?? "0")"
        case .under: "size :under \(condition.value ?? "0")"
        }
    }

    private static func action(_ action: SieveRules.Action, _ extensions: inout Set<String>) -> String {
        switch action.type {
        case .move, .copy:
            extensions.formUnion(["fileinto", "mailbox"])
            if action.type == .copy { extensions.insert("copy") }
            return "fileinto \(action.type == .copy ? ":copy " : ""):create \(quoted(action.folder ?? ""));"
        case .forward:
            extensions.insert("copy")
            return "redirect :copy \(quoted(action.address ?? ""));"
        case .mark_read:
            extensions.insert("imap4flags")
            return #"addflag "\\Seen";"#
        case .flag:
            extensions.insert("imap4flags")
            return "addflag \(quoted(action.flag ?? ""));"
        case .discard: return "discard;"
        case .keep: return "keep;"
        case .stop: return "stop;"
        }
    }

    /// RFC 5228 §2.4.2: nothing in a text can end its string; line ends are CRLF.
    static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n").replacing("\\", with: #"\\"#)
            .replacing("\"", with: #"\""#).replacing("\n", with: "\r\n")
        return "\"\(escaped)\""
    }
}
