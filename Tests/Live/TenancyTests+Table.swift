import NIOHTTP1

/// The table: a route that names somebody's things is in it, or `TenancyTests.everyRouteIsInTheTable` fails.
extension TenancyTests {
    static let routes: [Route] = [
        Route(method: .GET, path: { "/api/v1/mail/domains/\($0.domain)" }, isForAdmins: false),
        Route(method: .GET, path: { "/api/v1/mail/domains/\($0.domain)/accounts" }, isForAdmins: false),
        Route(
            method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/accounts" },
            body: { _ in ["local_part": .string(unique("new")), "password": "a good password"] }),
        Route(method: .GET, path: { "/api/v1/mail/domains/\($0.domain)/aliases" }, isForAdmins: false),
        Route(
            method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/aliases" },
            body: { ["source": .string(unique("alias")), "destination": .string($0.email)] }),
        Route(method: .GET, path: { "/api/v1/mail/accounts/\($0.account)" }, isForAdmins: false),
        Route(method: .PATCH, path: { "/api/v1/mail/accounts/\($0.account)" }, body: { _ in ["quota_mb": 77] }),
        Route(
            method: .PATCH, path: { "/api/v1/mail/domains/\($0.domain)" }, body: { _ in ["client_login": "password"] }),
        Route(method: .GET, path: { "/api/v1/mail/domains/\($0.domain)/dns" }),
        Route(method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/dns/sync" }),
        Route(method: .GET, path: { "/api/v1/mail/domains/\($0.domain)/dkim" }),
        Route(method: .GET, path: { "/api/v1/mail/export?domain_id=\($0.domain)" }),
        Route(method: .GET, path: { "/api/v1/mail/accounts/\($0.account)/send-as" }, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/accounts/\($0.account)/send-as" }, body: { _ in ["addresses": []] }),
        Route(method: .GET, path: { "/api/v1/mail/accounts/\($0.account)/forwarding" }, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/accounts/\($0.account)/forwarding" },
            body: { _ in ["enabled": false] }, isForAdmins: false),
        Route(method: .GET, path: { "/api/v1/mail/accounts/\($0.account)/autoreply" }, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/accounts/\($0.account)/autoreply" }, body: { _ in ["enabled": false] },
            isForAdmins: false),
        Route(method: .GET, path: { "/api/v1/mail/accounts/\($0.account)/filters" }, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/accounts/\($0.account)/filters" }, body: { _ in ["filters": []] },
            isForAdmins: false),
        Route(method: .GET, path: { "/api/v1/mail/aliases/\($0.alias)" }),
        Route(method: .PUT, path: { "/api/v1/mail/aliases/\($0.alias)" }, body: { ["destination": .string($0.email)] }),
        Route(method: .GET, path: { "/api/v1/users/\($0.user)" }, isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/webmail/folders" }, isWebmail: true, isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/webmail/messages/INBOX" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .GET, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1/flags" },
            body: { _ in ["flags": ["\\Flagged"]] }, isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/messages/INBOX/batch" },
            body: { _ in ["uids": [1], "action": "flags", "flags": ["\\Flagged"]] }, isWebmail: true, isForAdmins: false
        ),
        Route(
            method: .GET, path: { _ in "/api/v1/mail/webmail/changes/INBOX?since=1" }, isWebmail: true,
            isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/folders" }, body: { _ in ["path": .string(unique("F"))] },
            isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/send" },
            body: { ["to": [.string($0.email)], "subject": "To myself", "plain": "x"] }, isWebmail: true,
            isForAdmins: false),
        Route(
            method: .GET, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1/raw" }, isWebmail: true,
            isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/webmail/outbox" }, isWebmail: true, isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/signatures" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/signatures" }, body: { _ in ["name": "x", "html": "x"] },
            isWebmail: true, isForAdmins: false),
        Route(
            method: .GET, path: { _ in "/api/v1/mail/signatures/match?to=a@b.test" }, isWebmail: true,
            isForAdmins: false),
        Route(
            method: .GET, path: { "/api/v1/mail/signatures/\($0.signature)" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/signatures/\($0.signature)" },
            body: { _ in ["name": "y", "html": "y"] }, isWebmail: true, isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/contacts" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/contacts" },
            body: { _ in ["emails": .string(unique("c") + "@x.test")] }, isWebmail: true, isForAdmins: false),
        Route(method: .GET, path: { "/api/v1/mail/contacts/\($0.contact)" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .PUT, path: { "/api/v1/mail/contacts/\($0.contact)" },
            body: { _ in ["emails": .string(unique("c") + "@x.test")] }, isWebmail: true, isForAdmins: false),
        Route(method: .GET, path: { _ in "/api/v1/mail/contacts/export" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .GET, path: { _ in "/api/v1/mail/contacts/autocomplete?q=a" }, isWebmail: true, isForAdmins: false),
        Route(
            method: .POST, path: { _ in "/api/v1/auth/mail-token" }, body: { ["email": .string($0.email)] },
            isForAdmins: false),
    ]

    /// Routes that would change what the other tests of this table need; foreign subjects only.
    static let upheavals: [Route] = [
        Route(method: .PUT, path: { "/api/v1/mail/accounts/\($0.account)" }, body: { _ in ["password": "stolen it"] }),
        Route(method: .POST, path: { "/api/v1/mail/accounts/\($0.account)/suspend" }),
        Route(method: .POST, path: { "/api/v1/mail/accounts/\($0.account)/unsuspend" }),
        Route(method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/suspend" }),
        Route(method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/unsuspend" }),
        Route(method: .DELETE, path: { "/api/v1/mail/domains/\($0.domain)" }),
        Route(method: .DELETE, path: { "/api/v1/mail/domains/\($0.domain)?purge=true" }),
        Route(method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/restore" }),
        Route(method: .POST, path: { "/api/v1/mail/domains/\($0.domain)/dkim/rotate" }),
        Route(method: .DELETE, path: { "/api/v1/mail/accounts/\($0.account)" }),
        Route(method: .DELETE, path: { "/api/v1/mail/accounts/\($0.account)?purge=true" }),
        Route(method: .POST, path: { "/api/v1/mail/accounts/\($0.account)/restore" }),
        Route(method: .DELETE, path: { "/api/v1/mail/aliases/\($0.alias)" }),
        Route(method: .GET, path: { "/api/v1/mail/customers/\($0.customer)/limits" }),
        Route(method: .PUT, path: { "/api/v1/mail/customers/\($0.customer)/limits" }, body: { _ in ["domains": 0] }),
        Route(method: .GET, path: { "/api/v1/customers/\($0.customer)" }),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1/move" },
            body: { _ in ["target": "Trash"] }, isWebmail: true),
        Route(method: .DELETE, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1" }, isWebmail: true),
        Route(
            method: .PATCH, path: { _ in "/api/v1/mail/webmail/folders/Archive" }, body: { _ in ["subscribed": false] },
            isWebmail: true),
        Route(method: .DELETE, path: { _ in "/api/v1/mail/webmail/folders/Archive" }, isWebmail: true),
        Route(method: .DELETE, path: { "/api/v1/mail/signatures/\($0.signature)" }, isWebmail: true),
        Route(method: .DELETE, path: { "/api/v1/mail/contacts/\($0.contact)" }, isWebmail: true),
        Route(method: .POST, path: { _ in "/api/v1/mail/contacts/import" }, isWebmail: true),
        Route(method: .POST, path: { _ in "/api/v1/auth/revocations" }, body: { ["email": .string($0.email)] }),
        Route(method: .POST, path: { _ in "/api/v1/auth/revocations" }, body: { ["user_id": .int($0.user)] }),
        Route(method: .GET, path: { "/api/v1/auth/sessions?email=\($0.email)" }),
        Route(method: .GET, path: { "/api/v1/auth/sessions?user_id=\($0.user)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/sessions?email=\($0.email)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/sessions?user_id=\($0.user)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/totp?email=\($0.email)" }),
        Route(method: .DELETE, path: { "/api/v1/users/\($0.user)/totp" }),
        Route(method: .PATCH, path: { "/api/v1/customers/\($0.customer)" }, body: { _ in ["name": "Stolen"] }),
        Route(method: .DELETE, path: { "/api/v1/customers/\($0.customer)" }),
        Route(method: .POST, path: { "/api/v1/customers/\($0.customer)/suspend" }),
        Route(method: .POST, path: { "/api/v1/customers/\($0.customer)/unsuspend" }),
        Route(method: .PUT, path: { "/api/v1/users/\($0.user)" }, body: { _ in ["password": "stolen it"] }),
        Route(method: .PATCH, path: { "/api/v1/users/\($0.user)" }, body: { _ in ["status": "suspended"] }),
        Route(method: .POST, path: { "/api/v1/users/\($0.user)/suspend" }),
        Route(method: .POST, path: { "/api/v1/users/\($0.user)/unsuspend" }),
        Route(method: .DELETE, path: { "/api/v1/users/\($0.user)" }),
        Route(method: .GET, path: { "/api/v1/service-tokens/\($0.serviceToken)" }),
        Route(
            method: .PATCH, path: { "/api/v1/service-tokens/\($0.serviceToken)" }, body: { _ in ["name": "Stolen"] }),
        Route(method: .DELETE, path: { "/api/v1/service-tokens/\($0.serviceToken)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/app-passwords/\($0.appPassword)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/sessions/\($0.session)" }),
        Route(method: .DELETE, path: { "/api/v1/auth/sessions/\($0.session)?email=\($0.email)" }),
        Route(method: .GET, path: { "/api/v1/mail/webhooks/\($0.webhook)" }),
        Route(method: .DELETE, path: { "/api/v1/mail/webhooks/\($0.webhook)" }),
        Route(method: .POST, path: { "/api/v1/mail/webhooks/\($0.webhook)/test" }),
        Route(method: .GET, path: { "/api/v1/mail/webhooks/\($0.webhook)/dead-letters" }),
        Route(method: .POST, path: { "/api/v1/mail/webhooks/\($0.webhook)/dead-letters/retry" }),
        Route(method: .POST, path: { "/api/v1/mail/webhooks/\($0.webhook)/dead-letters/1/retry" }),
        Route(method: .GET, path: { "/api/v1/mail/webmail/outbox/\($0.outbox)" }, isWebmail: true),
        Route(method: .DELETE, path: { "/api/v1/mail/webmail/outbox/\($0.outbox)" }, isWebmail: true),
        Route(method: .GET, path: { "/api/v1/mail/webmail/uploads/\($0.upload)" }, isWebmail: true),
        Route(method: .DELETE, path: { "/api/v1/mail/webmail/uploads/\($0.upload)" }, isWebmail: true),
        Route(method: .POST, path: { _ in "/api/v1/mail/webmail/uploads" }, isWebmail: true),
        Route(
            method: .POST, path: { _ in "/api/v1/mail/webmail/drafts" }, body: { _ in ["subject": "x"] },
            isWebmail: true),
        Route(
            method: .PUT, path: { _ in "/api/v1/mail/webmail/drafts/1" }, body: { _ in ["subject": "x"] },
            isWebmail: true),
        Route(method: .DELETE, path: { _ in "/api/v1/mail/webmail/drafts/1" }, isWebmail: true),
        Route(method: .GET, path: { _ in "/api/v1/mail/webmail/messages/INBOX/1/attachments/1" }, isWebmail: true),
    ]

    /// Routes that name nobody's things, or whose callers the table cannot be: by why they are not in it.
    static let elsewhere = [
        "whoever asks is answered": [
            "GET /mail/config-v1.1.xml", "GET /.well-known/autoconfig/mail/config-v1.1.xml",
            "POST /autodiscover/autodiscover.xml", "GET /autodiscover/autodiscover.json", "GET /apple.mobileconfig",
            "GET /.well-known/mta-sts.txt", "GET /.well-known/user-agent-configuration.json",
            "GET /.well-known/openid-configuration", "GET /.well-known/jwks.json",
            "GET /.well-known/oauth-authorization-server", "GET /oauth2/authorize", "POST /oauth2/continue",
            "GET /oauth2/device", "POST /oauth2/device", "POST /oauth2/register",
        ],
        "what is called with is the secret": [
            "POST /api/v1/auth/login", "POST /api/v1/auth/sessions", "POST /api/v1/auth/refresh",
            "POST /api/v1/auth/logout", "POST /api/v1/auth/token/introspect", "POST /api/v1/auth/token/revoke",
            "POST /oauth2/token", "POST /api/v1/mail/watcher/push", "PUT /api/v1/mail/watcher/push",
            "GET /api/v1/mail/webmail/images",
        ],
        "it is about the caller": [
            "GET /api/v1/auth/totp", "POST /api/v1/auth/totp", "POST /api/v1/auth/totp/confirm",
            "POST /api/v1/auth/totp/recovery-codes", "POST /api/v1/auth/password", "POST /api/v1/auth/app-passwords",
            "POST /api/v1/mail/events/ticket",
        ],
        "it lists or makes what the caller reaches; each has a test of that": [
            "GET /api/v1/mail/domains", "POST /api/v1/mail/domains", "GET /api/v1/mail/accounts",
            "POST /api/v1/mail/import", "GET /api/v1/mail/audit", "GET /api/v1/auth/audit",
            "GET /api/v1/auth/app-passwords", "GET /api/v1/customers", "POST /api/v1/customers", "GET /api/v1/users",
            "POST /api/v1/users", "GET /api/v1/service-tokens", "POST /api/v1/service-tokens",
            "GET /api/v1/mail/events", "GET /api/v1/mail/events/stream", "GET /api/v1/mail/watcher/status",
            "GET /api/v1/mail/webhooks", "POST /api/v1/mail/webhooks",
        ],
    ]
}
