import Credentials
import EventBus
import FoundationEssentials
import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import Platform
import Storage

/// The way of a person through the pages: (device code →) password → second factor → consent → back.
///
/// Nobody stays signed in: each program that is let in asks for the password once, and a browser left open opens
/// nothing. What links one page to the next is sealed in the form and bound to a cookie of this browser, so that a form
/// that another site made or took away counts for nothing.
struct SignInPages: Sendable {
    let platform: Platform
    let passwordLogin: PasswordLogin
    let secondFactor: SecondFactor
    let mailTokens: MailTokens
    let rates: RateBound
    let seal: PageSeal
    let issuer: String
    let brand: Page.Brand

    func add(to router: ServiceRouter) {
        router.get("/oauth2/authorize", use: authorize)
        router.get("/oauth2/device", use: device)
        router.post("/oauth2/continue", use: proceed)
    }

    // MARK: Ways in

    @Sendable private func authorize(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let text = PageText(language: language(of: request))
        do {
            let asked = try await AuthorizationRequest(OAuthParameters(try request.query())) {
                try await platform.database.oauthClients.find($0)
            }
            return try await begin(.password, request, text) { $0.request = asked }
        } catch AuthorizationRequest.Refusal.told(let error, let redirect, let state) {
            return Self.redirect(to: redirect.answer(error, state: state, issuer: issuer))
        } catch AuthorizationRequest.Refusal.shown(let error) {
            return stop(text, text.faultyRequest(error.code), .badRequest)
        } catch AuthorizationRequest.Refusal.untrusted {
            return stop(text, text.unknownClient, .badRequest)
        } catch let failure as Failure {
            return stop(text, failure.kind == .malformed ? text.unknownClient : text.unavailable, failure.pageStatus)
        }
    }

    @Sendable private func device(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let text = PageText(language: language(of: request))
        let typed = (try? request.query())?["user_code"].flatMap { UserCode($0) }?.text
        return try await begin(.deviceCode, request, text, typed: typed) { _ in }
    }

    private func begin(
        _ step: PageState.Step, _ request: Request, _ text: PageText, typed: String? = nil,
        _ fill: (inout PageState) -> Void
    ) async throws -> Response {
        let browser = cookie(of: request) ?? OpaqueToken.identifier()
        var state = PageState(
            step: step, language: text.language, browser: OpaqueToken.hash(of: browser),
            expiresAt: Timestamp.now() + PageState.lifetime)
        fill(&state)
        var page = try await page(state, typed: typed)
        page.languageLinks = PageLanguage.allCases.filter { $0 != text.language }.map {
            ($0, Self.link(request.uri.path, query: request.uri.query, language: $0))
        }
        return page.response(brand: brand, headers: [.setCookie: setCookie(browser)])
    }

    // MARK: From page to page

    /// What the pages' forms send.
    private struct Form {
        let fields: FormFields
        let source: String
        let requestID: String
        subscript(_ name: String) -> String { fields[name] ?? "" }
    }

    @Sendable private func proceed(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let text = PageText(language: language(of: request))
        let form: Form
        do {
            form = Form(
                fields: try await request.form(), source: context.clientAddress, requestID: context.requestID)
        } catch let failure as Failure { return stop(text, text.expired, failure.pageStatus) }
        guard isOurs(request), let browser = cookie(of: request),
            let state = seal.open(form["page"], browser: browser)
        else { return stop(text, text.expired, .forbidden) }
        do { return try await proceed(state, form) } catch let failure as Failure {
            return stop(
                PageText(language: state.language), PageText(language: state.language).unavailable, failure.pageStatus)
        }
    }

    private func proceed(_ state: PageState, _ form: Form) async throws -> Response {
        switch state.step {
        case .deviceCode: try await checkDeviceCode(state, form)
        case .password: try await checkPassword(state, form)
        case .secondFactor: try await checkSecondFactor(state, form)
        case .consent: try await decide(state, form)
        }
    }

    private func checkDeviceCode(_ state: PageState, _ form: Form) async throws -> Response {
        var state = state
        let text = PageText(language: state.language)
        // Nobody tries codes until one is somebody's: the waiting ones are few among 25 thousand million.
        let name = "oauth.usercode.\(ClientNetwork(of: form.source).text)"
        guard await rates.admits(name, upTo: 30, within: .seconds(600)) else {
            return stop(text, text.wait(seconds: 600), .tooManyRequests, retryAfter: 600)
        }
        guard let code = UserCode(form["user_code"]),
            try await platform.database.deviceCodes.waiting(userCode: code.letters) != nil
        else {
            return try await again(
                state, text.wrongDeviceCode, .badRequest, typed: form["user_code"].prefix(scalars: 32))
        }
        state.userCode = code.letters
        state.step = .password
        return try await again(state)
    }

    private func checkPassword(_ state: PageState, _ form: Form) async throws -> Response {
        let text = PageText(language: state.language)
        let email = form["email"].prefix(scalars: 320)
        let now = Timestamp.now()
        do {
            let principal = try await passwordLogin.checkPassword(
                .init(email: email, password: form["password"], source: form.source, requestID: form.requestID))
            var state = state
            state.subject = principal.subject
            state.authenticatedAt = now
            let isAsked = try await secondFactor.isOn(for: principal.subject)
            if isAsked {
                await passwordLogin.lacksSecondFactor(principal, source: form.source, requestID: form.requestID)
            }
            state.step = isAsked ? .secondFactor : .consent
            return try await again(state)
        } catch let failure as Failure where failure.code == "invalid_credentials" {
            return try await again(state, text.wrongPassword, .unauthorized, typed: email)
        } catch let failure as Failure where failure.code == "account_suspended" {
            return try await again(state, text.suspended, .forbidden, typed: email)
        } catch let failure as Failure where failure.kind == .tooManyRequests {
            let wait = max(1, failure.retryAfter?.components.seconds ?? 1)
            return try await again(state, text.wait(seconds: wait), .tooManyRequests, typed: email, retryAfter: wait)
        }
    }

    private func checkSecondFactor(_ state: PageState, _ form: Form) async throws -> Response {
        let text = PageText(language: state.language)
        guard let principal = try await principal(of: state) else { return stop(text, text.expired, .forbidden) }
        do {
            try await passwordLogin.checkSecondFactor(
                form["code"], of: principal, source: form.source, requestID: form.requestID)
            var state = state
            state.step = .consent
            return try await again(state)
        } catch let failure as Failure where failure.code == "totp_invalid" {
            return try await again(state, text.wrongCode, .unauthorized)
        } catch let failure as Failure where failure.kind == .tooManyRequests {
            let wait = max(1, failure.retryAfter?.components.seconds ?? 1)
            return try await again(state, text.wait(seconds: wait), .tooManyRequests, retryAfter: wait)
        }
    }

    // MARK: The decision

    private func decide(_ state: PageState, _ form: Form) async throws -> Response {
        let text = PageText(language: state.language)
        let isAllowed = form["decision"] == "allow"
        let mailbox = form["mailbox"]
        guard let principal = try await principal(of: state, opening: isAllowed ? mailbox : nil) else {
            return stop(text, text.expired, .forbidden)
        }
        if isAllowed {
            guard try await mailTokens.mailboxes(of: principal).contains(mailbox) else {
                return try await again(state, text.noMailbox, .forbidden)
            }
            await passwordLogin.succeeded(
                principal, client: state.request?.clientID, source: form.source, requestID: form.requestID)
        }
        // Which mailbox the form named is checked only where it is let in.
        await record(
            isAllowed ? "oauth.consent_granted" : "oauth.consent_denied", principal,
            isAllowed ? mailbox : principal.email, form)
        if let request = state.request {
            return try await answer(request, state, principal, isAllowed ? mailbox : nil)
        }
        return try await answerDevice(state, principal, isAllowed ? mailbox : nil)
    }

    /// Back to the client: with a code, or with the person's no.
    private func answer(
        _ request: AuthorizationRequest, _ state: PageState, _ principal: Principal, _ mailbox: String?
    ) async throws -> Response {
        let text = PageText(language: state.language)
        guard let redirect = RedirectURI(request.redirectURI) else { return stop(text, text.expired, .badRequest) }
        guard let mailbox else {
            let denied = OAuthError("access_denied", "The person said no.")
            return Self.redirect(to: redirect.answer(denied, state: request.state, issuer: issuer))
        }
        let code = OpaqueToken(new: .code)
        try await platform.database.authorizationCodes.keep(
            AuthorizationGrant(
                clientID: request.clientID, redirectURI: request.redirectURI, subject: principal.subject,
                mailbox: mailbox, scope: request.scope, challenge: request.challenge,
                authenticatedAt: state.authenticatedAt ?? 0),
            hash: code.hash, expiresAt: Timestamp.now() + 60_000)
        return Self.redirect(
            to: redirect.answer([("code", code.text)], state: request.state, issuer: issuer))
    }

    private func answerDevice(
        _ state: PageState, _ principal: Principal, _ mailbox: String?
    ) async throws -> Response {
        let text = PageText(language: state.language)
        let codes = platform.database.deviceCodes
        guard let userCode = state.userCode, let device = try await codes.waiting(userCode: userCode) else {
            return stop(text, text.wrongDeviceCode, .badRequest)
        }
        if let mailbox {
            guard
                try await codes.approve(
                    userCode, subject: principal.subject, mailbox: mailbox, scope: device.scope,
                    authenticatedAt: state.authenticatedAt ?? 0)
            else { return stop(text, text.wrongDeviceCode, .badRequest) }
            return Page(text: text, heading: text.allowedHeading, content: [.paragraph(text.allowed)])
                .response(brand: brand)
        }
        _ = try await codes.deny(userCode)
        return Page(text: text, heading: text.deniedHeading, content: [.paragraph(text.denied)])
            .response(brand: brand)
    }

    /// Who it is, if nobody ended what was issued to that person, or to the mailbox, since the password was shown.
    private func principal(of state: PageState, opening mailbox: String? = nil) async throws -> Principal? {
        guard let subject = state.subject, let principal = try await passwordLogin.principal(subject: subject),
            principal.isActive,
            try await !platform.database.revocations.isRevoked(
                subject: subject, mailbox: mailbox, since: state.authenticatedAt ?? 0)
        else { return nil }
        return principal
    }

    private func record(
        _ action: String, _ principal: Principal, _ target: String, _ form: Form
    ) async {
        await platform.audit.record(
            .init(
                actor: principal.subject, customerID: principal.customerID, action: action, target: target,
                ip: form.source, requestID: form.requestID))
    }

    // MARK: Whose form it is

    private var isSecure: Bool { issuer.hasPrefix("https://") }
    private var cookieName: String { isSecure ? "__Host-xynap-page" : "xynap-page" }

    private func cookie(of request: Request) -> String? {
        PageState.browser(cookies: request.headers[.cookie] ?? "", name: cookieName)
    }

    private func setCookie(_ browser: String) -> String {
        "\(cookieName)=\(browser); Path=/; Max-Age=3600; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "")
    }

    /// Whether the form was sent by a page of ours, as far as the browser tells (Fetch Metadata, RFC 6454 §7).
    private func isOurs(_ request: Request) -> Bool {
        if let site = request.headers[.secFetchSite], site != "same-origin", site != "none" { return false }
        guard let origin = request.headers[.origin] else { return true }
        return origin == issuer.split(separator: "/", maxSplits: 2).prefix(2).joined(separator: "//")
    }

    // MARK: Pages

    private func again(
        _ state: PageState, _ problem: String? = nil, _ status: HTTPResponse.Status = .ok, typed: String? = nil,
        retryAfter: Int64? = nil
    ) async throws -> Response {
        var page = try await page(state, problem, typed: typed)
        page.status = status
        page.retryAfter = retryAfter
        return page.response(brand: brand)
    }

    private func stop(
        _ text: PageText, _ message: String, _ status: HTTPResponse.Status, retryAfter: Int64? = nil
    ) -> Response {
        Page(
            text: text, heading: text.stopHeading, content: [.problem(message)], status: status, retryAfter: retryAfter
        ).response(brand: brand)
    }

    private func page(_ state: PageState, _ problem: String? = nil, typed: String? = nil) async throws -> Page {
        let client = try await client(of: state)
        let content = PageContent(
            text: PageText(language: state.language), page: try seal.seal(state), problem: problem, typed: typed)
        switch state.step {
        case .deviceCode: return content.deviceCode()
        case .password:
            let device = try await waiting(state)
            return content.password(
                client: client, loginHint: state.request?.loginHint, device: device, now: Timestamp.now())
        case .secondFactor: return content.secondFactor()
        case .consent:
            guard let principal = try await principal(of: state) else { return content.stopped(content.text.expired) }
            let mailboxes = try await mailTokens.mailboxes(of: principal)
            guard !mailboxes.isEmpty else { return content.stopped(content.text.noMailbox) }
            let device = try await waiting(state)
            return content.consent(
                client: client, mailboxes: mailboxes, hint: state.request?.loginHint,
                scope: MailScope(state.request?.scope ?? device?.scope) ?? .all,
                redirect: state.request.flatMap { RedirectURI($0.redirectURI) })
        }
    }

    private func waiting(_ state: PageState) async throws -> DeviceRequest? {
        guard let userCode = state.userCode else { return nil }
        return try await platform.database.deviceCodes.waiting(userCode: userCode)
    }

    private func client(of state: PageState) async throws -> OAuthClient? {
        var clientID = state.request?.clientID
        if clientID == nil { clientID = try await waiting(state)?.clientID }
        guard let clientID else { return nil }
        return try await platform.database.oauthClients.find(clientID)
    }

    // MARK: Small things

    private func language(of request: Request) -> PageLanguage {
        let query = try? request.query()
        return PageLanguage(
            locales: query?["lang"] ?? query?["ui_locales"], accepted: request.headers[.acceptLanguage])
    }

    private static func link(_ path: String, query: String?, language: PageLanguage) -> String {
        let kept = (query ?? "").split(separator: "&").filter { !$0.hasPrefix("lang=") }
        return path + "?" + (kept.map(String.init) + ["lang=\(language.rawValue)"]).joined(separator: "&")
    }

    /// 303: the browser asks for the new place with GET, and does not send the form there (RFC 9700 §4.12).
    private static func redirect(to url: String) -> Response {
        Response(status: .seeOther, headers: [.location: url, .cacheControl: "no-store"])
    }
}

extension HTTPField.Name {
    // Known names of Fetch Metadata; the package has none for it.
    fileprivate static var secFetchSite: HTTPField.Name { HTTPField.Name("Sec-Fetch-Site") ?? .origin }
}

extension Failure {
    /// The status of a page that tells of it.
    fileprivate var pageStatus: HTTPResponse.Status {
        switch kind {
        case .malformed: .badRequest
        case .tooLarge: .contentTooLarge
        case .unsupportedMediaType: .unsupportedMediaType
        case .tooManyRequests: .tooManyRequests
        case .timeout: .gatewayTimeout
        default: .serviceUnavailable
        }
    }
}
