import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Attachments and whole messages on their way down: streamed, in parts, and bounded whoever reads them.
@Suite(.timeLimit(.minutes(5))) struct DownloadTests {
    let platform: Platform
    let reader: Mailbox

    init() async throws {
        platform = try Platform()
        let tenant = try await platform.commonTenant()
        reader = try await tenant.newMailbox(unique("reader"))
    }

    /// A mail with one attachment; the attachment's path and SHA-256.
    private func deliver(megabytes: Int) async throws -> (path: String, digest: String) {
        let quota = try await platform.hoster.patch(reader.accountRoute(), ["quota_mb": 512])
        #expect(quota.status == 200, "\(quota.text)")
        let result = try await reader.deliver([["megabytes": .int(megabytes)]])
        try #require(result.first?["accepted"] == true, "\(result)")
        return (reader.message("INBOX", 1) + "/attachments/2", try #require(result[0]["sha256"].string))
    }

    private func download(_ path: String, pause: Double = 0, stopAfter: Int = 0) throws -> Outside {
        let pid = try String(contentsOfFile: platform.stack.pidsDirectory + "/webmail-proxy", encoding: .utf8)
        return try Outside(
            script: "download.py",
            [
                // The service itself: what the gateway buffers is not ours.
                "url": .string(platform.stack.webmailURL + path), "pause": .double(pause),
                "stop_after": .int(stopAfter),
                "headers": ["Authorization": .string("Bearer " + reader.accessToken)],
                "pid": .int(try #require(Int(pid.trimming("\n ")))),
            ])
    }

    @Test func partsOfAFileAreGivenAndKnownAgain() async throws {
        let (path, _) = try await deliver(megabytes: 1)
        let client = reader.client
        let whole = try await client.get(path)
        #expect(whole.status == 200 && whole.body.count == 1 << 20 && whole.headers["accept-ranges"] == "bytes")
        let tag = try #require(whole.headers["etag"])
        for (range, bytes) in [
            ("bytes=0-9", 0..<10), ("bytes=500000-", 500_000..<1 << 20), ("bytes=-7", (1 << 20) - 7..<1 << 20),
            ("bytes=77777-333333", 77_777..<333_334), ("bytes=1048575-9999999", (1 << 20) - 1..<1 << 20),
        ] {
            let part = try await client.get(path, headers: [("Range", range)])
            #expect(part.status == 206 && part.body == whole.body[bytes], "\(range)")
            #expect(part.headers["content-range"] == "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/1048576")
            let unchanged = try await client.get(path, headers: [("Range", range), ("If-Range", tag)])
            #expect(unchanged.status == 206)
            let changed = try await client.get(path, headers: [("Range", range), ("If-Range", "\"other\"")])
            #expect(changed.status == 200 && changed.body == whole.body)
        }
        #expect(try await client.get(path, headers: [("Range", "bytes=1048576-")]).status == 416)
        let known = try await client.get(path, headers: [("If-None-Match", tag)])
        #expect(known.status == 304 && known.body.isEmpty && known.headers["etag"] == tag)
        #expect(whole.headers["cache-control"] == "private, no-cache")
        #expect(whole.headers["vary"] == "Authorization, X-Service-Token, X-Mail-Account")
        let head = try await client.send(.HEAD, path)
        #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "1048576")
        let raw = try await client.get(reader.message("INBOX", 1) + "/raw", headers: [("Range", "bytes=-6")])
        #expect(raw.status == 206 && raw.text == "-m--\r\n")
        #expect(try await client.get(path + "?uid_validity=1").status == 409)
    }

    @Test func aHundredMegabytesAreStreamed() async throws {
        let (path, digest) = try await deliver(megabytes: 100)
        let opened = ContinuousClock.now
        let message = try await reader.client.get(reader.message("INBOX", 1)).json(200)
        #expect(ContinuousClock.now - opened < .seconds(3), "only the text is fetched")
        #expect(message["plain"].string == "small words" && message["attachments"][0]["filename"] == "large.bin")

        let result = try await download(path).next()
        #expect(result["status"] == 200 && result["bytes"].int == 100 << 20)
        #expect(result["sha256"].string == digest)
        let grown = (result["rss_peak"].int ?? .max) - (result["rss_before"].int ?? 0)
        #expect(grown < 20 << 10, "\(grown) kB more")
        print("100 MB attachment: \(result["seconds"]) s, RSS +\(grown) kB")

        // A reader that hardly reads holds no more, and one that leaves holds nothing.
        let slow = try await download(path, pause: 0.05, stopAfter: 4 << 20).next()
        let held = (slow["rss_peak"].int ?? .max) - (slow["rss_before"].int ?? 0)
        #expect(slow["bytes"].int == 4 << 20 && held < 20 << 10, "\(held) kB more for a slow reader")
        for _ in 0..<10 { _ = try await download(path, stopAfter: 1 << 20).next() }
        let after = try await reader.client.get(reader.message("INBOX", 1))
        #expect(after.status == 200, "the sessions are free again")
    }
}
