import Crypto
public import Credentials
public import HTTPService
import HTTPTypes
public import Hummingbird
public import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore
public import Storage

/// `Idempotency-Key`: a call that is made again with the same key and body is not carried out again, but answered as
/// the first time, for 24 hours.
///
/// Routes opt in where they are listed: `routes.once(platform.idempotency).post(…)`. The answer is kept sealed under
/// the key, which the database does not know, so that what is shown once (a token) is shown again to nobody but the
/// caller. Only answers that tell of success are kept: any other call may be made again. A call of ours that is refused
/// has changed nothing; one that another server did not answer in time (503, 504) may have, in a mailbox: a draft may then
/// be there twice, a message moved already.
///
/// A route that must not even do twice what a crash left unanswered notes what it makes in the transaction that makes
/// it (`CallerContext.idempotency`), and answers from that when it is called again.
public struct Idempotency: Sendable {
    /// How long a call holds its key at most, should it die: milliseconds.
    static let hold: Int64 = 30_000
    private static let purpose = "idempotency"

    private let store: IdempotencyStore
    private let box: SecretBox?
    private let logger: Logger
    fileprivate let running = NIOLockedValueBox<Set<Int64>>([])

    /// - Parameter box: Where the service has one, answers are sealed with it too.
    public init(store: IdempotencyStore, box: SecretBox? = nil, logger: Logger) {
        self.store = store
        self.box = box
        self.logger = logger
    }

    /// Forgets keys that have expired, again and again.
    func clean() async throws {
        while !Task.isCancelled {
            do { while try await store.removeExpired() {} } catch let error as CancellationError { throw error } catch {
                logger.debug("Idempotency keys not cleaned up", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(600))
        }
    }

    fileprivate func claim(
        _ request: Request, _ context: CallerContext, key: String, body: ByteBuffer
    ) async throws
        -> IdempotencyStore.Outcome
    {
        let account = request.headers[.mailAccount]?.lowercased() ?? ""
        let place = [context.caller.actor, request.method.rawValue, request.uri.path, account, key]
        var digest = HMAC<SHA256>(key: SymmetricKey(data: Array(key.utf8)))
        digest.update(data: Array((request.uri.query ?? "").utf8) + [0])
        body.withUnsafeReadableBytes { digest.update(data: $0) }
        let running = running
        return try await store.claim(
            keyHash: Self.hex(SHA256.hash(data: Array(place.joined(separator: "\0").utf8))),
            requestHash: Self.hex(digest.finalize()), duration: Self.hold,
            isRunning: { token in running.withLockedValue { $0.contains(token) } })
    }

    fileprivate func keep(_ claim: IdempotencyClaim, key: String, status: Int, answer: [UInt8]) async {
        do {
            let sealed = try AES.GCM.seal(answer, using: Self.sealingKey(key))
            let bytes = Array(sealed.nonce) + sealed.ciphertext + sealed.tag
            let answer = try box?.seal(bytes, purpose: Self.purpose) ?? bytes
            try await store.finish(claim, status: status, answer: answer)
        } catch {
            logger.warning("Answer of an idempotent call not kept", metadata: ["error": "\(error)"])
        }
    }

    fileprivate func open(_ sealed: [UInt8], key: String) throws -> [UInt8] {
        let bytes = try box?.open(sealed, purpose: Self.purpose) ?? sealed
        return Array(try AES.GCM.open(AES.GCM.SealedBox(combined: bytes), using: Self.sealingKey(key)))
    }

    fileprivate func release(_ claim: IdempotencyClaim) async {
        // A key that stays held is let go of by itself a little later.
        try? await store.release(claim)
    }

    private static func sealingKey(_ key: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Array(key.utf8)), info: Array("answer".utf8), outputByteCount: 32)
    }

    private static func hex(_ digest: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension RouterMethods where Context == CallerContext {
    /// The same routes, which honour `Idempotency-Key`.
    ///
    /// - Parameter maximumBody: The longest body of a call with a key: bytes.
    public func once(_ idempotency: Idempotency, upTo maximumBody: Int = 1 << 20) -> RouterGroup<CallerContext> {
        group("").add(middleware: OnceMiddleware(idempotency: idempotency, maximumBody: maximumBody))
    }
}

private struct OnceMiddleware: RouterMiddleware {
    typealias Context = CallerContext
    let idempotency: Idempotency
    let maximumBody: Int

    func handle(
        _ request: Request, context: CallerContext, next: (Request, CallerContext) async throws -> Response
    ) async throws -> Response {
        guard let key = request.headers[.idempotencyKey] else { return try await next(request, context) }
        guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) else {
            throw Failure.invalid(
                "Idempotency-Key", code: "invalid_idempotency_key", "must be 1 to 255 printable ASCII characters")
        }
        var request = request
        let body = try await request.bodyBytes(upTo: maximumBody)
        request.body = RequestBody(buffer: body)
        switch try await idempotency.claim(request, context, key: key, body: body) {
        case .replay(let status, let answer):
            let bytes = try idempotency.open(answer, key: key)
            return Response(
                status: .init(code: status),
                headers: bytes.isEmpty ? [.replayed: "true"] : [.contentType: "application/json", .replayed: "true"],
                body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        case .run(let claim):
            return try await run(claim, request, context, key: key, next)
        }
    }

    private func run(
        _ claim: IdempotencyClaim, _ request: Request, _ context: CallerContext, key: String,
        _ next: (Request, CallerContext) async throws -> Response
    ) async throws -> Response {
        idempotency.running.withLockedValue { _ = $0.insert(claim.token) }
        defer { idempotency.running.withLockedValue { _ = $0.remove(claim.token) } }
        var context = context
        context.idempotency = claim
        do {
            var response = try await next(request, context)
            guard response.status.kind == .successful else {
                await idempotency.release(claim)
                return response
            }
            let collected = NIOLockedValueBox<[UInt8]>([])
            try await response.body.write(Collector(bytes: collected))
            let bytes = collected.withLockedValue { $0 }
            response.body = .init(byteBuffer: ByteBuffer(bytes: bytes))
            await idempotency.keep(claim, key: key, status: response.status.code, answer: bytes)
            return response
        } catch {
            await idempotency.release(claim)
            throw error
        }
    }
}

/// Takes a response's body into memory.
private struct Collector: ResponseBodyWriter {
    let bytes: NIOLockedValueBox<[UInt8]>

    mutating func write(_ buffer: ByteBuffer) async throws {
        bytes.withLockedValue { $0.append(contentsOf: buffer.readableBytesView) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

extension HTTPField.Name {
    fileprivate static let idempotencyKey = Self("Idempotency-Key")!
    fileprivate static let replayed = Self("Idempotency-Replayed")!
    fileprivate static let mailAccount = Self("X-Mail-Account")!
}
