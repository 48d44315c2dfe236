/// A command as a value: what to write, and how to read the answer. It does nothing until a connection runs it.
///
/// ```swift
/// let page = try await connection.run(.uidFetch(uids, [.flags, .envelope]))
/// let (inbox, newest) = try await connection.pipeline(.select(.inbox), .uidSort(by: [.descending(.arrival)], .all))
/// ```
///
/// Commands are built from typed values alone. Whatever their texts hold, they stay inside one quoted string or one
/// literal: no CR, LF, NUL or `{n+}` can make a second command.
public struct IMAPCommand<Output: Sendable>: Sendable {
    let request: CommandRequest
    let interpret: @Sendable (CommandResponses) throws(IMAPError) -> Output

    init(_ request: CommandRequest, interpret: @escaping @Sendable (CommandResponses) throws(IMAPError) -> Output) {
        self.request = request
        self.interpret = interpret
    }
}

extension IMAPCommand where Output == Void {
    init(_ request: CommandRequest) {
        self.init(request) { _ in }
    }
}

/// The part of a command that the connection needs to know.
struct CommandRequest: Sendable {
    /// What else a command does to the connection.
    enum Effect: Sendable, Equatable {
        case none
        /// Lines sent one by one, each when the server asks for it; nothing else is written meanwhile.
        case authenticate(replies: [[UInt8]])
        case startTLS
        case logout
    }

    var segments: [CommandEncoder.Segment]
    /// The untagged responses that are its answer; all others are events.
    var claims: ResponseClaims
    var effect: Effect
    /// Takes each FETCH response, so that it is not kept; false for one that is of no use.
    var digest: (@Sendable (FetchedMessage) -> Bool)?
    /// Why an argument cannot be sent.
    var invalid: String?

    init(
        _ name: StaticString, claims: ResponseClaims = [], effect: Effect = .none,
        _ arguments: (inout CommandEncoder) -> Void = { _ in }
    ) {
        var encoder = CommandEncoder(name)
        arguments(&encoder)
        (segments, invalid) = encoder.finish()
        self.claims = claims
        self.effect = effect
    }
}

/// What a command was answered with.
struct CommandResponses: Sendable, Equatable {
    var untagged: [UntaggedResponse] = []
    var status: StatusResponse
}

/// Kinds of untagged responses that a command takes as its answer.
struct ResponseClaims: OptionSet, Sendable {
    let rawValue: UInt32

    /// FETCH with or without a UID.
    static let fetch = Self(rawValue: 1 << 0)
    /// FETCH with a UID: others are news of changes by others.
    static let uidFetch = Self(rawValue: 1 << 1)
    static let vanishedEarlier = Self(rawValue: 1 << 2)
    static let list = Self(rawValue: 1 << 3)
    static let mailboxStatus = Self(rawValue: 1 << 4)
    static let search = Self(rawValue: 1 << 5)
    static let mailboxState = Self(rawValue: 1 << 6)
    static let statusCodes = Self(rawValue: 1 << 7)
    static let id = Self(rawValue: 1 << 8)
    static let namespace = Self(rawValue: 1 << 9)
    static let quota = Self(rawValue: 1 << 10)
    static let enabled = Self(rawValue: 1 << 11)
    static let capability = Self(rawValue: 1 << 12)
    static let thread = Self(rawValue: 1 << 13)
}
