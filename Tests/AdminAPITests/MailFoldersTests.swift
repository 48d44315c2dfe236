import Foundation
import Testing

@testable import AdminAPI

/// Homes on disk that are moved.
@Suite struct MailFoldersTests {
    /// By the call that renamed it and by the caretaker, or by two replicas.
    @Test func aHomeThatTwoMoveIsWhereItBelongs() async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("homes-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let folders = MailFolders(root: root)
        for round in 0..<100 {
            try FileManager.default.createDirectory(
                atPath: "\(root)/a.test/old\(round)/cur", withIntermediateDirectories: true)
            async let first: Void = folders.move(from: "a.test/old\(round)", to: "a.test/new\(round)")
            async let second: Void = folders.move(from: "a.test/old\(round)", to: "a.test/new\(round)")
            try await first
            try await second
            #expect(FileManager.default.fileExists(atPath: "\(root)/a.test/new\(round)/cur"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/a.test").count == 100, "nothing set aside")
    }

    @Test func whatStandsInTheWayIsSetAside() async throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("homes-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        for home in ["old/new-mail", "new/old-mail"] {
            try FileManager.default.createDirectory(atPath: "\(root)/a.test/\(home)", withIntermediateDirectories: true)
        }
        try await MailFolders(root: root).move(from: "a.test/old", to: "a.test/new")
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/a.test/new") == ["new-mail"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(root)/a.test").count == 2)
    }
}
