import Credentials
import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import Platform
import Storage

/// Webmail over IMAP and SMTP: settings → stores → routes.
@main struct WebmailProxy: ServiceProgram {
    static let name = "webmail-proxy"
    static let defaultPort = 8083
    static let processorsPerLoop = 2
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static func assemble(_ service: ServiceAssembly, settings: WebmailSettings) async throws {
        let logger = service.logger
        let tokens = MailTokenSource(authURL: settings.authURL, serviceToken: settings.serviceToken)
        let cache = FolderCache(bytes: settings.cacheSize)
        let opener = MailSessionOpener(configuration: settings.imap, tokens: tokens, cache: cache, logger: logger)
        let sessions = MailSessions(opener: opener, limits: settings.sessions, logger: logger)
        let submissionSessions = SubmissionSessions(limits: settings.submissionSessions)
        let submission = Submission(
            configuration: settings.submission, tokens: tokens, sessions: submissionSessions, logger: logger)

        let keys = KeySet(url: settings.jwksURL, issuer: settings.platform.issuer, logger: logger)
        let platform = Platform(service, settings: settings.platform, keys: keys) { revocations in
            submissionSessions.close(revocations)
            await sessions.close(revocations)
        }
        let database = platform.database
        let access = MailboxAccess(accounts: database.accounts)
        let outbox = Outbox(
            store: database.outbox, uploads: database.uploads, submission: submission,
            filing: Filing(sessions: sessions, logger: logger), logger: logger)
        let attachments = Attachments(
            uploads: database.uploads, sessions: sessions, limit: settings.maximumAttachments)
        let content = ContentRoutes(access: access, sessions: sessions)
        let links = ImageLinks(secret: settings.imageKey, base: settings.imageBase)
        let contacts = database.contacts
        let harvest = ContactHarvest(
            contacts: contacts, sessions: sessions, interval: settings.contactInterval, logger: logger)

        addRoutes(
            to: service.router, platform, deadline: settings.mailDeadline,
            folders: FolderRoutes(access: access, sessions: sessions),
            messages: MessageRoutes(access: access, sessions: sessions, links: links), content: content,
            images: ImageRoutes(
                links: links, remote: try RemoteImages(limits: settings.images, logger: logger), content: content))
        addSending(
            to: service.router, platform, maximumBody: settings.maximumMessageBody,
            sending: SendRoutes(
                access: access, outbox: outbox, attachments: attachments,
                signatures: SignatureText { id, mailbox in
                    let signature = try await database.signatures.find(id, mailbox: mailbox.address)
                    return SignatureText.Signature(html: signature.html, plain: signature.plain)
                },
                harvest: harvest, maximumBody: settings.maximumMessageBody),
            outbox: OutboxRoutes(access: access, store: database.outbox),
            drafts: DraftRoutes(
                access: access, sessions: sessions, attachments: attachments,
                maximumBody: settings.maximumMessageBody),
            uploads: UploadRoutes(
                access: access, store: database.uploads, maximumSize: settings.maximumAttachments))

        addRoutes(
            to: service.router, platform,
            signatures: SignatureRoutes(access: access, signatures: database.signatures),
            contacts: ContactRoutes(
                access: access, contacts: contacts,
                autocomplete: Autocomplete(contacts: contacts, maximumSize: settings.contactIndexSize),
                harvest: harvest))

        // The outbox ends first, and has what it needs until then.
        service.run(sessions)
        service.run(harvest)
        service.run(submissionSessions)
        service.run(outbox)
        service.readiness.add("jwks") { keys.isLoaded ? .ok : .down }
        service.readiness.add("dovecot", isCritical: false) { sessions.isServerAway ? .down : .ok }
        service.readiness.add("postfix", isCritical: false) { outbox.isSubmissionServerAway ? .down : .ok }
    }

    /// Every route over IMAP and SMTP.
    private static func addRoutes(
        to router: ServiceRouter, _ platform: Platform, deadline: Duration, folders: FolderRoutes,
        messages: MessageRoutes, content: ContentRoutes, images: ImageRoutes
    ) {
        let webmail = router.with(deadline: deadline, quick: true).mailboxes(platform.authenticator)
            .group("/api/v1/mail/webmail")
        let once = webmail.once(platform.idempotency)
        webmail.get("folders", use: folders.list)
        once.post("folders", use: folders.create)
        webmail.patch("folders/{folder}", use: folders.update)
        webmail.delete("folders/{folder}", use: folders.delete)
        webmail.get("changes/{folder}", use: messages.changes)
        webmail.get("messages/{folder}", use: messages.list)
        webmail.get("messages/{folder}/{uid}", use: messages.read)
        webmail.delete("messages/{folder}/{uid}", use: messages.delete)
        once.post("messages/{folder}/batch", use: messages.batch)
        webmail.post("messages/{folder}/{uid}/move", use: messages.move)
        webmail.post("messages/{folder}/{uid}/flags", use: messages.flags)
        webmail.get("messages/{folder}/{uid}/raw", use: content.raw)
        webmail.get("messages/{folder}/{uid}/attachments/{part}", use: content.attachment)

        // Without a caller: the link's signature is what counts. A fetch has a time-out of its own.
        router.with(deadline: nil).get("/api/v1/mail/webmail/images", use: images.image)
    }

    private static func addSending(
        to router: ServiceRouter, _ platform: Platform, maximumBody: Int, sending: SendRoutes, outbox: OutboxRoutes,
        drafts: DraftRoutes, uploads: UploadRoutes
    ) {
        // A message may be large and its upload slow; each step has a time-out of its own.
        let webmail = router.with(deadline: .seconds(120)).mailboxes(platform.authenticator)
            .group("/api/v1/mail/webmail")
        let once = webmail.once(platform.idempotency, upTo: maximumBody)
        once.post("send", use: sending.send)
        once.post("drafts", use: drafts.create)
        webmail.put("drafts/{uid}", use: drafts.replace)
        webmail.delete("drafts/{uid}", use: drafts.delete)
        webmail.post("uploads", use: uploads.create)
        webmail.get("uploads/{id}", use: uploads.read)
        webmail.delete("uploads/{id}", use: uploads.delete)
        webmail.get("outbox", use: outbox.list)
        webmail.get("outbox/{id}", use: outbox.read)
        webmail.delete("outbox/{id}", use: outbox.delete)
    }

    /// Every route over the database.
    private static func addRoutes(
        to router: ServiceRouter, _ platform: Platform, signatures: SignatureRoutes, contacts: ContactRoutes
    ) {
        let mail = router.mailboxes(platform.authenticator).group("/api/v1/mail")
        let bulk = router.with(deadline: .seconds(120)).mailboxes(platform.authenticator).group("/api/v1/mail")
        signatures.add(to: mail, once: mail.once(platform.idempotency))
        contacts.add(to: mail, once: mail.once(platform.idempotency))
        contacts.addBulk(to: bulk, once: bulk.once(platform.idempotency, upTo: ContactRoutes.maximumFile))
    }
}
