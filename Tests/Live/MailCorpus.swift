import Foundation
import TestSupport

/// Mails as they come, and worse: one file each in `Tests/Corpus/mails`, and what is expected of some in `expected.json`.
struct MailCorpus {
    struct Mail {
        let name: String
        let path: String
        let bytes: Data
        let expected: JSON
    }

    /// In the order of their names.
    let mails: [Mail]

    init() throws {
        let folder = Outside.repository.appending(path: "Tests/Corpus/mails")
        let expected = try JSON(parsing: Data(contentsOf: folder.appending(path: "expected.json")))
        mails = try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".eml") }
            .sorted().map { file in
                let name = String(file.dropLast(4)), path = folder.appending(path: file)
                return Mail(
                    name: name, path: path.path(), bytes: try Data(contentsOf: path), expected: expected[name])
            }
    }
}

extension Mailbox {
    /// Delivers mails byte for byte, as another mail server would (`outside/lmtp.py`); one result each.
    func deliver(_ mails: [JSON]) async throws -> [JSON] {
        let stack = platform.stack
        return try await Outside(
            script: "lmtp.py",
            [
                "host": .string(stack.imapHost), "port": .int(stack.lmtpPort), "to": .string(email),
                "mails": .array(mails),
            ]
        ).results()
    }
}
