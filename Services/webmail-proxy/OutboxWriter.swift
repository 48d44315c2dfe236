import MailModel
import Storage

/// Writes a composed message into the outbox, in pieces: none of the statements is larger than one of them.
struct OutboxWriter: Sendable {
    /// Bytes.
    private static let chunkSize = 512 << 10

    let outbox: Outbox
    let attachments: Attachments

    /// A message that is kept.
    struct Written {
        let lease: OutboxStore.Lease
        /// Where it is to be read from.
        let content: SubmissionMessage
        /// To be submitted, or abandoned.
        var early: EarlySubmission?
    }

    /// When it returns, the message is kept.
    ///
    /// - Throws: `Failure`.
    func put(
        _ message: ComposedMessage, _ entry: NewOutboxMessage, of mailbox: Mailbox, claim: IdempotencyClaim?
    ) async throws -> Written {
        if message.size <= Self.chunkSize { return try await putWhole(message, entry, of: mailbox, claim) }
        let store = outbox.store
        let id = try await store.begin(entry)
        do {
            var chunk: [UInt8] = []
            var position = 0
            try await message.write(from: attachments, of: mailbox) { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let part = rest.prefix(Self.chunkSize - chunk.count)
                    chunk += part
                    rest = rest.dropFirst(part.count)
                    guard chunk.count == Self.chunkSize else { continue }
                    try await store.append(chunk, position: position, to: id)
                    position += 1
                    chunk.removeAll(keepingCapacity: true)
                }
            }
            if !chunk.isEmpty { try await store.append(chunk, position: position, to: id) }
            let lease = try await store.complete(id, entry, size: message.size, claim: claim)
            return Written(
                lease: lease, content: outbox.content(of: id, size: message.size, has8Bit: message.has8Bit))
        } catch {
            // What is left is deleted later, should this fail too.
            try? await store.abandon(id)
            throw error
        }
    }

    private func putWhole(
        _ message: ComposedMessage, _ entry: NewOutboxMessage, of mailbox: Mailbox, _ claim: IdempotencyClaim?
    ) async throws -> Written {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.size)
        try await message.write(from: attachments, of: mailbox) { bytes += $0 }
        let content = SubmissionMessage(whole: bytes, has8Bit: message.has8Bit)
        // Beside the commit; the message itself leaves only behind it.
        let early = outbox.begin(entry, content)
        do {
            let lease = try await outbox.store.add(entry, chunk: bytes, claim: claim)
            return Written(lease: lease, content: content, early: early)
        } catch {
            early?.abandon()
            throw error
        }
    }
}

extension SubmissionMessage {
    /// A message that is in memory.
    init(whole bytes: [UInt8], has8Bit: Bool) {
        self.init(bytes: bytes, size: bytes.count, has8Bit: has8Bit, pieces: { { nil } })
    }
}
