import MailModel
import NIOConcurrencyHelpers
import Storage

/// Whom a mailbox may mean, within a keystroke: an index of each mailbox in use, in bounded memory.
///
/// Each search looks whether the index is still what the database has (one row), and reads what was changed since, by
/// whichever replica. While the database is away the index answers as it is.
final class Autocomplete: Sendable {
    private struct Held {
        let people: MailboxPeople
        var lastUse: UInt64
        /// Bytes.
        var size: Int
    }

    private struct State {
        var held: [String: Held] = [:]
        var uses: UInt64 = 0
        var size = 0
    }

    private let contacts: ContactStore
    private let maximumSize: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter maximumSize: Bytes of all indexes together; the one used last may be larger.
    init(contacts: ContactStore, maximumSize: Int) {
        self.contacts = contacts
        self.maximumSize = maximumSize
    }

    /// - Throws: `Failure.notFound` when there is no such mailbox.
    func search(_ query: String, limit: Int, mailbox: String) async throws -> [AutocompleteIndex.Match] {
        let people = state.withLockedValue { state in
            state.uses += 1
            let held = state.held[mailbox] ?? Held(people: MailboxPeople(mailbox, contacts), lastUse: 0, size: 0)
            state.held[mailbox] = Held(people: held.people, lastUse: state.uses, size: held.size)
            return held.people
        }
        do {
            let (matches, size) = try await people.search(query, limit: limit, now: Timestamp.now())
            note(size, of: mailbox, people)
            return matches
        } catch let failure as Failure where failure.kind == .notFound {
            drop(mailbox)
            throw failure
        }
    }

    /// Bytes, and how many mailboxes.
    var usage: (size: Int, mailboxes: Int) { state.withLockedValue { ($0.size, $0.held.count) } }

    private func drop(_ mailbox: String) {
        state.withLockedValue { state in state.size -= state.held.removeValue(forKey: mailbox)?.size ?? 0 }
    }

    /// Makes room: the indexes unused for longest go.
    private func note(_ size: Int, of mailbox: String, _ people: MailboxPeople) {
        state.withLockedValue { state in
            guard let held = state.held[mailbox], held.people === people else { return }
            state.size += size - held.size
            state.held[mailbox]?.size = size
            while state.size > maximumSize, state.held.count > 1,
                let oldest = state.held.min(by: { $0.value.lastUse < $1.value.lastUse }), oldest.key != mailbox
            {
                state.size -= oldest.value.size
                state.held[oldest.key] = nil
            }
        }
    }
}

/// The index of one mailbox.
private actor MailboxPeople {
    /// Of one read.
    private static let batch = 5000
    /// What a mailbox takes beside its index: bytes.
    private static let overhead = 1000

    private let mailbox: String
    private let contacts: ContactStore
    private var index = AutocompleteIndex()
    /// What the index is a copy of; nil before it was read.
    private var state: ContactStore.BookState?
    /// A read in progress, which all wait for.
    private var reading: Task<Void, any Error>?

    init(_ mailbox: String, _ contacts: ContactStore) {
        self.mailbox = mailbox
        self.contacts = contacts
    }

    func search(
        _ query: String, limit: Int, now: Int64
    ) async throws -> (matches: [AutocompleteIndex.Match], size: Int) {
        do {
            try await refresh()
        } catch let failure as Failure where state != nil && failure.kind != .notFound {
            // An answer of a moment ago is better than none.
        }
        return (index.search(query, limit: limit, now: now), index.size + Self.overhead)
    }

    private func refresh() async throws {
        let current = try await contacts.state(of: mailbox)
        while state != current {
            // What is read meanwhile may be older than what was seen.
            if let state, state.account == current.account, state.version > current.version { return }
            if let reading {
                try await reading.value
                continue
            }
            let task = Task { try await self.read(upTo: current) }
            reading = task
            defer { reading = nil }
            try await task.value
        }
    }

    private func read(upTo current: ContactStore.BookState) async throws {
        let known = state.flatMap { state in
            state.account == current.account && state.version >= current.completeFrom ? state.version : nil
        }
        var fresh = known == nil ? AutocompleteIndex() : nil
        var address = ""
        while true {
            let people = try await contacts.people(
                after: known, startingAfter: address, limit: Self.batch, mailbox: mailbox)
            if fresh == nil { index.apply(people) } else { fresh?.apply(people) }
            guard people.count == Self.batch, let last = people.last else { break }
            address = last.address
        }
        if let fresh { index = fresh }
        state = current
    }
}
