import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MailModel
import NIOCore
import Testing

@testable import HTTPService

@Suite struct JSONDecodingTests {
    struct Signature: Codable, Equatable {
        struct Rule: Codable, Equatable {
            let matchType: String
            let matchValue: String?
            enum CodingKeys: String, CodingKey {
                case matchType = "match_type"
                case matchValue = "match_value"
            }
        }
        let name: String
        let rules: [Rule]
        let quota: Int?
        let tags: [String: Double]?
    }

    func fault(_ json: String) -> Failure? {
        do {
            _ = try StrictJSONDecoder.decode(Signature.self, from: Array(json.utf8))
            return nil
        } catch { return error as? Failure }
    }

    @Test func decodesWhatFits() throws {
        let json =
            #" {"name":"\u00fc \ud83d\ude00\n\"","rules":[{"match_type":"any"}],"quota":null,"tags":{"a":1e2,"b":-0.5}} "#
        let value = try StrictJSONDecoder.decode(Signature.self, from: Array(json.utf8))
        #expect(value.name == "ü 😀\n\"")
        #expect(value.rules == [.init(matchType: "any", matchValue: nil)])
        #expect(value.tags == ["a": 100, "b": -0.5])
    }

    @Test func namesUnknownFieldsAtAnyDepth() {
        #expect(fault(#"{"name":"x","rules":[],"nmae":1}"#)?.fields.map(\.name) == ["nmae"])
        let nested = fault(#"{"name":"x","rules":[{"matchtype":"any"}]}"#)
        #expect(nested?.kind == .invalid)
        #expect(nested?.fields.map(\.name) == ["rules.0.matchtype", "rules.0.match_type"])
        #expect(nested?.fields.map(\.code) == ["unknown_field", "required"])
    }

    @Test(arguments: [
        (#"{"name":1,"rules":[]}"#, "name", "wrong_type"), (#"{"name":null,"rules":[]}"#, "name", "required"),
        (#"{"rules":[]}"#, "name", "required"), (#"{"name":"x","rules":{}}"#, "rules", "wrong_type"),
        (#"{"name":"x","rules":[1]}"#, "rules.0", "wrong_type"), ("[]", "body", "wrong_type"),
        (#"{"name":"x","rules":[],"quota":1.5}"#, "quota", "wrong_type"),
        (#"{"name":"x","rules":[],"quota":99999999999999999999}"#, "quota", "wrong_type"),
        (#"{"name":"x","rules":[],"tags":{"a":1e999}}"#, "tags.a", "wrong_type"),
        (#"{"name":"x","rules":[],"quota":true}"#, "quota", "wrong_type"),
    ])
    func namesTheField(json: String, field: String, code: String) {
        let failure = fault(json)
        #expect(failure?.kind == .invalid)
        #expect(failure?.fields.first == failure?.fields.first { $0.name == field && $0.code == code })
        #expect(failure?.fields.isEmpty == false)
    }

    @Test(arguments: [
        "", "{", #"{"name":"x""#, "nul", "{}x", #"{"a":1,"a":2}"#, #"{"a":01}"#, #"{"a":.5}"#, #"{"a":1.}"#, "[1,]",
        #"{"a":"\ud800"}"#, #"{"a":"\x"}"#, "{\"a\":\"\u{1}\"}", #"{a:1}"#, "\u{feff}{}",
        String(repeating: "[", count: 100), #"{"a":"# + String(repeating: "9", count: 5000) + "}",
    ])
    func refusesWhatIsNoJSON(text: String) {
        #expect(fault(text)?.kind == .malformed)
    }

    @Test func refusesBytesThatAreNoUTF8() {
        #expect(throws: JSONParser.Malformed.self) { try JSONParser.parse([0x22, 0xff, 0x22]) }
    }

    @Test func bodiesAreBoundedAndTyped() async throws {
        try await withRouter { router in
            router.post("/signatures") { request, _ in
                let signature = try await request.decode(Signature.self)
                return try Response.json(["name": signature.name], status: .created)
            }
        } test: { client in
            func post(_ body: String, _ type: String = "application/json") async throws -> TestResponse {
                try await client.executeRequest(
                    uri: "/signatures", method: .post, headers: [.contentType: type], body: ByteBuffer(string: body))
            }
            #expect(try await post(#"{"name":"x","rules":[]}"#).status == .created)
            #expect(try await post("{").status == .badRequest)
            #expect(try await post("").status == .badRequest)
            #expect(try await post("{}", "text/plain").status == .unsupportedMediaType)
            #expect(try await post(String(repeating: " ", count: 1 << 20) + "{}").status == .contentTooLarge)
            let unknown = try await post(#"{"name":"x","rules":[{"match_type":"any","matchtype":1}]}"#)
            #expect(unknown.status == .unprocessableContent)
            #expect(try unknown.problem.errors?.map(\.field) == ["rules.0.matchtype"])
        }
    }
}

@Suite struct JSONEncodingTests {
    struct Item: Codable, Equatable {
        let text: String
        let number: Int64
        let ratio: Double
        let flag: Bool
        let none: String?
        let list: [Int]
        let map: [String: [String]]
    }

    func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSONOutputEncoder.encode(value), as: UTF8.self)
    }

    @Test func writesWhatTheDecoderReads() throws {
        let items = (0..<3).map {
            Item(
                text: "\u{0}\t\r\n\"\\/ü😀\($0)", number: .min, ratio: 0.1, flag: true, none: nil, list: [1, -2],
                map: ["k": ["v"]])
        }
        let page = Page(items: items, request: .first, total: 3)
        let decoded = try StrictJSONDecoder.decode(Page<Item>.self, from: try JSONOutputEncoder.encode(page))
        #expect(decoded.items == items)
        #expect(decoded.perPage == 50)
    }

    @Test func smallThings() throws {
        #expect(try text([Int]()) == "[]")
        #expect(try text([String: Int]()) == "{}")
        #expect(try text("x\u{1f}") == #""x\u001f""#)
        #expect(try text([Optional(1), nil]) == "[1,null]")
        #expect(try text([[1], [], [2, 3]]) == "[[1],[],[2,3]]")
        #expect(throws: EncodingError.self) { try text(Double.infinity) }
    }

    @Test func nestedContainersWrittenByHand() throws {
        let event = MailEvent(
            id: "1-0", account: "a@example.com", at: 0, kind: .folderUpdate(folder: "IN\"BOX", unseen: 1, exists: 2))
        let json = try JSONOutputEncoder.encode(event)
        #expect(try StrictJSONDecoder.decode(MailEvent.self, from: json) == event)
    }
}
