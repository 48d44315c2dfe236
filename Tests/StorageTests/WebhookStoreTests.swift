import MailModel
import MariaDB
import Storage
import TestSupport
import Testing

/// Webhooks and what waits for them, in a database of their own: the services would tell the events.
@Suite(.serialized) struct WebhookStoreTests {
    let database: Database
    let fixture: Fixture
    let tenant: Fixture.Tenant
    let scope: Scope

    private var store: WebhookStore { database.webhooks }
    private var email: String { tenant.account.email }

    init() async throws {
        let endpoints = try TestStack.load().database
        let name = endpoints.name + "_webhooks"
        let server = MariaDB(
            MariaDB.Configuration(
                socket: endpoints.socket, user: endpoints.user, password: endpoints.password,
                database: endpoints.name, connections: 1))
        try await server.execute("CREATE DATABASE IF NOT EXISTS \(unsafeRaw: name) CHARACTER SET utf8mb4")
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: name, connections: 4))
        try await database.migrate()
        try await server.execute("DELETE FROM \(unsafeRaw: name).webhooks")
        await server.close()
        fixture = Fixture(database: database)
        tenant = try await fixture.tenant()
        scope = .accounts([tenant.account.email])
    }

    private func webhook(
        _ accounts: [String], events: [String] = [], owner: Webhook.Owner = .mailboxes, scope: Scope? = nil
    ) async throws -> Webhook {
        try await store.create(
            .init(url: "https://example.org/hook", accounts: accounts, events: events), secret: "kept", owner: owner,
            scope: scope ?? self.scope)
    }

    private func letter(
        _ number: Int, _ type: String = "mail.new_message", at: Int64 = .max
    ) -> WebhookStore.Letter {
        .init(eventID: "\(number)-0", type: type, at: at, body: Array("{\"n\":\(number)}".utf8))
    }

    /// Takes one event over for whoever wants it.
    private func enqueue(
        _ letters: WebhookStore.Letter..., from cursor: String = "0-0", through last: String
    ) async throws {
        try await store.begin(email, after: "0-0")
        try await store.enqueue(letters, account: email, from: cursor, through: last)
    }

    @Test func whoMayNotSeeOneFindsNothing() async throws {
        let own = try await webhook([email])
        let other = try await fixture.tenant()
        for foreign in [Scope.accounts([other.account.email]), .customer(other.customer.id)] {
            #expect(try await store.list(try PageRequest(), scope: foreign).total == 0)
            await #expect(throws: Failure.notFound("This webhook")) { try await store.find(own.id, scope: foreign) }
            await #expect(throws: Failure.notFound("This webhook")) { try await store.delete(own.id, scope: foreign) }
            await #expect(throws: Failure.notFound("This webhook")) {
                try await store.secret(of: own.id, scope: foreign)
            }
            await #expect(throws: Failure.self) { try await webhook([email], scope: foreign) }
        }
        // One that tells of another mailbox too is not for this mailbox's holder alone.
        let second = try await fixture.account("second", of: tenant.domain)
        let both = try await webhook([email, second.email], scope: .accounts([email, second.email]))
        #expect(try await store.list(try PageRequest(), scope: scope).items.map(\.id) == [own.id])
        #expect(try await store.find(both.id, scope: .everything).accounts == [email, second.email].sorted())
    }

    @Test func thereIsALimit() async throws {
        for _ in 0..<WebhookStore.limit { _ = try await webhook([email]) }
        let failure = await #expect(throws: Failure.self) { try await webhook([email]) }
        #expect(failure?.kind == .invalid && failure?.fields.first?.code == "too_many")
    }

    @Test func whatHappenedBeforeAWebhookWasMadeIsNotToldToIt() async throws {
        let hook = try await webhook([email])
        try await enqueue(letter(1, at: Timestamp.now() - 60_000), letter(2), through: "2-0")
        #expect(try await store.find(hook.id, scope: scope).pending == 1)
        let backlog = try await store.backlog()
        #expect(backlog.waiting == 1 && backlog.dead == 0)
    }

    @Test func anEventIsTakenOverOnceForEachThatWantsIt() async throws {
        let all = try await webhook([email])
        let picky = try await webhook([email], events: ["mail.message_gone"])
        let customers = try await webhook(
            [], owner: .customer(tenant.customer.id), scope: .customer(tenant.customer.id))
        try await enqueue(letter(1), letter(2, "mail.message_gone"), through: "2-0")
        // Another replica was as far, and does the same.
        try await enqueue(letter(1), letter(2, "mail.message_gone"), through: "2-0")
        #expect(try await store.cursor(of: email) == "2-0")
        for (webhook, count) in [(all, 2), (picky, 1), (customers, 2)] {
            #expect(try await store.find(webhook.id, scope: .everything).pending == count)
        }
    }

    @Test func noTwoWorkersGetTheSame() async throws {
        _ = try await webhook([email])
        try await enqueue(letter(1), letter(2), letter(3), letter(4), through: "4-0")
        let claims = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<4 {
                group.addTask { try await store.claim(atMost: 2, except: []).map(\.id) }
            }
            return try await group.reduce(into: [Int64]()) { $0 += $1 }
        }
        #expect(claims.count == 4 && Set(claims).count == 4)
        #expect(try await store.claim(atMost: 10, except: []).isEmpty, "each is leased")
    }

    @Test func aBusyOneIsLeftAlone() async throws {
        let busy = try await webhook([email]), free = try await webhook([email])
        try await enqueue(letter(1), through: "1-0")
        let claimed = try await store.claim(atMost: 10, except: [busy.id])
        #expect(claimed.map(\.webhookID) == [free.id] && claimed[0].secret == "kept" && claimed[0].attempts == 1)
    }

    @Test func whatIsGivenUpIsADeadLetterUntilAskedFor() async throws {
        let hook = try await webhook([email])
        try await enqueue(letter(1), through: "1-0")
        let first = try #require(try await store.claim(atMost: 1, except: []).first)
        try await store.failed(first, status: 500, error: "refused_by_receiver", retryAt: Timestamp.now())
        let second = try #require(try await store.claim(atMost: 1, except: []).first)
        #expect(second.id == first.id && second.attempts == 2)
        // Who comes late, its lease over, changes nothing.
        try await store.delivered(first, status: 200)
        try await store.failed(second, status: nil, error: "timeout", retryAt: nil)
        let page = try PageRequest()
        let dead = try #require(try await store.deadLetters(of: hook.id, page, scope: scope).items.first)
        #expect(dead.eventID == "1-0" && dead.attempts == 2 && dead.lastError == "timeout" && dead.lastStatus == nil)
        let now = try await store.find(hook.id, scope: scope)
        #expect(now.dead == 1 && now.pending == 0 && now.lastError == "timeout")
        #expect(try await store.retryDeadLetters(of: hook.id, only: dead.id, scope: scope) == 1)
        await #expect(throws: Failure.notFound("This event")) {
            try await store.retryDeadLetters(of: hook.id, only: dead.id, scope: scope)
        }
        let third = try #require(try await store.claim(atMost: 1, except: []).first)
        #expect(third.attempts == 1)
        try await store.delivered(third, status: 204)
        #expect(try await store.find(hook.id, scope: scope).lastStatus == 204)
        #expect(try await store.claim(atMost: 1, except: []).isEmpty)
    }

    @Test func oneWhoseReceiverIsGoneIsToldNothing() async throws {
        let hook = try await webhook([email])
        try await enqueue(letter(1), through: "1-0")
        try await store.disable(hook.id)
        try await enqueue(letter(2), from: "1-0", through: "2-0")
        let now = try await store.find(hook.id, scope: scope)
        #expect(now.status == .disabled && now.dead == 1 && now.pending == 0)
        #expect(try await store.watchedAccounts().contains(email) == false)
    }

    @Test func secretsAreChangedWhereTheyLie() async throws {
        let hook = try await webhook([email])
        try await store.changeSecrets { "sealed:" + $0 }
        #expect(try await store.secret(of: hook.id, scope: scope) == "sealed:kept")
    }

    @Test func theLastOfItsMailboxesTakesItAlong() async throws {
        let second = try await fixture.account("second", of: tenant.domain)
        let one = try await webhook([email])
        let both = try await webhook([email, second.email], scope: .everything)
        let customers = try await webhook(
            [], owner: .customer(tenant.customer.id), scope: .customer(tenant.customer.id))
        try await purge(tenant.account)
        await #expect(throws: Failure.notFound("This webhook")) { try await store.find(one.id, scope: .everything) }
        #expect(try await store.find(both.id, scope: .everything).accounts == [second.email])
        try await purge(second)
        await #expect(throws: Failure.notFound("This webhook")) { try await store.find(both.id, scope: .everything) }
        #expect(try await store.find(customers.id, scope: .everything).accounts == [])
    }

    private func purge(_ account: Account) async throws {
        _ = try await database.accounts.delete(
            account.id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
        let purge = try #require(try await database.accounts.purge(account.id, scope: .everything, by: .command))
        try await database.accounts.remove(purge)
    }
}
