import Foundation
import Testing

@testable import IMAP

/// What Dovecot 2.3 really said (`Dialogs/`), read whole and in pieces.
struct DialogTests {
    private let dialog: [UInt8]
    private let responses: [IMAPResponse]

    init() throws {
        let url = try #require(
            Bundle.module.url(forResource: "dovecot-2.3", withExtension: "dialog", subdirectory: "Dialogs"))
        dialog = Array(try Data(contentsOf: url))
        responses = try Self.read([dialog[...]])
    }

    private static func read(_ pieces: [ArraySlice<UInt8>], limits: IMAPLimits = IMAPLimits()) throws -> [IMAPResponse]
    {
        var framer = ResponseFramer(limits: limits)
        let parser = ResponseParser(limits: limits)
        var responses: [IMAPResponse] = []
        for piece in pieces {
            piece.withUnsafeBytes { framer.append($0) }
            while let response = try framer.next({ (frame) throws(IMAPError) in try parser.parse(frame) }) {
                responses.append(response)
            }
        }
        #expect(!framer.hasPartialResponse)
        return responses
    }

    @Test func cutAtEveryByte() throws {
        for cut in dialog.indices {
            let pieces = try Self.read([dialog[..<cut], dialog[cut...]])
            if pieces != responses { Issue.record("cut at byte \(cut)") }
        }
        #expect(try Self.read(dialog.indices.map { dialog[$0...$0] }) == responses)
    }

    /// Every seventh byte, wrong in seven ways: the parser answers or refuses, and never crashes.
    @Test func everyByteDamaged() {
        for index in stride(from: 0, to: dialog.count, by: 7) {
            for byte: UInt8 in [0x00, 0x0A, 0x22, 0x28, 0x29, 0x7B, 0xFF] {
                var damaged = dialog
                damaged[index] = byte
                var framer = ResponseFramer(limits: IMAPLimits())
                let parser = ResponseParser()
                damaged.withUnsafeBytes { framer.append($0) }
                while (try? framer.next { (frame) throws(IMAPError) in try parser.parse(frame) }) != nil {}
            }
        }
    }

    @Test func nothingIsUnknown() {
        for case .untagged(.other(let name, _)) in responses { Issue.record("\(name) was not read") }
        #expect(responses.count > 60)
    }

    private var messages: [FetchedMessage] {
        responses.compactMap { response in
            if case .untagged(.fetch(let message)) = response { message } else { nil }
        }
    }

    @Test func envelopeAndStructure() throws {
        let message = messages[0]
        #expect(message.uid == 1)
        #expect(message.flags == [.seen, .recent, .forwarded])
        #expect(message.internalDate?.secondsSince1970 == 1_721_177_065)
        #expect(message.size == 569)
        #expect(message.modSeq == 7)
        #expect(message.preview == "Hello")
        #expect(message.saveDate != nil)
        let envelope = try #require(message.envelope)
        #expect(envelope.subject == "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=")
        #expect(envelope.from.first?.name == "Doe, Jane \"JD\"")
        #expect(envelope.replyTo == envelope.from)
        #expect(
            envelope.to.map(\.address) == ["info@example.org", nil, "bob@example.net", "carl@example.net", nil])
        let leaves = try #require(message.structure).leaves
        #expect(leaves.map(\.section) == [[1], [2], [3]])
        #expect(leaves.map(\.structure.mediaType) == ["text/plain", "message/rfc822", "application/pdf"])
        #expect(leaves[1].structure.messageEnvelope?.subject == "inner {5}")
        #expect(leaves[2].structure.fileName == "a \"q\".pdf")
        #expect(leaves[2].structure.disposition == "attachment")
        #expect(messages[1].envelope?.subject == "ä raw {3}", "bytes that are no UTF-8 are read as ISO 8859-1")
    }

    @Test func bodySections() throws {
        let message = messages[3]
        #expect(message.bytes(of: .message)?.count == 569)
        #expect(message.sections.first { $0.isDecoded }?.bytes == [0, 0, 0])
        #expect(message.binarySizes == [.init(part: [3], bytes: 3)])
        #expect(message.sections.last?.origin == 1)
        #expect(message.sections.last?.bytes == Array("ell".utf8))
        let fields = MessageSection(text: .headerFields(["Subject", "From"]))
        #expect(message.bytes(of: fields)?.count == 85)
    }

    @Test func searchesAndStates() {
        var codes: [ResponseCode] = []
        var searches: [SearchResult] = []
        var vanished: [Bool] = []
        for response in responses {
            switch response {
            case .tagged(_, let status): if let code = status.code { codes.append(code) }
            case .untagged(.extendedSearch(let search)): searches.append(search.result)
            case .untagged(.vanished(_, let earlier)): vanished.append(earlier)
            default: break
            }
        }
        #expect(searches.map(\.matches) == [SequenceSet(1...2), SequenceSet(1...3)])
        #expect(searches[1].count == 3)
        #expect(vanished == [false, false, true])
        #expect(codes.contains(.tryCreate))
        #expect(codes.contains(.modified([1])))
        #expect(codes.contains(.appendUID(uidValidity: 1_795_387_515, uids: [1])))
        #expect(
            codes.contains(
                .copyUID(
                    CopiedMessages(
                        uidValidity: 1_795_387_517, source: SequenceSet(1...2), destination: SequenceSet(1...2)))))
    }
}
