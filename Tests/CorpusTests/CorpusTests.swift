import Foundation
import Testing

/// Everything that fuzzing has kept, and the seeds it began with, read once more.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus")

    private static func files(_ name: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = folder.appending(path: name)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted().map {
            ("\(name)/\($0)", Array(try Data(contentsOf: folder.appending(path: $0))))
        }
    }

    @Test(arguments: Parsing.allCases) func theCorpusIsRead(parsing: Parsing) async throws {
        var files = try Self.files(parsing.rawValue)
        #expect(!files.isEmpty)
        if parsing == .mime { files += try Self.files("mails") }
        let clock = ContinuousClock()
        for (name, bytes) in files {
            var fault: String?
            let time = await clock.measure { fault = await parsing.fault(bytes) }
            #expect(fault == nil, "\(name)")
            #expect(time < .seconds(20), "\(name)")
        }
    }
}
