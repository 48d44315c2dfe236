@testable import IMAP
import Testing

@testable import WebmailProxy

@Suite struct MessagePartsTests {
    private func part(
        _ type: String, _ subtype: String, _ change: (inout BodyStructure) -> Void = { _ in }
    ) -> BodyStructure {
        var part = BodyStructure(type: type, subtype: subtype)
        change(&part)
        return part
    }

    private func multipart(_ subtype: String, _ children: [BodyStructure]) -> BodyStructure {
        part("multipart", subtype) { $0.children = children }
    }

    @Test func takesTheTextsAndLeavesTheRest() {
        let pdf = part("application", "pdf") {
            $0.disposition = "attachment"
            $0.dispositionParameters = [.init(name: "filename", value: "a.pdf")]
            $0.encoding = "base64"
            $0.size = 78
        }
        let parts = MessageParts(
            multipart("mixed", [multipart("alternative", [part("text", "plain"), part("text", "html")]), pdf]))
        #expect(parts.texts.map(\.section) == [[1, 1], [1, 2]])
        #expect(parts.texts.map(\.isHTML) == [false, true])
        #expect(parts.attachments.map(\.part) == ["2"])
        #expect(parts.attachments.map(\.size) == [57])
        #expect(parts.attachments.map(\.filename) == ["a.pdf"])
        #expect(parts.hasAttachments)
    }

    /// A list tells of attachments without taking the message apart.
    @Test func aListTellsWhatTheMessageHas() {
        let text = part("text", "plain")
        let picture = part("image", "png") { $0.contentID = "<logo@x>" }
        let inline = part("image", "png") { $0.disposition = "inline" }
        let named = part("text", "plain") { $0.parameters = [.init(name: "name", value: "a.txt")] }
        let attached = part("image", "png") {
            ($0.contentID, $0.disposition) = ("<logo@x>", "attachment")
        }
        let structures = [
            text, picture, inline, named, multipart("mixed", [text, inline]), multipart("mixed", [text, named]),
            multipart("related", [text, picture]), multipart("related", [text, multipart("mixed", [picture])]),
            multipart("mixed", [text, picture]), multipart("related", [text, attached]),
            multipart("mixed", Array(repeating: text, count: 16)),
            multipart("mixed", Array(repeating: text, count: 17)),
            multipart("mixed", []), part("message", "rfc822"),
        ]
        for structure in structures {
            #expect(structure.hasAttachments == MessageParts(structure).hasAttachments, "\(structure)")
        }
        #expect(structures.filter(\.hasAttachments).count == 7)
    }

    @Test func picturesOfTheTextAreNoAttachments() {
        let picture = part("image", "png") { $0.contentID = "<logo@x>" }
        let parts = MessageParts(multipart("related", [part("text", "html"), picture]))
        #expect(parts.attachments.map(\.contentID) == ["logo@x"])
        #expect(parts.attachments.map(\.isInline) == [true])
        #expect(!parts.hasAttachments)
    }

    @Test func aTextWithAFileNameIsAnAttachment() {
        let log = part("text", "plain") { $0.parameters = [.init(name: "name", value: "build.log")] }
        let parts = MessageParts(multipart("mixed", [part("text", "plain"), log]))
        #expect(parts.texts.map(\.section) == [[1]])
        #expect(parts.attachments.map(\.part) == ["2"])
    }

    @Test func findsALeafByItsNumberAlone() {
        let structure = multipart("mixed", [part("text", "plain"), multipart("related", [part("text", "html")])])
        #expect(MessageParts.leaf("2.1", in: structure)?.structure.subtype == "html")
        for number in ["2", "3", "0", "", "1.1", "2.1.1", "-1", "2.01", "1)"] {
            #expect(MessageParts.leaf(number, in: structure) == nil)
        }
    }

    @Test func textsThatSayTheSameAreShownOnceAndAFooterBeside() {
        let parts = MessageParts(
            multipart(
                "mixed",
                [
                    multipart("alternative", [part("text", "plain"), multipart("related", [part("text", "html")])]),
                    part("text", "plain"),
                ]))
        #expect(parts.texts.map(\.isAlternativeToHTML) == [true, false, false])
    }

    @Test func tenThousandPartsAreCapped() {
        let parts = MessageParts(multipart("mixed", (0..<10_000).map { _ in part("image", "png") }))
        #expect(parts.attachments.count == 1000 && parts.isCapped)
        #expect(!MessageParts(multipart("mixed", [part("image", "png")])).isCapped)
    }

    @Test func longTextsAreCutAndSaySo() {
        let texts = (0..<4).map { _ in part("text", "plain") { $0.size = 1_500_000 } }
        let parts = MessageParts(multipart("mixed", texts))
        #expect(parts.isTruncated)
        #expect(parts.texts.map(\.isTruncated) == [false, false, true, true])
        #expect(parts.texts.map(\.limit).reduce(0) { $0 + min($1, 1_500_000) } == 4 << 20)
    }

    @Test func aForwardedMessageIsListedWithItsParts() throws {
        var inner = multipart("mixed", [part("text", "plain"), part("application", "pdf")])
        let forwarded = part("message", "rfc822") {
            var envelope = MessageEnvelope()
            envelope.subject = "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
            $0.message = .init(envelope)
            $0.children = [inner]
        }
        let structure = multipart("mixed", [part("text", "plain"), forwarded])
        let attachment = try #require(MessageParts(structure).attachments.first)
        #expect(attachment.part == "2" && attachment.filename == "Grüße.eml")
        #expect(attachment.message?.attachments.map(\.part) == ["2.1", "2.2"])
        #expect(MessageParts.leaf("2.2", in: structure)?.structure.subtype == "pdf")
        #expect(MessageParts.leaf("2", in: structure)?.structure.subtype == "rfc822")
        #expect(MessageParts.leaf("2.3", in: structure) == nil)
        inner = part("text", "html")
        let opened = MessageParts(inner, section: [2])
        #expect(opened.texts.map(\.section) == [[2, 1]])
    }
}
