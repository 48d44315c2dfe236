import Foundation
import MailModel
import Testing

@testable import AdminAPI

@Suite struct DKIMKeysTests {
    private func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dkim-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test func keyIsMadeOnceAndKept() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let keys = DKIMKeys(directory: folder, selector: "mail")
        let domain = try DomainName("example.com")
        let first = try keys.publicKey(for: domain)
        #expect(try keys.publicKey(for: domain) == first)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["example.com.mail.key"])
        // An RSA key of 2048 bits has a SubjectPublicKeyInfo of 294 bytes.
        #expect(Data(base64Encoded: first)?.count == 294)
        let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/example.com.mail.key")[.posixPermissions]
        #expect(mode as? Int == 0o640)
    }

    @Test func missingFolderIsUnavailable() throws {
        let keys = DKIMKeys(directory: "/nonexistent", selector: "mail")
        #expect(throws: Failure.self) { try keys.publicKey(for: try DomainName("example.com")) }
    }
}
