import Foundation
import TestSupport
import Testing

/// Remote images of mails: blocked until asked for, then fetched by us, from the Internet alone, images alone.
@Suite(.timeLimit(.minutes(3))) struct ImageTests {
    let platform: Platform
    let reader: Mailbox
    let host: Outside
    let port: Int

    init() async throws {
        platform = try Platform()
        reader = try await platform.commonTenant().newMailbox(unique("reader"))
        host = try Outside(dialog: "image_host.py", [:])
        port = try #require(try await host.next()["port"].int)
    }

    /// The proxied links of a mail that shows these URLs, in order.
    private func links(to urls: [String], by client: Client) async throws -> [String] {
        let html = urls.map { "<img src=\"\($0)\">" }.joined()
        let mail = "From: a@outside.test\r\nSubject: images\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html
        let before = try await reader.messages()["total"].int ?? 0
        _ = try await reader.deliver([["base64": .string(Data(mail.utf8).base64EncodedString())]])
        let path = reader.message("INBOX", before + 1)
        let blocked = try await client.get(path).json(200)
        #expect(blocked["remote_images_blocked"].int == urls.count)
        #expect(!(blocked["html"].string ?? "").contains("src="))
        let shown = try await client.get(path + "?remote_images=true").json(200)
        #expect(shown["remote_images_blocked"] == 0)
        return (shown["html"].string ?? "").split(separator: "src=\"").dropFirst().map {
            String($0.prefix { $0 != "\"" }).replacing("&amp;", with: "&")
        }
    }

    private func ownService(_ settings: [String: String] = [:]) async throws -> OwnService {
        let own = ["IMAGES_ALLOWED_NETWORKS": "127.0.0.1/32", "IMAGES_PORTS": "\(port)", "IMAGES_TIMEOUT": "2s"]
        return try await OwnService("webmail-proxy", of: platform, settings: own.merging(settings) { $1 })
    }

    @Test func anImageIsFetchedOnceAndComesAsWhatItIs() async throws {
        let service = try await ownService()
        defer { service.stop() }
        let client = service.client.with(reader.client.credentials)
        let at = "http://127.0.0.1:\(port)"
        let links = try await links(
            to: ["\(at)/png?a=1&b=2", "\(at)/gif", "\(at)/typed", "\(at)/cookie", "\(at)/redirect?to=/png"], by: client)
        try #require(links.count == 5)
        for (link, type) in zip(links, ["image/png", "image/gif", "image/png", "image/png", "image/png"]) {
            for _ in 0..<2 {
                let image = try await service.client.get(link)
                #expect(image.status == 200 && image.headers["content-type"] == type, "\(link): \(image.text)")
                #expect(image.headers["content-security-policy"]?.contains("sandbox") == true)
                #expect(image.headers["x-content-type-options"] == "nosniff")
                #expect(image.headers["cache-control"]?.hasPrefix("private, max-age=") == true)
                #expect(image.headers["set-cookie"] == nil && image.headers["refresh"] == nil)
            }
        }
        // Six requests: the second time each came from the cache; and they tell nothing of the reader.
        for _ in 0..<6 {
            let asked = try await host.next()
            #expect(asked["headers"].keys == ["host", "user-agent", "accept", "accept-encoding", "connection"])
            #expect(asked["path"] != "/png?a=1&amp;b=2")
        }
        let twice = try await service.client.get(links[0].replacing("sig=", with: "sig=0"))
        #expect(twice.status == 403 && twice.isCleanProblem)
    }

    @Test func whatIsNoImageOrTakesTooLongIsRefusedInTime() async throws {
        let service = try await ownService(["IMAGES_MAX_SIZE": "1048576"])
        defer { service.stop() }
        let client = service.client.with(reader.client.credentials)
        let names = [
            "svg", "html", "gzip", "error", "missing", "loop", "drop", "huge", "slow", "trickle", "header",
            "redirect?to=http://10.0.0.1:\(port)/png", "redirect?to=http://127.0.0.1:22/",
            "redirect?to=file:///etc/passwd",
            "redirect?to=http://x@127.0.0.1:\(port)/png", "redirect?to=http://[::1]:\(port)/png",
        ]
        let links = try await links(to: names.map { "http://127.0.0.1:\(port)/\($0)" }, by: client)
        try #require(links.count == names.count)
        let before = try service.memory()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, link) in zip(names, links) {
                group.addTask {
                    let started = ContinuousClock.now
                    let reply = try await service.client.get(link)
                    #expect([502, 504].contains(reply.status) && reply.isCleanProblem, "\(name): \(reply.text)")
                    #expect(ContinuousClock.now - started < .seconds(7), "\(name) takes too long")
                }
            }
            try await group.waitForAll()
        }
        #expect(try service.memory() - before < 40 << 10)
        #expect(try await service.client.get("/healthz").status == 200)
    }

    @Test func onlyTheInternetIsAsked() async throws {
        // The stack's own service has no network allowed.
        let client = platform.hoster.reading(reader.email)
        let hosts = [
            "127.0.0.1", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]",
            "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "169.254.169.254", "10.0.0.1",
        ]
        let urls = hosts.map { "http://\($0):\(port)/png" } + ["http://127.0.0.1/png", "http://localhost:80/png"]
        for link in try await links(to: urls, by: client) {
            let reply = try await platform.stranger.get(link)
            #expect(reply.status == 502 && reply.code == "image_unavailable", "\(link): \(reply.text)")
        }
        // Nothing arrived: the first thing that the host hears is this.
        _ = try? await Client(base: "http://127.0.0.1:\(port)").get("/canary")
        #expect(try await host.next()["path"] == "/canary")
    }

    @Test func attachedImagesAreShownByTheirLinkAlone() async throws {
        let corpus = try MailCorpus()
        let related = try #require(corpus.mails.first { $0.name == "related" })
        _ = try await reader.deliver([["path": .string(related.path)]])
        let message = try await reader.client.get(reader.message("INBOX", 1)).json(200)
        let html = try #require(message["html"].string)
        let source = try #require(html.split(separator: "src=\"").last?.prefix { $0 != "\"" })
        let link = String(source).replacing("&amp;", with: "&")
        let image = try await platform.stranger.get(link)
        #expect(
            image.status == 200 && image.headers["content-type"] == "image/png"
                && image.body.starts(with: [0x89, 0x50]))
        #expect(try await platform.stranger.get(link + "0").status == 403)
        let other = link.replacing("%2F1%2F2", with: "%2F1%2F1")
        #expect(try await platform.stranger.get(other).status == 403, "another part")
        #expect(try await platform.stranger.get("/api/v1/mail/webmail/images").status == 422)
    }
}
