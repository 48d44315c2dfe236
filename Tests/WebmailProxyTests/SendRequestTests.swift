import Foundation
import MIME
import MailModel
import Storage
import Testing

@testable import WebmailProxy

@Suite struct SendRequestTests {
    private func request(_ json: String) throws -> SendRequest {
        try JSONDecoder().decode(SendRequest.self, from: Data(json.utf8))
    }

    private func refused(_ field: String, _ json: String) throws {
        let request = try request(json)
        let failure = #expect(throws: Failure.self) {
            let message = try request.message(from: "a@b.test", now: 0)
            _ = try request.plan(for: message)
            _ = try request.time(now: 1_000_000)
            _ = try SendRequest.recipients(of: message)
            _ = try message.encoded()
        }
        #expect(failure?.fields.map(\.name) == [field])
    }

    @Test func whatCannotBeSentIsNamed() throws {
        try refused("to", "{}")
        try refused("to.0", #"{"to":["a@b.test\r\nRCPT TO:<c@d.test>"]}"#)
        try refused("bcc.1", #"{"bcc":["a@b.test","nobody"]}"#)
        try refused("from", #"{"to":["a@b.test"],"from":"a b@c.test"}"#)
        try refused("in_reply_to", #"{"to":["a@b.test"],"in_reply_to":"<a@b>\r\nBcc: x@y.test"}"#)
        try refused("references.0", #"{"to":["a@b.test"],"references":["a b"]}"#)
        try refused("headers.X-Xynap-Outbox-ID", #"{"to":["a@b.test"],"headers":{"X-Xynap-Outbox-ID":"1"}}"#)
        let long = String(repeating: "x", count: 8193)
        try refused("subject", #"{"to":["a@b.test"],"subject":"\#(long.prefix(2001))"}"#)
        try refused("cc.0", #"{"to":["a@b.test"],"cc":[{"addr":"a@b.test","name":"\#(long.prefix(501))"}]}"#)
        try refused("headers", #"{"to":["a@b.test"],"headers":{"X-A":"\#(long)"}}"#)
        let many = (0...100).map { #""X-\#($0)":"1""# }.joined(separator: ",")
        try refused("headers", #"{"to":["a@b.test"],"headers":{\#(many)}}"#)
        try refused("send_at", #"{"to":["a@b.test"],"send_at":"tomorrow"}"#)
        try refused("send_at", #"{"to":["a@b.test"],"send_at":"2031-01-01T00:00:00Z"}"#)
        try refused("undo_seconds", #"{"to":["a@b.test"],"undo_seconds":121}"#)
        try refused("undo_seconds", #"{"to":["a@b.test"],"undo_seconds":-1}"#)
        try refused("original.uid", #"{"to":["a@b.test"],"original":{"folder":"INBOX"}}"#)
        try refused("original.folder", #"{"to":["a@b.test"],"original":{"folder":"a\u0000","uid":1}}"#)
    }

    @Test(arguments: ["subject", "headers"]) func controlsCannotStandInHeaders(field: String) throws {
        for control in ["\\r\\n", "\\n", "\\r", "\\u0000", "\\u007f"] {
            let value = field == "headers" ? #"{"X-A":"a\#(control)Bcc: x@y.test"}"# : #""a\#(control)Bcc: x@y.test""#
            let request = try request(#"{"to":["a@b.test"],"\#(field)":\#(value)}"#)
            let message = try request.message(from: "a@b.test", now: 0)
            #expect(throws: MIMEError.self) { try message.encoded() }
        }
    }

    @Test func timesAreLatestOfBoth() throws {
        #expect(try request("{}").time(now: 5000) == nil)
        #expect(try request(#"{"undo_seconds":0}"#).time(now: 5000) == nil)
        #expect(try request(#"{"undo_seconds":10}"#).time(now: 5000) == 15_000)
        #expect(try request(#"{"send_at":"1970-01-01T00:00:01Z"}"#).time(now: 5000) == nil)
        #expect(try request(#"{"send_at":"1970-01-01T00:01:00Z","undo_seconds":10}"#).time(now: 5000) == 60_000)
    }

    @Test func theOriginalIsFlagged() throws {
        let reply = try request(#"{"in_reply_to":"<x@y>","original":{"folder":"INBOX"}}"#)
        let plan = try reply.plan(for: try reply.message(from: "a@b.test", now: 0))
        #expect(plan.original?.flag == "\\Answered" && plan.original?.messageID == "x@y")
        let forward = try request(#"{"original":{"folder":"A","uid":7,"relation":"forward"},"draft_uid":3}"#)
        let other = try forward.plan(for: try forward.message(from: "a@b.test", now: 0))
        #expect(other.original?.flag == "$Forwarded" && other.original?.uid == 7 && other.draftUID == 3)
    }
}
