import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Dovecot's administration over HTTP (Dovecot 2.3 manual, "Doveadm HTTP API").
struct Doveadm: Sendable {
    enum Failed: Error {
        /// No answer in time, or none at all.
        case away
        /// The server answered and did not do it.
        case refused(String)
    }

    private let url: String
    private let authorization: String
    private let client: HTTPClient

    /// - Parameter base: `http://host:port`, without a path.
    init(base: String, apiKey: String, client: HTTPClient = .shared) {
        self.url = base + "/doveadm/v1"
        self.authorization = "X-Dovecot-API " + Data(apiKey.utf8).base64EncodedString()
        self.client = client
    }

    /// Ends every live session of these mailboxes; one without sessions is no error.
    /// - Returns: The mailboxes for which that was refused.
    /// - Throws: `Failed`, when it was done for none.
    func kick(_ emails: [String]) async throws -> Set<String> {
        let commands = emails.enumerated().map { ["kick", ["mask": [$1]], "\($0)"] as [Any] }
        let answers = try await send(try JSONSerialization.data(withJSONObject: commands))
        guard answers.count == emails.count else { throw Failed.refused("\(answers.count) answers") }
        // Errors come inside a 200: [["error", {"type", "exitCode"}, tag]]; 68 is "nobody was connected".
        var refused: Set<String> = []
        for answer in answers where answer.first as? String == "error" {
            if (answer.dropFirst().first as? [String: Any])?["exitCode"] as? Int == 68 { continue }
            guard let tag = (answer.last as? String).flatMap({ Int($0) }), emails.indices.contains(tag) else {
                throw Failed.refused("an answer to nothing that was asked")
            }
            refused.insert(emails[tag])
        }
        return refused
    }

    /// - Returns: One answer for each command, in any order.
    private func send(_ commands: Data) async throws -> [[Any]] {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "authorization", value: authorization)
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: commands))
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await client.execute(request, timeout: .seconds(2))
            body = try await response.body.collect(upTo: 1 << 18)
        } catch is CancellationError { throw CancellationError() } catch { throw Failed.away }
        guard response.status == .ok else { throw Failed.refused("HTTP \(response.status.code)") }
        guard let answers = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [[Any]] else {
            throw Failed.refused("no JSON")
        }
        return answers
    }
}
