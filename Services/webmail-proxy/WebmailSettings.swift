import HTTPService
import IMAP
import NIOCore
import NIOSSL
import Platform
import SMTP

/// Everything the webmail proxy can be told from outside.
struct WebmailSettings: ServiceSettings {
    let platform: PlatformSettings
    let jwksURL: String
    let authURL: String
    let serviceToken: String
    let imap: IMAPConfiguration
    let sessions: MailSessions.Limits
    /// How much is remembered of folders that were shown: bytes.
    let cacheSize: Int
    let submission: Submission.Configuration
    let submissionSessions: SubmissionSessions.Limits
    /// How long a call to a mail server may take before it is answered with 504.
    let mailDeadline: Duration
    let images: RemoteImages.Limits
    /// What links to images are signed with.
    let imageKey: String
    /// Put before the path of links to images.
    let imageBase: String
    /// The longest body of a message to be sent: bytes.
    let maximumMessageBody: Int
    /// The indexes of people together: bytes.
    let contactIndexSize: Int
    /// How often the folders of a mailbox are read for people at most.
    let contactInterval: Duration
    /// Of all attachments of a message, and of an upload: bytes.
    let maximumAttachments: Int

    init(_ read: SettingsReader) throws {
        platform = PlatformSettings(read)
        jwksURL = read.string("jwks.url", "Where auth-server publishes its keys")
        authURL = read.string("auth.url", "The base URL of auth-server, which gives out mail tokens")
        serviceToken = read.secret("service.token", "The service token the mail tokens are asked for with")
        mailDeadline = read.duration(
            "mail.deadline", default: .seconds(3), "How long a call to a mail server may take before a 504")
        maximumMessageBody = read.int(
            "send.max_body", default: 50 << 20, in: 1 << 10...1 << 30,
            "The longest JSON body of a message to be sent, attachments in base64 included: bytes")
        contactIndexSize =
            read.int(
                "contacts.index_mb", default: 64, in: 1...65_536,
                "Memory for finding people by some letters, of all mailboxes together: MB") << 20
        contactInterval = read.duration(
            "contacts.interval", default: .seconds(60),
            "How often the folders of a mailbox in use are read for whom it writes to and hears from, at most")
        maximumAttachments = read.int(
            "send.max_attachments", default: 35 << 20, in: 1 << 10...1 << 30,
            "The most that the attachments of a message may come to: bytes")
        submissionSessions = SubmissionSessions.Limits(
            idle: read.duration(
                "smtp.idle", default: .seconds(45),
                "How long an unused SMTP connection is kept; less than the server's time-out"),
            total: read.int("smtp.idle_connections", default: 20, in: 0...10_000, "Unused SMTP connections kept"))
        let authority = read.optionalString("tls.ca_file", "A PEM file of the roots to trust; the system's without one")
        imap = try Self.imap(read, authority: authority, timeout: mailDeadline)
        sessions = MailSessions.Limits(
            perMailbox: read.int("imap.sessions_per_mailbox", default: 8, in: 1...64, "IMAP sessions per mailbox"),
            total: read.int("imap.sessions", default: 1000, in: 1...100_000, "IMAP sessions in all"),
            idle: read.duration("imap.idle", default: .seconds(300), "How long an unused IMAP session is kept"))
        cacheSize =
            read.int(
                "cache.size_mb", default: 64, in: 0...65_536, "How much is remembered of folders that were shown: MiB")
            << 20
        imageKey =
            read.optionalSecret(
                "images.key",
                "What links to the images of mails are signed with, the same for all replicas; the service token without it"
            ) ?? serviceToken
        imageBase = read.string(
            "images.base_url", default: "",
            "Where browsers reach this service, for the links to images in a mail; empty for the page's own origin")
        images = Self.images(read)
        submission = try Self.submission(read, authority: authority, timeout: mailDeadline)
    }

    private static func imap(
        _ read: SettingsReader, authority: String?, timeout: Duration
    ) throws -> IMAPConfiguration {
        let security = read.choice("imap.security", of: ["plain", "tls", "starttls"], default: "plain", "TLS of IMAP")
        var tls = TLSConfiguration.makeClientConfiguration()
        if let authority { tls.trustRoots = .file(authority) }
        // A server that is silent for so long is away; the call's own deadline comes a moment later.
        let silence = TimeAmount(timeout) - .milliseconds(300)
        return IMAPConfiguration(
            host: read.string("imap.host", default: "127.0.0.1", "The host of the IMAP server"),
            port: read.int("imap.port", default: 143, in: 1...65_535, "The port of the IMAP server"),
            security: IMAPConfiguration.Security(rawValue: security) ?? .plain, tls: tls, connectTimeout: silence,
            commandTimeout: silence, commandLimit: .minutes(2))
    }

    private static func images(_ read: SettingsReader) -> RemoteImages.Limits {
        let ports = read.list("images.ports", default: ["80", "443"], "Ports that remote images may be fetched from")
        let networks = read.list(
            "images.allowed_networks",
            "Networks that remote images may be fetched from beside the Internet, such as 10.1.0.0/16")
        return RemoteImages.Limits(
            size: read.int(
                "images.max_size", default: 8 << 20, in: 1 << 10...64 << 20, "The largest remote image: bytes"),
            timeout: read.duration("images.timeout", default: .seconds(10), "How long one may take to be fetched"),
            cache: read.int(
                "images.cache", default: 64 << 20, in: 0...1 << 34, "Memory for remote images fetched lately: bytes"),
            ports: ports.compactMap { Int($0) },
            allowed: PublicAddresses(allowing: networks)
                ?? read.refuse("images.allowed_networks", "must be networks like 10.1.0.0/16", .internet))
    }

    private static func submission(
        _ read: SettingsReader, authority: String?, timeout: Duration
    ) throws -> Submission.Configuration {
        let securities: [String: SMTPSecurity] = ["plain": .plain, "tls": .implicitTLS, "starttls": .startTLS]
        let word = read.choice("smtp.security", of: securities.keys.sorted(), default: "plain", "TLS of SMTP")
        let security = securities[word] ?? .plain
        var timeouts = SMTPTimeouts()
        timeouts.connect = timeout
        timeouts.command = timeout
        return Submission.Configuration(
            host: read.string("smtp.host", default: "127.0.0.1", "The host of the submission server"),
            port: read.int("smtp.port", default: 587, in: 1...65_535, "The port of the submission server"),
            security: security,
            tls: security == .plain ? nil : try SMTPTLS(certificateAuthorityFile: authority), timeouts: timeouts)
    }
}
