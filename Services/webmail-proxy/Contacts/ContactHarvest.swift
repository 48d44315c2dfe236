import Logging
import MIME
import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle
import Storage

/// Learns whom the mailboxes write to and hear from, beside the calls and never in their way.
///
/// What goes out by way of us is told by `wroteTo` and kept within a moment. What other programs sent, and who wrote, is
/// read from the envelopes of Sent and INBOX: when somebody looks for people of a mailbox, at most once in `interval`, and
/// from where it was read last. A mail told before and found in Sent later counts once.
final class ContactHarvest: Sendable, Service {
    private struct Written {
        let recipients: [MIMEAddress]
        /// Milliseconds since 1970.
        let at: Int64
    }

    private struct State {
        var written: [String: [Written]] = [:]
        var waiting: [Mailbox] = []
        /// When mailboxes were read last.
        var looked: [String: ContinuousClock.Instant] = [:]
    }

    /// Mailboxes with mail to note, and mailboxes to read, at once; further ones come later.
    private static let capacity = 2000
    /// Messages of one mailbox to note.
    private static let perMailbox = 500
    private static let remembered = 20_000
    private static let workers = 2
    /// Until a mailbox that could not be read is read again at the earliest.
    private static let pause = Duration.seconds(10)

    private let contacts: ContactStore
    private let sessions: MailSessions
    private let interval: Duration
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    /// - Parameter interval: How often the folders of a mailbox are read at most.
    init(contacts: ContactStore, sessions: MailSessions, interval: Duration, logger: Logger) {
        self.contacts = contacts
        self.sessions = sessions
        self.interval = interval
        self.logger = logger
    }

    /// Notes that a mailbox wrote to people. Returns at once and never fails; what is lost here is found in Sent.
    ///
    /// - Parameter at: The `Date` of the message: milliseconds since 1970.
    func wroteTo(_ mailbox: String, _ recipients: [MIMEAddress], at: Int64) {
        state.withLockedValue { state in
            guard state.written[mailbox] != nil || state.written.count < Self.capacity,
                state.written[mailbox]?.count ?? 0 < Self.perMailbox
            else { return }
            state.written[mailbox, default: []].append(Written(recipients: recipients, at: at))
        }
    }

    /// Somebody looks for people of a mailbox: its folders are read soon, unless they were lately.
    func lookSoon(_ mailbox: Mailbox) {
        state.withLockedValue { state in
            if let looked = state.looked[mailbox.address], looked + interval > .now { return }
            guard state.waiting.count < Self.capacity else { return }
            if state.looked.count >= Self.remembered {
                state.looked = state.looked.filter { $0.value + interval > .now }
                if state.looked.count >= Self.remembered { state.looked = [:] }
            }
            state.looked[mailbox.address] = .now
            state.waiting.append(mailbox)
        }
    }

    /// Until graceful shutdown; then what is known is noted once more.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await Self.repeatedly { await self.keepWritten() } }
                for _ in 0..<Self.workers { group.addTask { await Self.repeatedly { await self.readFolders() } } }
            }
        }
        await keepWritten()
    }

    private static func repeatedly(_ body: @Sendable () async -> Void) async {
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    // MARK: Written to

    private func keepWritten() async {
        let written = state.withLockedValue { state in
            defer { state.written = [:] }
            return state.written
        }
        for (mailbox, messages) in written {
            do {
                var correspondents = Correspondents(
                    own: try await contacts.ownAddresses(of: mailbox), addsUp: false)
                for message in messages { correspondents.wroteTo(message.recipients, at: message.at) }
                try await contacts.record(correspondents.all, mailbox: mailbox)
            } catch let failure as Failure where failure.kind == .unavailable || failure.kind == .timeout {
                for message in messages { wroteTo(mailbox, message.recipients, at: message.at) }
            } catch let failure as Failure where failure.kind == .notFound {
                // The mailbox was deleted meanwhile.
            } catch {
                logger.error("Recipients not noted", metadata: ["account": "\(mailbox)", "error": "\(error)"])
            }
        }
    }

    // MARK: Read from folders

    private func readFolders() async {
        while !Task.isCancelled,
            let mailbox = state.withLockedValue({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() })
        {
            do {
                for source in ContactStore.Source.allCases { try await read(source, of: mailbox) }
            } catch {
                state.withLockedValue { $0.looked[mailbox.address] = ContinuousClock.now - interval + Self.pause }
                logger.notice(
                    "People of a mailbox not read",
                    metadata: ["account": "\(mailbox.address)", "error": "\(Self.code(error))"])
            }
        }
    }

    private func read(_ source: ContactStore.Source, of mailbox: Mailbox) async throws {
        let known = try await contacts.progress(of: source, mailbox: mailbox.address)
        let own = try await contacts.ownAddresses(of: mailbox.address)
        let found = try await sessions.withSession(of: mailbox, isRepeatable: true) {
            try await $0.people(of: source, after: known, own: own)
        }
        guard let found else { return }
        try await contacts.record(
            found.people, from: source, after: known, upTo: found.progress, mailbox: mailbox.address)
    }

    private static func code(_ error: any Error) -> String { (error as? Failure)?.code ?? "\(error)" }
}
