import Credentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import MailModel
import NIOCore
import Testing

@testable import HTTPService

/// A router with one route of every kind of outcome, in front of a test client.
func withRouter(
    deadline: Duration? = .seconds(5), proxies: [String] = [],
    _ routes: (ServiceRouter) -> Void,
    test: @escaping @Sendable (any TestClientProtocol) async throws -> Void
) async throws {
    let deadlines = Deadlines()
    let router = ServiceRouter(
        deadline: deadline, trustedProxies: try #require(TrustedProxies(proxies)), deadlines: deadlines,
        metrics: nil, logRequests: false)
    routes(router)
    let application = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)), services: [deadlines])
    try await application.test(.live) { client in try await test(client) }
}

struct ProblemBody: Decodable {
    struct Item: Decodable {
        let field: String
        let code: String
        let message: String
    }
    let status: Int
    let code: String
    let request_id: String
    let errors: [Item]?
}

extension TestResponse {
    var problem: ProblemBody {
        get throws {
            #expect(headers[.contentType] == "application/problem+json")
            return try StrictJSONDecoder.decode(Loose<ProblemBody>.self, from: Array(body.readableBytesView)).value
        }
    }
}

/// Knows every key, for reading more than is looked at.
struct Loose<Value: Decodable>: Decodable {
    let value: Value
    init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: JSONKey.self)
        value = try Value(from: decoder)
    }
}

@Suite struct EdgeTests {
    struct Oops: Error {}

    /// What a call to another service would carry.
    @Test func whatARequestIsDoneForGoesWithIt() async throws {
        try await withRouter { router in
            router.get("/trace") { _, _ in
                RequestTrace.current?.headers.map { "\($0.name)=\($0.value)" }.joined(separator: " ") ?? "none"
            }
        } test: { (client: any TestClientProtocol) async throws -> Void in
            func carried(_ headers: HTTPFields) async throws -> String {
                let answer = try await client.executeRequest(uri: "/trace", method: .get, headers: headers, body: nil)
                return String(buffer: answer.body)
            }
            let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let request: HTTPFields = [.xRequestID: "abc", .traceParent: parent, .traceState: "vendor=1"]
            #expect(try await carried(request) == "x-request-id=abc traceparent=\(parent) tracestate=vendor=1")
            for bad in [
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff\(parent.dropFirst(2))", parent + "-00",
                parent.uppercased(), "00-4bf9-00f067aa0ba902b7-01", "",
            ] {
                let headers: HTTPFields = [.xRequestID: "abc", .traceParent: bad, .traceState: "vendor=1"]
                #expect(try await carried(headers) == "x-request-id=abc")
            }
            #expect(try await carried([:]).hasPrefix("x-request-id="))
        }
    }

    @Test func errorsBecomeProblems() async throws {
        try await withRouter { router in
            router.get("/failure") { _, _ -> Response in throw Failure.conflict("domain_exists", "It exists.") }
            router.get("/away") { _, _ -> Response in
                throw Failure.unavailable("MariaDB", retryAfter: .milliseconds(1500))
            }
            router.get("/http") { _, _ -> Response in
                throw HTTPError(.init(code: 418, reasonPhrase: "I am a teapot"), message: "short and stout")
            }
            router.get("/bug") { _, _ -> Response in throw Oops() }
        } test: { client in
            let failure = try await client.executeRequest(uri: "/failure", method: .get, headers: [:], body: nil)
            #expect(failure.status == .conflict)
            #expect(try failure.problem.code == "domain_exists")
            let away = try await client.executeRequest(uri: "/away", method: .get, headers: [:], body: nil)
            #expect(away.status == .serviceUnavailable)
            #expect(away.headers[.retryAfter] == "2")
            let teapot = try await client.executeRequest(uri: "/http", method: .get, headers: [:], body: nil)
            #expect(teapot.status.code == 418)
            #expect(try teapot.problem.status == 418)
            let bug = try await client.executeRequest(uri: "/bug", method: .get, headers: [:], body: nil)
            #expect(bug.status == .internalServerError)
            #expect(!String(buffer: bug.body).contains("Oops"))
        }
    }

    @Test func unknownPathsAndMethods() async throws {
        try await withRouter { router in
            router.group("/api").get("things/{id}") { _, context in "thing \(try context.idParameter())" }
                .delete("things/{id}") { _, _ in HTTPResponse.Status.noContent }
        } test: { client in
            let missing = try await client.executeRequest(uri: "/api/nothing", method: .get, headers: [:], body: nil)
            #expect(missing.status == .notFound)
            #expect(try missing.problem.code == "not_found")
            let method = try await client.executeRequest(uri: "/api/things/1", method: .put, headers: [:], body: nil)
            #expect(method.status == .methodNotAllowed)
            #expect(method.headers[.allow] == "DELETE, GET, HEAD")
            #expect(try method.problem.code == "method_not_allowed")
            let slash = try await client.executeRequest(uri: "/api/things/7/", method: .get, headers: [:], body: nil)
            #expect(String(buffer: slash.body) == "thing 7")
            for bad in ["0", "-1", "+1", "x", "99999999999999999999"] {
                let response = try await client.executeRequest(
                    uri: "/api/things/\(bad)", method: .get, headers: [:], body: nil)
                #expect(response.status == .notFound)
            }
        }
    }

    @Test func segmentsKeepTheirSlashes() async throws {
        try await withRouter { router in
            router.get("/messages/{folder}/{uid}") { _, context in
                "\(try context.pathParameter("folder"))|\(try context.pathParameter("uid"))"
            }
        } test: { client in
            let response = try await client.executeRequest(
                uri: "/messages/Archive%2F2024%20%C3%BC/12", method: .get, headers: [:], body: nil)
            #expect(String(buffer: response.body) == "Archive/2024 ü|12")
            let broken = try await client.executeRequest(uri: "/messages/%FF/1", method: .get, headers: [:], body: nil)
            #expect(broken.status == .notFound)
        }
    }

    @Test func requestIDs() async throws {
        try await withRouter { router in
            router.get("/id") { _, context in context.requestID }
        } test: { client in
            let given = try await client.executeRequest(
                uri: "/id", method: .get, headers: [.xRequestID: "abc-1.2_X"], body: nil)
            #expect(given.headers[.xRequestID] == "abc-1.2_X")
            #expect(String(buffer: given.body) == "abc-1.2_X")
            for insane in ["a b", "<x>", String(repeating: "a", count: 129)] {
                let made = try await client.executeRequest(
                    uri: "/id", method: .get, headers: [.xRequestID: insane], body: nil)
                let id = try #require(made.headers[.xRequestID])
                #expect(id != insane && RequestIdentifier.isSane(id))
            }
            let missing = try await client.executeRequest(
                uri: "/nowhere", method: .get, headers: [.xRequestID: "mine"], body: nil)
            #expect(try missing.problem.request_id == "mine")
        }
    }

    @Test func aLateHandlerIsAnsweredFor() async throws {
        try await withRouter(deadline: .milliseconds(100)) { router in
            router.get("/slow") { _, _ in
                try await Task.sleep(for: .seconds(30))
                return "late"
            }
            router.get("/stream") { _, _ in
                Response(
                    status: .ok,
                    body: .init { writer in
                        try await Task.sleep(for: .milliseconds(800))
                        try await writer.write(ByteBuffer(string: "streamed"))
                        try await writer.finish(nil)
                    })
            }
            router.with(deadline: nil).get("/patient") { _, _ in
                try await Task.sleep(for: .milliseconds(800))
                return "patient"
            }
        } test: { client in
            let started = ContinuousClock.now
            let slow = try await client.executeRequest(uri: "/slow", method: .get, headers: [:], body: nil)
            #expect(slow.status == .gatewayTimeout)
            #expect(try slow.problem.code == "deadline_exceeded")
            #expect(started.duration(to: .now) < .seconds(3))
            let stream = try await client.executeRequest(uri: "/stream", method: .get, headers: [:], body: nil)
            #expect(String(buffer: stream.body) == "streamed")
            let patient = try await client.executeRequest(uri: "/patient", method: .get, headers: [:], body: nil)
            #expect(String(buffer: patient.body) == "patient")
        }
    }

    @Test func clientAddressesComeOnlyFromTrustedProxies() async throws {
        let forwarded: HTTPFields = [.xForwardedFor: "6.6.6.6, 203.0.113.9, 10.1.2.3"]
        let routes: (ServiceRouter) -> Void = { $0.get("/me") { _, context in context.clientAddress } }
        try await withRouter(proxies: ["127.0.0.0/8", "10.0.0.0/8"], routes) { client in
            let response = try await client.executeRequest(uri: "/me", method: .get, headers: forwarded, body: nil)
            #expect(String(buffer: response.body) == "203.0.113.9")
        }
        try await withRouter(proxies: [], routes) { client in
            let response = try await client.executeRequest(uri: "/me", method: .get, headers: forwarded, body: nil)
            #expect(String(buffer: response.body) == "127.0.0.1")
        }
        #expect(TrustedProxies(["10.0.0.0/33"]) == nil)
        #expect(TrustedProxies(["::1/128"])?.contain("::1") == true)
        #expect(TrustedProxies(["192.168.0.0/17"])?.contain("192.168.128.1") == false)
    }

    @Test func answersCarrySecurityHeadersAndHeadHasNoBody() async throws {
        try await withRouter { router in
            router.get("/page") { _, _ in Response.html("<p>x") }
        } test: { client in
            let response = try await client.executeRequest(uri: "/page", method: .head, headers: [:], body: nil)
            #expect(response.status == .ok)
            #expect(response.headers[.xContentTypeOptions] == "nosniff")
            #expect(response.headers[.cacheControl] == "no-store")
            #expect(response.headers[.contentSecurityPolicy]?.contains("form-action 'self'") == true)
            #expect(response.body.readableBytes == 0)
        }
    }
}
