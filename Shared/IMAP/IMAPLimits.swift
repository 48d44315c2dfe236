/// How much a server may make us hold. Beyond any of these the connection is closed with
/// `IMAPError.protocolViolation`.
public struct IMAPLimits: Sendable {
    /// Bytes of one response without its literals. A SEARCH over a million mails is 8 MB.
    public var lineBytes: Int
    /// Bytes of one literal: the largest message or part that is fetched in one piece.
    public var literalBytes: Int
    /// Bytes of one response with all its literals.
    public var responseBytes: Int
    /// Bytes of all responses that one command collects.
    public var commandBytes: Int
    /// Nesting of parentheses: multiparts within multiparts.
    public var depth: Int
    /// Parts of one BODYSTRUCTURE, addresses of one list, and items of any other list.
    public var listItems: Int

    /// The defaults suit mail of up to 64 MiB.
    public init(
        lineBytes: Int = 8 << 20, literalBytes: Int = 64 << 20, responseBytes: Int = 80 << 20,
        commandBytes: Int = 160 << 20, depth: Int = 64, listItems: Int = 100_000
    ) {
        self.lineBytes = lineBytes
        self.literalBytes = literalBytes
        self.responseBytes = responseBytes
        self.commandBytes = commandBytes
        self.depth = depth
        self.listItems = listItems
    }
}
