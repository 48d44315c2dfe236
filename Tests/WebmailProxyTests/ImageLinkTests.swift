import MailModel
import NIOCore
import HTTPService
import Testing

@testable import WebmailProxy

@Suite struct ImageLinkTests {
    private let links = ImageLinks(secret: "a secret", base: "")

    private func fields(_ link: String) throws -> (url: String, sig: String) {
        let query = try #require(link.split(separator: "?").last).split(separator: "&")
        let values = query.compactMap { $0.split(separator: "=", maxSplits: 1).last }
        return (try #require(FolderPath.decode(values[0])), String(values[1]))
    }

    @Test func aLinkOfOursCountsUntilItExpires() throws {
        let now: Int64 = 1_800_000_000
        let expiry = ImageLinks.expiry(at: now)
        #expect((86_400...172_800).contains(expiry - now))
        let url = "https://x.example/a b?c=ü&d"
        let link = links.link(to: url, expiry: expiry)
        #expect(link.hasPrefix("/api/v1/mail/webmail/images?url=https%3A%2F%2Fx.example%2Fa%20b"))
        let (named, sig) = try fields(link)
        #expect(named == url)
        try links.check(named, sig, now: now)
        try links.check(named, sig, now: expiry - 1)
        #expect(throws: Failure.self) { try links.check(named, sig, now: expiry) }
        // The same text all day, so that a browser knows the image again.
        #expect(links.link(to: url, expiry: ImageLinks.expiry(at: now / 86_400 * 86_400)) == link)
        try ImageLinks(secret: "a secret", base: "https://other").check(named, sig, now: now)
    }

    @Test func noOtherLinkCounts() throws {
        let (url, sig) = try fields(links.link(to: "https://x.example/", expiry: ImageLinks.expiry()))
        let halves = sig.split(separator: ".")
        let hours = String(halves[0]), code = String(halves[1])
        let forged: [(String, String)] = [
            ("\(url)a", sig), (url, ""), (url, "."), (url, hours), (url, "\(hours)."),
            (url, "\(hours).\(code.dropLast())"), (url, "zzzzz.\(code)"), (url, sig.uppercased()),
            (url, "\(hours).\(code)0"), ("", sig), (url, "-1.\(code)"),
        ]
        for (url, sig) in forged { #expect(throws: Failure.self, "\(sig)") { try links.check(url, sig) } }
        #expect(throws: Failure.self) { try ImageLinks(secret: "another", base: "").check(url, sig) }
    }

    @Test func aPlaceInAMailboxIsReadBackAsItWasWritten() {
        let image = AttachedImage(
            account: "ä@x.test", folder: "Archiv/2024 %2F", uidValidity: 7, uid: 42, part: "1.2")
        #expect(AttachedImage(image.url) == image)
        for url in ["mail:", "mail:a/b/1/2", "mail:a/b/x/2/1", "https://x/", "mail:a/b/1/2/3/4", "mail:%zz/b/1/2/3"] {
            #expect(AttachedImage(url) == nil)
        }
    }
}

@Suite struct ImageURLTests {
    @Test(arguments: [
        ("http://example.com", "example.com", 80, "/"), ("HTTPS://EXAMPLE.com:8443/a?b#c", "example.com", 8443, "/a?b"),
        ("https://bücher.example/ü", "xn--bcher-kva.example", 443, "/%C3%BC"), ("http://127.1/", "127.1", 80, "/"),
        ("http://[::1]:81/x", "::1", 81, "/x"), ("http://a.example?x y", "a.example", 80, "/?x%20y"),
        ("http://a.example/\r\nHost: b", "a.example", 80, "/%0D%0AHost:%20b"),
        ("http://localhost", "localhost", 80, "/"),
        ("http://a.example.:80/", "a.example", 80, "/"), ("http://a.example\\b", "a.example", 80, "/b"),
    ]) func isRead(text: String, host: String, port: Int, target: String) throws {
        let url = try #require(PublicURL(text))
        #expect(url.host == host && url.port == port && url.target == target)
    }

    @Test(arguments: [
        "", "ftp://a.example/", "http:a.example", "http:///x", "http://user@a.example/", "http://user:p@a.example/",
        "http://a.example:0/", "http://a.example:99999/", "http://a.example:x/", "http://a b/", "http://a%2eexample/",
        "http://[::1%25eth0]/", "http://[x]/", "javascript:x", "//a.example/", "http://a.example\u{0}.b/",
        "http://:80/",
    ]) func isRefused(text: String) { #expect(PublicURL(text) == nil) }

    @Test func redirectsAreRelativeToWhereTheyCameFrom() throws {
        let url = try #require(PublicURL("https://a.example/x/y?z"))
        for (location, wanted) in [
            ("http://b.example/q", "http://b.example/q"), ("//b.example", "https://b.example/"),
            ("/q?r", "https://a.example/q?r"), ("q", "https://a.example/x/q"), ("?r", "https://a.example/x/y?r"),
        ] { #expect(url.resolving(location) == PublicURL(wanted), "\(location)") }
        for location in ["ftp://b.example/", "javascript:x", "http://u@b.example/", "file:///etc/passwd"] {
            #expect(url.resolving(location) == nil, "\(location)")
        }
    }
}

@Suite struct ImageTypeTests {
    @Test func pixelsAreToldFromAllElse() {
        #expect(ImageType([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]) == .png)
        #expect(ImageType([0xff, 0xd8, 0xff, 0xe0]) == .jpeg)
        #expect(ImageType(Array("GIF89a".utf8)) == .gif)
        #expect(ImageType(Array("RIFF0000WEBPVP8 ".utf8)) == .webp)
        #expect(ImageType([0, 0, 0, 32] + Array("ftypavif".utf8)) == .avif)
        #expect(ImageType(Array("BM".utf8) + [9, 9, 9, 9] + [UInt8](repeating: 0, count: 30)) == .bmp)
        for text in [
            "", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<html>", "<?xml?>", "%PDF-1.4", "GIF8", "RIFF0000WAVE",
            "BM",
        ] { #expect(ImageType(Array(text.utf8)) == nil, "\(text)") }
    }
}

@Suite struct ImageCacheTests {
    private func image(_ size: Int) -> ImageCache.Entry {
        .image(.init(type: .png, body: .init(repeating: 0, count: size)))
    }

    @Test func theOnesUsedLongestAgoGoFirst() {
        var cache = ImageCache(capacity: 10_000)
        let now = ContinuousClock.now
        for name in ["a", "b", "c", "d"] { cache.insert(image(1000), for: name, now: now) }
        #expect(cache.find("a", now: now) != nil)
        for name in ["e", "f", "g"] { cache.insert(image(1000), for: name, now: now) }
        #expect(
            cache.find("a", now: now) != nil && cache.find("b", now: now) == nil && cache.find("g", now: now) != nil)
        #expect(cache.size <= 10_000)
        cache.insert(image(5000), for: "large", now: now)
        #expect(cache.find("large", now: now) == nil)
        for index in 0..<10_000 {
            cache.insert(.failure(.refused), for: "\(index)", now: now)
            _ = cache.find("\(index % 7)", now: now)
        }
        #expect(cache.size <= 10_000)
    }

    @Test func whatIsOldIsNotShown() {
        var cache = ImageCache(capacity: 10_000)
        let now = ContinuousClock.now
        cache.insert(image(10), for: "a", now: now)
        cache.insert(.failure(.timedOut), for: "b", now: now)
        #expect(cache.find("a", now: now + .seconds(3599)) != nil && cache.find("b", now: now + .seconds(59)) != nil)
        #expect(cache.find("a", now: now + .seconds(3601)) == nil && cache.find("b", now: now + .seconds(61)) == nil)
        #expect(cache.size == 0)
    }
}
