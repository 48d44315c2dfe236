import HTTPService
import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore

/// Images on other hosts, fetched for the readers of mails, so that their senders learn neither who reads nor from
/// where. Kept in memory, bounded in bytes; the same image is fetched once however many ask for it at a time.
final class RemoteImages: Sendable {
    struct Limits: Sendable {
        /// Bytes of one image.
        var size: Int
        /// For one image, redirects included.
        var timeout: Duration
        /// Bytes of all images kept.
        var cache: Int
        /// Ports that may be asked.
        var ports: [Int]
        /// What may be asked beside the Internet.
        var allowed: PublicAddresses
        /// Images fetched at once, in all and of one host.
        var fetches = 16
        var perHost = 6
        /// Images waiting to be fetched.
        var waiting = 256
    }

    struct Image: Sendable {
        let type: ImageType
        let body: ByteBuffer
    }

    private static let mostRedirects = 3
    private static let busy = Failure(
        .unavailable, code: "images_busy", "Too many images are being fetched; try again shortly.",
        retryAfter: .seconds(2))

    private struct State {
        var cache: ImageCache
        var running: [String: Task<Image, any Error>] = [:]
        var slots: FetchSlots
    }

    private let limits: Limits
    private let exchange: ImageExchange
    private let logger: Logger
    private let state: NIOLockedValueBox<State>

    /// - Throws: When the system's roots of trust cannot be read.
    init(limits: Limits, logger: Logger) throws {
        self.limits = limits
        self.logger = logger
        exchange = ImageExchange(connector: try PublicConnector(allowed: limits.allowed), maximumSize: limits.size)
        state = NIOLockedValueBox(
            State(
                cache: ImageCache(capacity: limits.cache),
                slots: FetchSlots(total: limits.fetches, perHost: limits.perHost, waiting: limits.waiting)))
    }

    /// - Throws: `Failure`: `upstream` `image_unavailable`, `timeout`, `unavailable` `images_busy`.
    func image(_ url: String) async throws -> Image {
        switch begin(url) {
        case .kept(.image(let image)): return image
        case .kept(.failure(let failure)): throw Failure(failure)
        case .running(let task): return try await task.value
        }
    }

    private enum Begun {
        case kept(ImageCache.Entry)
        case running(Task<Image, any Error>)
    }

    private func begin(_ url: String) -> Begun {
        state.withLockedValue { state -> Begun in
            if let entry = state.cache.find(url, now: .now) { return .kept(entry) }
            if let task = state.running[url] { return .running(task) }
            let task = Task { try await self.fetch(url) }
            state.running[url] = task
            return .running(task)
        }
    }

    private func fetch(_ text: String) async throws -> Image {
        defer { state.withLockedValue { _ = $0.running.removeValue(forKey: text) } }
        do {
            guard let url = PublicURL(text) else { throw ImageFailure.refused }
            let image = try await follow(url)
            state.withLockedValue { $0.cache.insert(.image(image), for: text, now: .now) }
            return image
        } catch let failure as ImageFailure {
            logger.debug("An image could not be fetched", metadata: ["why": "\(failure)"])
            state.withLockedValue { $0.cache.insert(.failure(failure), for: text, now: .now) }
            throw Failure(failure)
        }
    }

    private func follow(_ first: PublicURL) async throws -> Image {
        let deadline = NIODeadline.now() + TimeAmount(limits.timeout)
        var url = first
        for _ in 0...Self.mostRedirects {
            guard limits.ports.contains(url.port) else { throw ImageFailure.refused }
            let answer = try await withSlot(of: url.host) { try await exchange.get(url, until: deadline) }
            guard answer.status != 200 else {
                guard let type = ImageType(Array(answer.body.readableBytesView.prefix(64))) else {
                    throw ImageFailure.notAnImage
                }
                return Image(type: type, body: answer.body)
            }
            guard let next = answer.location.flatMap(url.resolving) else { throw ImageFailure.unreachable }
            url = next
        }
        throw ImageFailure.tooManyRedirects
    }

    private func withSlot<Value: Sendable>(
        of host: String, _ body: () async throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (waiter: FetchSlots.Waiter) in
            let isTaken = state.withLockedValue { $0.slots.take(host, waiter, until: .now + limits.timeout) }
            if !isTaken { waiter.resume(throwing: Self.busy) }
        }
        defer {
            let (next, late) = state.withLockedValue { $0.slots.give(back: host, now: .now) }
            next?.resume()
            for waiter in late { waiter.resume(throwing: Self.busy) }
        }
        return try await body()
    }
}

extension Failure {
    fileprivate init(_ failure: ImageFailure) {
        self =
            failure == .timedOut
            ? .timeout("The image's host")
            : Failure(.upstream, code: "image_unavailable", "There is no image to be had at this address.")
    }
}

/// Who may fetch now, and who waits: a slow host takes no more than its share.
struct FetchSlots {
    typealias Waiter = CheckedContinuation<Void, any Error>

    private struct Waiting {
        let host: String
        let waiter: Waiter
        let deadline: ContinuousClock.Instant
    }

    private let total: Int
    private let perHost: Int
    private let capacity: Int
    private var taken = 0
    private var hosts: [String: Int] = [:]
    private var queue: [Waiting] = []

    init(total: Int, perHost: Int, waiting: Int) {
        self.total = total
        self.perHost = perHost
        capacity = waiting
    }

    /// Takes a slot at once and resumes the waiter, or puts it into the queue.
    ///
    /// - Returns: false when the queue is full: the waiter is then still to be resumed.
    mutating func take(_ host: String, _ waiter: Waiter, until deadline: ContinuousClock.Instant) -> Bool {
        if isFree(for: host) {
            occupy(host)
            waiter.resume()
            return true
        }
        guard queue.count < capacity else { return false }
        queue.append(Waiting(host: host, waiter: waiter, deadline: deadline))
        return true
    }

    /// - Returns: Who is next, and who has waited too long.
    mutating func give(back host: String, now: ContinuousClock.Instant) -> (next: Waiter?, late: [Waiter]) {
        taken -= 1
        hosts[host] = hosts[host].flatMap { $0 > 1 ? $0 - 1 : nil }
        let late = queue.filter { $0.deadline <= now }.map(\.waiter)
        queue.removeAll { $0.deadline <= now }
        guard let index = queue.firstIndex(where: { isFree(for: $0.host) }) else { return (nil, late) }
        let next = queue.remove(at: index)
        occupy(next.host)
        return (next.waiter, late)
    }

    private func isFree(for host: String) -> Bool { taken < total && hosts[host, default: 0] < perHost }

    private mutating func occupy(_ host: String) {
        taken += 1
        hosts[host, default: 0] += 1
    }
}

/// Images by URL, the ones used longest ago given up first; failures for a minute, so that a dead host is not asked
/// again for every reader.
struct ImageCache {
    enum Entry {
        case image(RemoteImages.Image)
        case failure(ImageFailure)

        fileprivate var bytes: Int {
            switch self {
            case .image(let image): image.body.readableBytes
            case .failure: 0
            }
        }
        fileprivate var freshness: Duration {
            switch self {
            case .image: .seconds(3600)
            case .failure: .seconds(60)
            }
        }
    }

    private struct Kept {
        let entry: Entry
        let until: ContinuousClock.Instant
        let size: Int
        var use: UInt64
    }

    /// What an entry costs beside its bytes.
    private static let overhead = 512

    private let capacity: Int
    private var entries: [String: Kept] = [:]
    private(set) var size = 0
    private var uses: UInt64 = 0
    /// Every use in order; those that are not an entry's last are passed over.
    private var order: [(url: String, use: UInt64)] = []

    init(capacity: Int) { self.capacity = capacity }

    mutating func find(_ url: String, now: ContinuousClock.Instant) -> Entry? {
        guard let kept = entries[url] else { return nil }
        guard kept.until > now else {
            remove(url)
            return nil
        }
        touch(url)
        return kept.entry
    }

    mutating func insert(_ entry: Entry, for url: String, now: ContinuousClock.Instant) {
        remove(url)
        let bytes = entry.bytes + url.utf8.count + Self.overhead
        guard bytes <= capacity / 4 else { return }
        entries[url] = Kept(entry: entry, until: now + entry.freshness, size: bytes, use: 0)
        size += bytes
        touch(url)
        var oldest = 0
        while size > capacity, oldest < order.count {
            if entries[order[oldest].url]?.use == order[oldest].use { remove(order[oldest].url) }
            oldest += 1
        }
        order.removeFirst(oldest)
    }

    private mutating func touch(_ url: String) {
        uses += 1
        entries[url]?.use = uses
        order.append((url, uses))
        if order.count > 2 * entries.count + 1000 { order.removeAll { entries[$0.url]?.use != $0.use } }
    }

    private mutating func remove(_ url: String) {
        if let kept = entries.removeValue(forKey: url) { size -= kept.size }
    }
}
