import Credentials
import HTTPService
import HTTPTypes
import Hummingbird
import Platform
import Storage

/// Webmail over IMAP and SMTP: settings → stores → routes.
@main struct WebmailProxy: ServiceProgram {
    static let name = "webmail-proxy"
    static let defaultPort = 8083
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static func assemble(_ service: ServiceAssembly, settings: WebmailSettings) async throws {
        let logger = service.logger
        let tokens = MailTokenSource(authURL: settings.authURL, serviceToken: settings.serviceToken)
        let cache = FolderCache(bytes: settings.cacheSize)
        let opener = MailSessionOpener(configuration: settings.imap, tokens: tokens, cache: cache, logger: logger)
        let sessions = MailSessions(opener: opener, limits: settings.sessions, logger: logger)
        let submission = Submission(configuration: settings.submission, tokens: tokens, logger: logger)

        let keys = KeySet(url: settings.jwksURL, issuer: settings.platform.issuer, logger: logger)
        let platform = try Platform(service, settings: settings.platform, keys: keys) { revocations in
            await sessions.close(revocations)
        }
        let access = MailboxAccess(accounts: platform.database.accounts)
        let content = ContentRoutes(access: access, sessions: sessions)
        let links = ImageLinks(secret: settings.imageKey, base: settings.imageBase)
        let contacts = platform.database.contacts
        let harvest = ContactHarvest(
            contacts: contacts, sessions: sessions, interval: settings.contactInterval, logger: logger)

        addRoutes(
            to: service.router, platform.authenticator, deadline: settings.mailDeadline,
            folders: FolderRoutes(access: access, sessions: sessions),
            messages: MessageRoutes(access: access, sessions: sessions, links: links), content: content,
            images: ImageRoutes(
                links: links, remote: try RemoteImages(limits: settings.images, logger: logger), content: content),
            sending: SendRoutes(
                access: access, sessions: sessions, submission: submission, maximumBody: settings.maximumMessageBody,
                logger: logger))

        addRoutes(
            to: service.router, platform.authenticator,
            signatures: SignatureRoutes(access: access, signatures: platform.database.signatures),
            contacts: ContactRoutes(
                access: access, contacts: contacts,
                autocomplete: Autocomplete(contacts: contacts, maximumSize: settings.contactIndexSize),
                harvest: harvest))

        service.run(sessions)
        service.run(harvest)
        service.readiness.add("jwks") { keys.isLoaded ? .ok : .down }
        service.readiness.add("dovecot", isCritical: false) { sessions.isServerAway ? .down : .ok }
    }

    /// Every route over IMAP and SMTP.
    private static func addRoutes(
        to router: ServiceRouter, _ authenticator: Authenticator, deadline: Duration, folders: FolderRoutes,
        messages: MessageRoutes, content: ContentRoutes, images: ImageRoutes, sending: SendRoutes
    ) {
        let webmail = router.with(deadline: deadline).authenticated(authenticator).group("/api/v1/mail/webmail")
        webmail.get("folders", use: folders.list)
        webmail.post("folders", use: folders.create)
        webmail.patch("folders/{folder}", use: folders.update)
        webmail.delete("folders/{folder}", use: folders.delete)
        webmail.get("changes/{folder}", use: messages.changes)
        webmail.get("messages/{folder}", use: messages.list)
        webmail.get("messages/{folder}/{uid}", use: messages.read)
        webmail.delete("messages/{folder}/{uid}", use: messages.delete)
        webmail.post("messages/{folder}/batch", use: messages.batch)
        webmail.post("messages/{folder}/{uid}/move", use: messages.move)
        webmail.post("messages/{folder}/{uid}/flags", use: messages.flags)
        webmail.get("messages/{folder}/{uid}/raw", use: content.raw)
        webmail.get("messages/{folder}/{uid}/attachments/{part}", use: content.attachment)

        // Without a caller: the link's signature is what counts. A fetch has a time-out of its own.
        router.with(deadline: nil).get("/api/v1/mail/webmail/images", use: images.image)

        // A message may be large and its upload slow; each step has a time-out of its own.
        let sendable = router.with(deadline: .seconds(120)).authenticated(authenticator).group("/api/v1/mail/webmail")
        sendable.post("send", use: sending.send)
    }

    /// Every route over the database.
    private static func addRoutes(
        to router: ServiceRouter, _ authenticator: Authenticator, signatures: SignatureRoutes, contacts: ContactRoutes
    ) {
        let mail = router.authenticated(authenticator).group("/api/v1/mail")
        signatures.add(to: mail)
        contacts.add(to: mail)
        contacts.addBulk(to: router.with(deadline: .seconds(120)).authenticated(authenticator).group("/api/v1/mail"))
    }
}
