import Foundation
import TestSupport

/// Many mailboxes, and what the watcher says of them.
extension Product {
    /// Makes mailboxes beside the bench's own, straight in the database: a thousand password hashes would
    /// take minutes.
    func makeMailboxes(_ count: Int) throws -> [String] {
        let domain = mailbox.split(separator: "@")[1]
        let rows = (0..<count).map { number in
            """
            SELECT domain_id, 'many\(number)@\(domain)' AS email, password_hash, quota_mb, created_at FROM accounts
            WHERE email = '\(mailbox)'
            """
        }
        let columns = "domain_id, email, password_hash, quota_mb, created_at"
        for start in stride(from: 0, to: count, by: 100) {
            let part = rows[start..<min(start + 100, count)].joined(separator: " UNION ALL ")
            try sql("INSERT IGNORE INTO accounts (\(columns)) \(part)")
        }
        return (0..<count).map { "many\($0)@\(domain)" }
    }

    /// Resident memory: kB.
    func residentMemory(of service: String) throws -> Int { try memory("VmRSS", of: service) }

    /// Memory that no other process has and no file holds, heaps and stacks: kB. What one more mailbox or socket takes is
    /// in this; pages of code, which come with what runs for the first time and may go at any time, are not.
    func ownMemory(of service: String) throws -> Int { try memory("RssAnon", of: service) }

    /// By how much resident memory grows at most while something is done: kB.
    func memoryGrowth(of service: String, during body: () throws -> Void) throws -> Int {
        // Sets the high-water mark to what is in use now (proc(5)).
        try "5".write(toFile: "/proc/\(try processID(of: service))/clear_refs", atomically: false, encoding: .utf8)
        let before = try memory("VmHWM", of: service)
        try body()
        return try memory("VmHWM", of: service) - before
    }

    private func memory(_ field: String, of service: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(try processID(of: service))/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    /// How many mailboxes the watcher watches.
    func watched() throws -> Int {
        struct Status: Decodable { let totals: [String: Int] }
        let call = try HTTPCall(
            port: watcherPort, "GET", "/api/v1/mail/watcher/status", headers: ["x-service-token": serviceToken])
        return try JSONDecoder().decode(Status.self, from: Data(try call())).totals["watching"] ?? 0
    }

    private func sql(_ statement: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/mariadb")
        process.arguments = [
            "--socket", database.socket, "--user", database.user, "--password=\(database.password)", database.name,
            "-e",
            statement,
        ]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Socket.Failed(description: "the database refused") }
    }
}
