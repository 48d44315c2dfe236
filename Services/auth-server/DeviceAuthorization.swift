import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Where a device without a browser asks to be let in (RFC 8628 §3.1).
struct DeviceAuthorization: Sendable {
    let platform: Platform
    let issuer: String

    /// Seconds.
    private static let lifetime: Int64 = 600
    private static let interval = 5
    /// How many requests of one network may wait at once.
    private static let limit = 20

    func add(to router: ServiceRouter) {
        router.post("/oauth2/device") { request, context in
            try await OAuthError.answering { try await authorize(request, context) }
        }
    }

    /// RFC 8628 §3.2
    private struct Answer: Encodable {
        let device_code: String
        let user_code: String
        let verification_uri: String
        let verification_uri_complete: String
        let expires_in = DeviceAuthorization.lifetime
        let interval = DeviceAuthorization.interval
    }

    private func authorize(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let form = OAuthParameters(try await request.form())
        guard let client = try await platform.database.oauthClients.find(try form.required("client_id")) else {
            throw OAuthError.unknownClient
        }
        guard let scope = MailScope(try form["scope"]) else { throw OAuthError.invalidScope }
        let now = Timestamp.now()
        let code = OpaqueToken(new: .device)
        // A code that is taken already is as unlikely as a lottery win; a full waiting room is not.
        for _ in 0..<3 {
            let request = DeviceRequest(
                userCode: UserCode.new().letters, clientID: client.clientID, scope: scope.text,
                ip: context.clientAddress,
                network: ClientNetwork(of: context.clientAddress).text, createdAt: now)
            let isKept = try await platform.database.deviceCodes.keep(
                request, hash: code.hash, interval: Self.interval, expiresAt: now + Self.lifetime * 1000,
                limit: Self.limit)
            guard isKept, let userCode = UserCode(request.userCode) else { continue }
            await platform.audit.record(
                .init(
                    actor: AuditStore.anonymous, action: "oauth.device_requested", target: client.clientID,
                    ip: context.clientAddress, requestID: context.requestID))
            let answer = Answer(
                device_code: code.text, user_code: userCode.text, verification_uri: issuer + "/oauth2/device",
                verification_uri_complete: issuer + "/oauth2/device?user_code=\(userCode.text)")
            return try .json(answer, headers: [.cacheControl: "no-store"])
        }
        throw Failure(
            .tooManyRequests, code: "too_many_devices", "Too many devices at this address wait to be let in.",
            retryAfter: .seconds(60))
    }
}

/// What a person types to let a device in: eight consonants, so that no word comes of it and no letter is taken for
/// another (RFC 8628 §6.1).
struct UserCode: Sendable, Equatable {
    private static let alphabet = Array("BCDFGHJKLMNPQRSTVWXZ")

    /// Without the dash.
    let letters: String

    /// As it is shown: `BCDF-GHJK`.
    var text: String { "\(letters.prefix(4))-\(letters.suffix(4))" }

    /// 34 random bits.
    static func new() -> UserCode {
        var generator = SystemRandomNumberGenerator()
        return UserCode(unchecked: String((0..<8).map { _ in alphabet.randomElement(using: &generator) ?? "B" }))
    }

    /// Reads a code as typed: in any case, with dashes and spaces anywhere.
    init?(_ typed: String) {
        guard typed.utf8.count <= 32 else { return nil }
        let letters = typed.uppercased().filter { $0 != "-" && $0 != " " }
        guard letters.count == 8, letters.allSatisfy(Self.alphabet.contains) else { return nil }
        self.letters = letters
    }

    private init(unchecked letters: String) { self.letters = letters }
}
