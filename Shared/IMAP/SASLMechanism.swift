/// How to prove who we are.
public enum SASLMechanism: Sendable {
    /// RFC 4616
    case plain(user: String, password: String)
    /// Google's XOAUTH2, which nearly all servers with OAuth speak.
    case xoauth2(user: String, token: String)
    /// RFC 7628
    case oauthBearer(user: String, token: String, host: String, port: Int)

    var name: StaticString {
        switch self {
        case .plain: "PLAIN"
        case .xoauth2: "XOAUTH2"
        case .oauthBearer: "OAUTHBEARER"
        }
    }

    /// The first thing the client says. Nil when a text holds a byte that separates fields.
    var initialResponse: [UInt8]? {
        switch self {
        case .plain(let user, let password):
            guard !(user + password).utf8.contains(0) else { return nil }
            return Array("\u{0}\(user)\u{0}\(password)".utf8)
        case .xoauth2(let user, let token):
            guard !(user + token).utf8.contains(1) else { return nil }
            return Array("user=\(user)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8)
        case .oauthBearer(let user, let token, let host, let port):
            guard !(user + token + host).utf8.contains(1) else { return nil }
            let name = user.utf8.reduce(into: [UInt8]()) { name, byte in
                // saslname of RFC 5801 §4
                switch byte {
                case UInt8(ascii: ","): name += Array("=2C".utf8)
                case UInt8(ascii: "="): name += Array("=3D".utf8)
                default: name.append(byte)
                }
            }
            return Array("n,a=".utf8) + name
                + Array(",\u{1}host=\(host)\u{1}port=\(port)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8)
        }
    }

    /// What to say to an error challenge so that the server ends the exchange: nothing for XOAUTH2, one ^A for
    /// OAUTHBEARER (RFC 7628 §3.2.3).
    var failureResponse: [UInt8]? {
        switch self {
        case .plain: nil
        case .xoauth2: []
        case .oauthBearer: Base64.encode([1])
        }
    }

    /// AUTHENTICATE, in one step where the server has SASL-IR (RFC 4959).
    func request(initialResponse first: [UInt8], inOneStep: Bool) -> CommandRequest {
        let encoded = Base64.encode(first)
        var replies = failureResponse.map { [$0] } ?? []
        if !inOneStep { replies.insert(encoded, at: 0) }
        return CommandRequest("AUTHENTICATE ", claims: [], effect: .authenticate(replies: replies)) { encoder in
            encoder.words(name)
            guard inOneStep else { return }
            encoder.words(" ")
            encoder.base64(encoded)
        }
    }
}
