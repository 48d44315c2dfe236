import Credentials
import Foundation
import Testing

@testable import MailWatcher

@Suite struct WebhookSecretsTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path()

    private func secrets(_ key: String) throws -> WebhookSecrets {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return WebhookSecrets(box: try SecretBox(file: "\(folder)/\(key)"))
    }

    @Test func whatIsSealedOpensWithItsKeyAlone() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secret = WebhookSignature.newSecret(), secrets = try secrets("key")
        let kept = try secrets.seal(secret)
        #expect(!kept.contains(secret.dropFirst(6)) && kept.utf8.count <= 128, "the column is no wider")
        #expect(try secrets.open(kept) == secret)
        #expect(try self.secrets("key").open(kept) == secret, "after a restart")
        #expect(try secrets.seal(kept) == kept)
        let others = try self.secrets("another")
        #expect(throws: SecretBox.Unopenable.self) { try others.open(kept) }
        #expect(throws: WebhookSecrets.Unopenable.self) { try WebhookSecrets(box: nil).open(kept) }
        #expect(throws: SecretBox.Unopenable.self) { try secrets.open("sealed:AAAA") }
        #expect(throws: WebhookSecrets.Unopenable.self) { try secrets.open("sealed:no base64") }
    }

    @Test func withoutAKeyTheyStayAsTheyAre() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let secret = WebhookSignature.newSecret(), plain = WebhookSecrets(box: nil)
        #expect(try plain.seal(secret) == secret && plain.open(secret) == secret)
        #expect(try secrets("key").open(secret) == secret, "one from before there was a key")
    }
}
