import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import WebSockets

/// Bytes of a client in, frames out.
struct ClientFrameTests {
    private func code(_ body: () throws -> Void) -> UInt16? {
        do {
            try body()
            return nil
        } catch { return (error as? FrameViolation)?.code }
    }

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536]) func lengths(_ count: Int) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        var bytes = ByteBuffer(bytes: RawClient.frame(1, payload) + [0x81])
        let frame = try ClientFrame.next(in: &bytes, maximumSize: 65_536)
        #expect(frame?.isFinal == true)
        #expect(frame.map { Array($0.data.readableBytesView) } == payload)
        let rest = try ClientFrame.next(in: &bytes, maximumSize: 65_536)
        #expect(rest == nil)
        #expect(bytes.readableBytes == 1, "nothing is taken of what is not whole")
    }

    @Test func whatIsTooLargeIsRefusedByItsHead() {
        var bytes = ByteBuffer(bytes: RawClient.frame(1, [UInt8](repeating: 0, count: 1000)).prefix(4))
        let refusal = code { _ = try ClientFrame.next(in: &bytes, maximumSize: 999) }
        #expect(refusal == 1009)
    }

    /// Before a byte of what is announced is kept.
    @Test(
        arguments: [
            ([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
            ([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], 1009), ([0x81, 0xfe, 0x03, 0xe8], 1009),
            ([0x89, 0xfe, 0, 126], 1002), ([0x09, 0x80], 1002), ([0x81, 0x01], 1002), ([0xc1, 0x81], 1002),
            ([0x83, 0x81], 1002), ([0x8b, 0x80], 1002),
        ] as [([UInt8], UInt16)]) func heads(head: [UInt8], refusal: UInt16)
    {
        var bytes = ByteBuffer(bytes: head)
        let told = code { _ = try ClientFrame.next(in: &bytes, maximumSize: 999) }
        #expect(told == refusal)
    }

    @Test func fragmentsAreBoundedTogether() throws {
        var bytes = ByteBuffer(bytes: RawClient.frame(1, [1, 2, 3], fin: false) + RawClient.frame(0, [4, 5]))
        let firstRead = try ClientFrame.next(in: &bytes, maximumSize: 10)
        let first = try #require(firstRead)
        let secondRead = try ClientFrame.next(in: &bytes, maximumSize: 10)
        let second = try #require(secondRead)
        var fragments = Fragments()
        let early = try fragments.add(first, maximumSize: 5)
        #expect(early == nil)
        let message = try fragments.add(second, maximumSize: 5)
        #expect(message?.data.readableBytes == 5)
        _ = try fragments.add(first, maximumSize: 4)
        let tooLarge = code { _ = try fragments.add(second, maximumSize: 4) }
        #expect(tooLarge == 1009)
        let forgotten = code { _ = try fragments.add(second, maximumSize: 9) }
        #expect(forgotten == 1002)
    }

    /// Who pings without reading the answers is kept no queue of them.
    @Test func ofManyPingsTheLastIsAnswered() throws {
        let handler = WebSocketMessages(configuration: WebSocketConfiguration(), areHeard: false)
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(handler)
        channel.isWritable = false
        for number in 1...3 { try channel.writeInbound(ByteBuffer(bytes: RawClient.frame(9, [UInt8(number)]))) }
        let early = try channel.readOutbound(as: ByteBuffer.self)
        #expect(early == nil)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        let pong = try channel.readOutbound(as: ByteBuffer.self)
        #expect(pong == ByteBuffer(bytes: [0x8a, 1, 3]))
        let more = try channel.readOutbound(as: ByteBuffer.self)
        #expect(more == nil)
        _ = try channel.finish()
    }
}
