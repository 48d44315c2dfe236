import Foundation
import MailModel
import Storage
import Testing

@testable import AdminAPI

@Suite struct DKIMKeysTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dkim-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func keys(_ folder: String) -> DKIMKeys {
        DKIMKeys(directory: folder, reserve: KeyReserve(directory: folder))
    }

    @Test func keysAreMadeOnceAndKept() throws {
        try withFolder { folder in
            let domain = try DomainName("example.com")
            let first = try keys(folder).make(for: domain, rsa: "mail", ed25519: "mail-ed")
            let again = try keys(folder).make(for: domain, rsa: "mail", ed25519: "mail-ed")
            #expect(again.map(\.publicKey) == first.map(\.publicKey))
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                    "example.com.mail-ed.key", "example.com.mail.key",
                ])
            #expect(first.map(\.algorithm) == [.rsa, .ed25519] && first.map(\.selector) == ["mail", "mail-ed"])
            // An RSA key of 2048 bits has a SubjectPublicKeyInfo of 294 bytes; an Ed25519 key has 32.
            #expect(first.map { Data(base64Encoded: $0.publicKey)?.count } == [294, 32])
            for file in ["example.com.mail.key", "example.com.mail-ed.key"] {
                let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")[.posixPermissions]
                #expect(mode as? Int == 0o640)
            }
        }
    }

    @Test func theSignerIsToldBySelectors() throws {
        try withFolder { folder in
            let domain = try DomainName("example.com"), keys = keys(folder)
            try keys.sign(domain, with: ["a"])
            try keys.sign(domain, with: ["b", "c"])
            #expect(try String(contentsOfFile: "\(folder)/example.com.selectors", encoding: .utf8) == "b c\n")
            _ = try keys.make(for: domain, rsa: "b", ed25519: "c")
            #expect(try keys.oldFiles(olderThan: -60).map(\.selector).sorted() == ["b", "c"])
            try keys.remove(domain, selectors: ["b", "c", "never-made"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        }
    }

    @Test func theReserveGivesEachPairOnce() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dkim-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let reserve = KeyReserve(directory: folder, size: 2)
        let filling = Task { try await reserve.fill() }
        while try FileManager.default.contentsOfDirectory(atPath: folder).count < 4 {
            try await Task.sleep(for: .milliseconds(50))
        }
        defer { filling.cancel() }
        try await Task.sleep(for: .milliseconds(200))
        let keys = DKIMKeys(directory: folder, reserve: reserve)
        let made = try ["a.test", "b.test", "c.test"].map {
            try keys.make(for: DomainName($0), rsa: "mail", ed25519: "mail-ed")
        }
        #expect(Set(made.flatMap { $0.map(\.publicKey) }).count == 6)
        try keys.sync()
        let again = try keys.make(for: DomainName("a.test"), rsa: "mail", ed25519: "mail-ed")
        #expect(again.map(\.publicKey) == made[0].map(\.publicKey), "what is there is kept")
    }

    @Test func theReserveOfTheDeadIsRemoved() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dkim-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let reserve = KeyReserve(directory: folder, size: 2)
        let filling = Task { try await reserve.fill() }
        defer { filling.cancel() }
        /// Whole keys, oldest first.
        func files() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { $0.count == KeyReserve.prefix.count + UUID().uuidString.count }
                .map { file in
                    let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")
                    return (file: file, date: attributes[.modificationDate] as? Date ?? .distantFuture)
                }
                .sorted { $0.date < $1.date }.map(\.file)
        }
        // A third is made when the first two are in reserve.
        while try files().count < 3 { try await Task.sleep(for: .milliseconds(50)) }
        let living = Array(try files().prefix(2))
        let dead = KeyReserve.prefix + "dead"
        #expect(FileManager.default.createFile(atPath: "\(folder)/\(dead)", contents: nil))
        for file in living + [dead] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: "\(folder)/\(file)")
        }
        try DKIMKeys(directory: folder, reserve: reserve).removeOldReserves(olderThan: 86_400)
        let left = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
        #expect(left.isSuperset(of: living) && !left.contains(dead))
    }

    @Test func missingFolderIsUnavailable() throws {
        let domain = try DomainName("example.com")
        #expect(throws: Failure.self) { try keys("/nonexistent").make(for: domain, rsa: "mail", ed25519: "mail-ed") }
        #expect(throws: Failure.self) { try keys("/nonexistent").sign(domain, with: ["mail"]) }
    }

    @Test func aSelectorIsOneLabel() {
        #expect(["mail", "M2026-11", "a"].allSatisfy(AdminSettings.isSelector))
        let wrong = ["", "-a", "a-", "a.b", "a/b", "..", "a b", "ü", String(repeating: "a", count: 61)]
        #expect(!wrong.contains(where: AdminSettings.isSelector))
    }

    @Test func selectorsOfADayDiffer() {
        let now: Int64 = 1_795_651_200_000
        let first = DKIMRotation.newSelector(taken: [], now: now)
        #expect(first == "mail20261126")
        #expect(DKIMRotation.newSelector(taken: [first, first + "-ed"], now: now) == "mail20261126-2")
    }
}
