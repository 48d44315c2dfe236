import Redis
import Testing

@Suite struct GapQueueTests {
    @Test func keepsOrderAndTellsOfGaps() async {
        let queue = GapQueue<Int>(capacity: 3, gap: -1)
        for number in 1...3 { queue.append(number) }
        let reader = queue.makeAsyncIterator()
        #expect(await reader.next() == 1)
        for number in 4...6 { queue.append(number) }
        // 5 did not fit: it and what waited before it became the gap.
        #expect([await reader.next(), await reader.next()] == [-1, 6])
        queue.append(7)
        queue.finish()
        queue.append(8)
        #expect([await reader.next(), await reader.next()] == [7, nil])
    }

    @Test func aCancelledReaderEnds() async {
        let queue = GapQueue<Int>(capacity: 3, gap: -1)
        let reader = Task { await queue.makeAsyncIterator().next() }
        reader.cancel()
        #expect(await reader.value == nil)
        queue.append(1)
        #expect(await queue.makeAsyncIterator().next() == 1)
    }
}
