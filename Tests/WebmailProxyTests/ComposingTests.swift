import Foundation
import MIME
import MailModel
import Testing

@testable import WebmailProxy

@Suite struct ComposingTests {
    private var message: OutgoingMessage {
        var message = OutgoingMessage(from: MIMEAddress(address: "a@b.test"), date: 0, messageID: "1@b.test")
        message.to = [MIMEAddress(address: "c@d.test")]
        message.bcc = [MIMEAddress(name: "Jürgen, the Blind", address: "blind@d.test")]
        message.plain = "Hello"
        return message
    }

    private func bytes(_ composed: ComposedMessage) -> [UInt8] {
        composed.pieces.flatMap { piece -> [UInt8] in
            switch piece {
            case .bytes(let bytes): return bytes
            case .base64(let attachment):
                guard case .bytes(let content) = attachment.source else { return [] }
                var lines = Base64Lines()
                // In pieces of odd sizes, as they may come.
                var output: [UInt8] = []
                for start in stride(from: 0, to: content.count, by: 1009) {
                    output += lines.encode(Array(content[start..<min(start + 1009, content.count)]))
                }
                return output + lines.finish()
            }
        }
    }

    @Test func base64IsThatOfFoundationInLines() {
        for count in [0, 1, 2, 3, 56, 57, 58, 59, 114, 115, 1000] {
            let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let wanted = Data(content).base64EncodedString(options: [.lineLength76Characters])
            for step in [1, 10, 57, 1000] {
                var lines = Base64Lines()
                var output: [UInt8] = []
                for start in stride(from: 0, to: count, by: step) {
                    output += lines.encode(Array(content[start..<min(start + step, count)]))
                }
                output += lines.finish()
                #expect(String(decoding: output, as: UTF8.self) == wanted)
                #expect(output.count == Base64Lines.size(of: count))
            }
        }
    }

    @Test func largeAttachmentsComeWhereTheyBelong() async throws {
        let large = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let larger = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        func attachment(_ name: String, _ bytes: [UInt8]) -> OutgoingAttachment {
            OutgoingAttachment(
                filename: name, contentType: "application/pdf", contentID: nil, size: bytes.count,
                source: .bytes(bytes))
        }
        let attachments = [attachment("1", large), attachment("2", [1, 2, 3]), attachment("3", larger)]
        let composed = try await ComposedMessage(message, attachments) { _ in [] }
        #expect(composed.pieces.count == 5)
        let written = bytes(composed)
        #expect(written.count == composed.size)
        let read = try MIMEMessage.parse(written)
        let contents = read.attachments.map { part -> [UInt8] in
            if case .data(let bytes) = part.content { bytes } else { [] }
        }
        #expect(contents == [large, [1, 2, 3], larger])
        #expect(read.plain?.hasPrefix("Hello") == true)
    }

    @Test func bccStandsInTheCopyAlone() async throws {
        let sent = try await ComposedMessage(message, []) { _ in [] }
        #expect(!String(decoding: bytes(sent), as: UTF8.self).contains("blind@d.test"))
        let header = try message.bccHeader()
        let copy = try MIMEMessage.parse(header + bytes(sent))
        #expect(copy[header: "Bcc"]?.contains("blind@d.test") == true)
        #expect(header.suffix(2) == [0x0d, 0x0a])
        let draft = try await ComposedMessage(message, [], showingBcc: true) { _ in [] }
        #expect(try MIMEMessage.parse(bytes(draft))[header: "Bcc"]?.contains("blind@d.test") == true)
    }

    @Test func manyBlindRecipientsAreOneHeader() throws {
        var message = message
        message.bcc = (0..<200).map { MIMEAddress(name: "Ä \($0)", address: "a\($0)@d.test") }
        let header = String(decoding: try message.bccHeader(), as: UTF8.self)
        #expect(header.hasPrefix("Bcc:") && header.contains("a199@d.test"))
        #expect(header.split(separator: "\r\n").dropFirst().allSatisfy { $0.hasPrefix(" ") || $0.hasPrefix("\t") })
    }
}
