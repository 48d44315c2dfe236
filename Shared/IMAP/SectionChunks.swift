/// A section of a message in pieces, for messages too large to hold: each piece is one partial fetch
/// (RFC 9051 §6.4.5, `BODY.PEEK[…]<offset.count>`).
public struct SectionChunks: AsyncSequence, Sendable {
    public typealias Element = [UInt8]

    let connection: IMAPConnection
    let uid: UInt32
    let section: MessageSection
    let chunkSize: UInt64

    public func makeAsyncIterator() -> Iterator {
        Iterator(chunks: self)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let chunks: SectionChunks
        private var offset: UInt64 = 0
        private var isAtEnd = false

        init(chunks: SectionChunks) {
            self.chunks = chunks
        }

        /// - Throws: `.no(.nonExistent, …)` when there is no such message or section; else as `IMAPConnection.run`.
        public mutating func next() async throws -> [UInt8]? {
            guard !isAtEnd else { return nil }
            let section = chunks.section
            let range = offset..<offset + chunks.chunkSize
            let fetched = try await chunks.connection.run(
                .uidFetch(SequenceSet(chunks.uid), [.body(section, bytes: range)]))
            guard let bytes = fetched.messages.compactMap({ $0.bytes(of: section) }).first else {
                throw IMAPError.no(.nonExistent, text: "no such message or section")
            }
            offset += UInt64(bytes.count)
            isAtEnd = UInt64(bytes.count) < chunks.chunkSize
            return bytes.isEmpty ? nil : bytes
        }
    }
}

extension IMAPConnection {
    /// The bytes of a section in pieces of at most `chunkSize`, fetched as they are asked for.
    public func chunks(
        of section: MessageSection, uid: UInt32, chunkSize: UInt32 = 512 * 1024
    ) -> SectionChunks {
        SectionChunks(connection: self, uid: uid, section: section, chunkSize: UInt64(Swift.max(chunkSize, 1)))
    }
}
