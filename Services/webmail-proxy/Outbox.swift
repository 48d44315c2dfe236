import HTTPService
import Logging
import MailModel
import Metrics
import NIOConcurrencyHelpers
import SMTP
import ServiceLifecycle
import Storage

/// Sends what is in the outbox: at once what a call waits for, in its time what was put off, and again what could not
/// be sent or was left over by somebody who died.
///
/// A row is worked on under a lease, by one worker of all replicas at a time. Each step is in the database before the
/// next begins, so that a worker may die anywhere (`docs/decisions/0013-the-outbox.md`).
final class Outbox: Sendable, Service {
    /// One row, leased.
    struct Job: Sendable {
        let message: Message
        let lease: OutboxStore.Lease
        let leasedAt = ContinuousClock.now
        /// Begun while the row was written.
        var early: EarlySubmission?
        /// Taken from the table; no call waits for it.
        var isClaimed = false
        /// Told what became of it, once.
        var answer: @Sendable (Result) -> Void = { _ in }
    }

    /// How far an attempt came.
    enum Result: Sendable {
        case sent([OutboxMessage.Recipient], Filing.Copy?)
        /// It will be tried again.
        case queued([OutboxMessage.Recipient])
        case failed(Failure)
    }

    /// For how long is tried: milliseconds.
    private static let patience: Int64 = 2 * 24 * 3600 * 1000
    /// Rows worked on at once, whoever put them there; more wait in line.
    private static let concurrency = 32
    /// Of them and of those in line, as many as are claimed from the table: the rest is for calls that wait.
    private static let maximumClaimed = 16
    /// A row that has waited in line for so long may have lost its lease.
    private static let freshness = Duration.milliseconds(OutboxStore.leaseTime / 3)

    let store: OutboxStore
    private let submission: Submission
    private let filing: Filing
    private let uploads: UploadStore
    private let logger: Logger
    private let jobs: AsyncStream<Job>
    private let feed: AsyncStream<Job>.Continuation
    private let claimed = NIOLockedValueBox(0)
    /// What the server accepted and the database could not note, by row: must not be sent again.
    private let unmarked = NIOLockedValueBox<[Int64: [OutboxMessage.Recipient]]>([:])
    private let messages = Gauge(label: "outbox_messages")
    private let oldestAge = Gauge(label: "outbox_oldest_message_age_seconds")
    private let isServerAway = NIOLockedValueBox(false)

    init(store: OutboxStore, uploads: UploadStore, submission: Submission, filing: Filing, logger: Logger) {
        self.store = store
        self.uploads = uploads
        self.submission = submission
        self.filing = filing
        self.logger = logger
        Counter.declare("outbox_attempts_total", by: "outcome", ["accepted", "postponed", "doubtful", "failed"])
        (jobs, feed) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingOldest(256))
    }

    /// Whether the submission server could not be reached when it was last tried.
    var isSubmissionServerAway: Bool { isServerAway.withLockedValue { $0 } }

    /// Begins to hand a message over that is about to be put into the outbox.
    ///
    /// - Returns: To be given to `submit`, or abandoned. nil when it is not to be sent now or there is no warm connection, and
    ///   for a sender that is yet to be checked, since a refusal would cost the connection.
    func begin(_ message: NewOutboxMessage, _ content: SubmissionMessage) -> EarlySubmission? {
        guard message.sendAt == nil, message.sender == message.mailbox, !isSubmissionServerAway else { return nil }
        let envelope = Envelope(
            sender: message.sender, recipients: message.recipients, hasUTF8Headers: message.isUTF8)
        return submission.begin(content, envelope: envelope, as: message.mailbox)
    }

    /// Works on a row, and waits for the result for so long.
    ///
    /// - Returns: nil when it takes longer; it goes on then.
    func submit(
        _ message: Message, _ lease: OutboxStore.Lease, _ early: EarlySubmission?, waitingFor budget: Duration
    ) async -> Result? {
        let (results, answer) = AsyncStream.makeStream(of: Result.self, bufferingPolicy: .bufferingOldest(1))
        let job = Job(message: message, lease: lease, early: early) { result in
            answer.yield(result)
            answer.finish()
        }
        guard case .enqueued = feed.yield(job) else {
            early?.abandon()
            return nil
        }
        return await withTaskGroup(of: Result?.self) { group in
            group.addTask { await results.first { _ in true } }
            group.addTask {
                try? await Task.sleep(for: budget)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// Until shutdown; what is being submitted then is let finish.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask {
                await cancelWhenGracefulShutdown {
                    await withDiscardingTaskGroup { loops in
                        loops.addTask { await self.claimDueRows() }
                        loops.addTask { await self.awaitServer() }
                        loops.addTask { await self.clean() }
                        loops.addTask { await self.measure() }
                    }
                }
                self.feed.finish()
            }
            await work()
        }
    }

    private func work() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await job in jobs {
                if running == Self.concurrency {
                    _ = await group.next()
                    running -= 1
                }
                running += 1
                group.addTask {
                    if await self.isStillLeased(job) {
                        await self.perform(job)
                    } else {
                        job.early?.abandon()
                        job.answer(.queued(job.message.recipients))
                    }
                    if job.isClaimed { self.claimed.withLockedValue { $0 -= 1 } }
                }
            }
        }
    }

    /// Whether a row that may have waited in line is ours to work on; when it is not, somebody else does.
    private func isStillLeased(_ job: Job) async -> Bool {
        guard job.leasedAt.duration(to: .now) > Self.freshness else { return true }
        return (try? await store.renew(job.lease)) ?? false
    }

    // MARK: Loops

    private func claimDueRows() async {
        var wasAway = false
        while !Task.isCancelled {
            do {
                let now = Timestamp.now()
                let due = try await store.nextDue() ?? .max
                if wasAway {
                    // Leases ran out meanwhile: who holds one notes first what was accepted.
                    wasAway = false
                    try await Task.sleep(for: Self.graceAfterOutage)
                    continue
                }
                let free = Self.maximumClaimed - claimed.withLockedValue { $0 }
                if due <= now, free > 0 {
                    for (row, lease) in try await store.claim(atMost: free) { enqueue(row, lease) }
                } else {
                    try await Task.sleep(for: .milliseconds(min(500, max(20, due - now))))
                }
            } catch {
                wasAway = error is Failure
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private func enqueue(_ row: OutboxMessage, _ lease: OutboxStore.Lease) {
        claimed.withLockedValue { $0 += 1 }
        if case .enqueued = feed.yield(Job(message: message(of: row), lease: lease, isClaimed: true)) { return }
        claimed.withLockedValue { $0 -= 1 }
    }

    private static let graceAfterOutage = Duration.seconds(2)

    /// Looks twice a second whether a server that was away has returned, and has then sent what waits for it.
    private func awaitServer() async {
        // What was left waiting by an earlier process.
        var mayHaveReturned = true
        while !Task.isCancelled {
            if isSubmissionServerAway, await submission.isServerBack() {
                isServerAway.withLockedValue { $0 = false }
                logger.info("The submission server is back")
                mayHaveReturned = true
            }
            if mayHaveReturned, (try? await store.release()) != nil { mayHaveReturned = false }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func measure() async {
        while !Task.isCancelled {
            if let (count, oldest) = try? await store.waiting() {
                messages.record(count)
                let age = oldest.map { max(0, Timestamp.now() - $0) / 1000 }
                oldestAge.record(age ?? 0)
            }
            try? await Task.sleep(for: .seconds(10))
        }
    }

    private func clean() async {
        while !Task.isCancelled {
            do {
                while try await store.removeExpired(), !Task.isCancelled {}
                while try await uploads.removeExpired(), !Task.isCancelled {}
            } catch { logger.debug("Outbox not cleaned up", metadata: ["error": "\(error)"]) }
            try? await Task.sleep(for: .seconds(60))
        }
    }

    private func message(of row: OutboxMessage) -> Message {
        Message(
            mailbox: Mailbox(address: row.mailbox, clientAddress: nil), sender: row.sender, messageID: row.messageID,
            isUTF8: row.isUTF8, recipients: row.recipients, plan: row.plan, isFilingDue: row.filing == .due,
            isFiled: row.filing == .done,
            isFirstFiling: row.attempts <= 1 && row.filing == .none && !row.isDoubtful,
            needsSubmission: row.state == .submitting, attempts: row.attempts,
            filingAttempts: row.filingAttempts, dueSince: max(row.createdAt, row.sendAt ?? 0),
            content: content(of: row.id, size: row.size, has8Bit: row.is8Bit))
    }

    /// The bytes of a row, from the database.
    func content(of id: Int64, size: Int, has8Bit: Bool) -> SubmissionMessage {
        let store = store
        return SubmissionMessage(bytes: nil, size: size, has8Bit: has8Bit) {
            let position = NIOLockedValueBox(0)
            return {
                let next = position.withLockedValue { position in
                    defer { position += 1 }
                    return position
                }
                return try await store.piece(next, of: id)
            }
        }
    }

    // MARK: One row

    private func perform(_ job: Job) async {
        var message = job.message
        let accepted = unmarked.withLockedValue { $0.removeValue(forKey: job.lease.id) }
        if let accepted, message.take(accepted) {
            // Noting that puts whoever is pending in the queue again.
            message.needsSubmission = true
            return await file(job, message)
        }
        if message.isFilingDue {
            let copy: Filing.Copy? = await keeping(job.lease, isVital: false) { [message] in
                await self.copy(message)
            }
            // A mailbox that cannot be written to keeps nobody else's mail back.
            guard copy == nil, message.isToBeSubmitted else { return await settle(job, message, copy) }
            guard await isStillLeased(job) else { return }
        }
        guard message.needsSubmission else { return await settle(job, message, nil) }
        let pending = message.recipients.filter { $0.state == .pending }.map(\.address)
        let envelope = Envelope(sender: message.sender, recipients: pending, hasUTF8Headers: message.isUTF8)
        let outcome = await keeping(job.lease, isVital: true) { [message] in
            await self.submit(message, envelope, job.early)
        }
        switch outcome {
        case .delivered(let delivery):
            message.note(accepted: delivery.accepted, rejected: delivery.rejected)
            count("accepted")
            await file(job, message)
        case .refused(let failure, let rejections):
            message.note(accepted: [], rejected: rejections)
            await fail(job, message, failure)
        case .later(let later):
            message.note(accepted: [], rejected: later.rejections)
            await postpone(job, message, later)
        case nil: job.answer(.queued(message.recipients))
        }
    }

    private func submit(
        _ message: Message, _ envelope: Envelope, _ early: EarlySubmission?
    ) async -> Submission.Outcome? {
        if isSubmissionServerAway {
            early?.abandon()
            return .later(Submission.Later(failure: .unavailable("Postfix"), isServerAway: true))
        }
        do {
            let outcome = try await submission.send(
                message.content, envelope: envelope, as: message.mailbox.address, early: early)
            if case .later(let later) = outcome, later.isServerAway {
                isServerAway.withLockedValue { $0 = true }
            }
            return outcome
        } catch { return nil }
    }

    /// Notes that the message was accepted and files it, at the same time.
    private func file(_ job: Job, _ message: Message) async {
        remember(message.recipients, acceptedOf: job.lease.id)
        let (copy, isMarked) =
            await keeping(job.lease, isVital: false) {
                async let marked = self.mark(job.lease, message.recipients, patiently: false)
                async let copy = self.copy(message)
                return (await copy, await marked)
            } ?? (nil, false)
        job.answer(message.hasPending ? .queued(message.recipients) : .sent(message.recipients, copy))
        // What was accepted must not be sent again for want of a note: the database may be back in a moment.
        if !isMarked, await !mark(job.lease, message.recipients, patiently: true) { return }
        await settle(job, message, copy)
    }

    private static let maximumTries = 240

    private func mark(
        _ lease: OutboxStore.Lease, _ recipients: [OutboxMessage.Recipient], patiently: Bool
    ) async -> Bool {
        var tries = 0
        repeat {
            do {
                // Without the lease: the row comes back to us, or somebody else has it.
                guard try await store.accepted(lease, recipients: recipients) else { return false }
                unmarked.withLockedValue { _ = $0.removeValue(forKey: lease.id) }
                return true
            } catch {
                tries += 1
                guard patiently, error is Failure || tries < Self.maximumTries else { return false }
                try? await Task.sleep(for: .milliseconds(250))
            }
            // An outage is waited out; only a shutdown is held up no longer than a minute.
        } while !Task.isCancelled && (tries < Self.maximumTries || !Task.isShuttingDownGracefully)
        return false
    }

    private func remember(_ recipients: [OutboxMessage.Recipient], acceptedOf id: Int64) {
        unmarked.withLockedValue { unmarked in
            // Rows that another replica has taken over; the doubt about them ends at delivery.
            if unmarked.count >= Self.maximumUnmarked { unmarked.removeAll() }
            unmarked[id] = recipients
        }
    }

    private static let maximumUnmarked = 10_000

    /// - Returns: nil when it could not be filed, or was before.
    private func copy(_ message: Message) async -> Filing.Copy? {
        guard !message.isFiled else { return nil }
        let content = message.content
        do {
            return try await filing.file(
                message.plan, messageID: message.messageID, of: message.mailbox, isFirst: message.isFirstFiling
            ) {
                if let bytes = content.bytes { return bytes }
                var bytes: [UInt8] = []
                bytes.reserveCapacity(content.size)
                let next = content.pieces()
                while let piece = try await next() { bytes += piece }
                return bytes
            }
        } catch {
            logger.warning(
                "A sent message was not filed yet",
                metadata: ["account": "\(message.mailbox.address)", "error": "\(error)"])
            return nil
        }
    }

    /// The last note on a row that was accepted: filed or not, and whether it comes back.
    private func settle(_ job: Job, _ message: Message, _ copy: Filing.Copy?) async {
        let isTooLate = Timestamp.now() - message.dueSince > Self.patience
        let retryAt = message.isToBeSubmitted ? Self.nextTry(after: message.attempts) : nil
        do {
            if copy != nil || message.isFiled {
                try await store.filed(job.lease, folder: copy?.folder, uid: copy?.uid, retryAt: retryAt)
            } else if isTooLate {
                logger.error("A sent message was not filed", metadata: ["account": "\(message.mailbox.address)"])
                try await store.filingGivenUp(job.lease, Self.copyNotKept, retryAt: retryAt)
            } else {
                try await store.filingFailed(job.lease, retryAt: Self.nextTry(after: message.filingAttempts + 1))
            }
        } catch { logger.notice("An outbox row is settled later", metadata: ["error": "\(error)"]) }
    }

    private static let copyNotKept = OutboxMessage.Trouble(
        code: "copy_not_kept", message: "It was sent, but the mailbox took no copy of it for two days.")

    private func fail(_ job: Job, _ message: Message, _ failure: Failure) async {
        count("failed")
        // Where others have got it, who has not is told by name.
        let isPartlySent = message.recipients.contains { $0.state == .accepted }
        let message = isPartlySent ? message.givenUp(code: "5.0.0", failure.detail) : message
        let trouble = OutboxMessage.Trouble(code: failure.outboxCode, message: failure.detail)
        let isFailed = await kept {
            try await self.store.failed(
                job.lease, recipients: message.recipients, trouble,
                filingAt: Self.nextTry(after: message.filingAttempts + 1))
        }
        if isFailed {
            logger.notice(
                "A message failed", metadata: ["account": "\(message.mailbox.address)", "code": "\(trouble.code)"])
        }
        job.answer(.failed(failure))
    }

    private func postpone(_ job: Job, _ message: Message, _ later: Submission.Later) async {
        guard Timestamp.now() - message.dueSince < Self.patience else {
            return await fail(job, message.givenUp(code: "4.4.7", "tried for two days"), later.failure)
        }
        count(later.isDoubtful ? "doubtful" : "postponed")
        let retryAt = Self.nextTry(
            after: message.attempts, longest: later.isRefusal ? Self.longestPause : Self.longestPauseInTrouble)
        let trouble = OutboxMessage.Trouble(code: later.failure.code, message: later.failure.detail)
        _ = await kept {
            try await self.store.postpone(
                job.lease, recipients: message.recipients, until: retryAt, trouble,
                isServerAway: later.isServerAway, isDoubtful: later.isDoubtful)
        }
        job.answer(.queued(message.recipients))
    }

    /// One change of a row; when the database is away just now, the lease runs out and the row is due again.
    private func kept(_ change: () async throws -> Bool) async -> Bool { (try? await change()) ?? false }

    private static let longestPause: Int64 = 900_000
    private static let longestPauseInTrouble: Int64 = 30_000

    /// Milliseconds since 1970: doubling from a second to the longest pause (in milliseconds), by chance a fifth more or
    /// less.
    private static func nextTry(after attempts: Int, longest: Int64 = longestPause) -> Int64 {
        let pause = min(longest, Int64(1000) << min(max(attempts, 1) - 1, 12))
        return Timestamp.now() + pause * Int64.random(in: 80...120) / 100
    }

    /// Renews the lease while `body` runs; when it is lost, a vital body is cancelled.
    private func keeping<Value: Sendable>(
        _ lease: OutboxStore.Lease, isVital: Bool, _ body: @escaping @Sendable () async -> Value?
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask {
                let isLost = await self.renewUntilLost(lease)
                // Not vital: somebody else has the row by now, who will find done what `body` does.
                if isLost, !isVital { try? await Task.sleep(for: .seconds(3600)) }
                return nil
            }
            group.addTask { await body() }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// - Returns: true when the lease is gone, false when cancelled.
    private func renewUntilLost(_ lease: OutboxStore.Lease) async -> Bool {
        let life = Duration.milliseconds(OutboxStore.leaseTime)
        var end = ContinuousClock.now + life
        while true {
            do { try await Task.sleep(for: life / 3) } catch { return false }
            let now = ContinuousClock.now
            do {
                guard try await store.renew(lease) else { return true }
                end = now + life
            } catch {
                if Task.isCancelled { return false }
                if ContinuousClock.now > end { return true }
            }
        }
    }

    private func count(_ outcome: String) {
        Counter(label: "outbox_attempts_total", dimensions: [("outcome", outcome)]).increment()
    }
}
