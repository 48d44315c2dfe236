/// How to leave the mailing list that a message came from (RFC 2369 §3.2, RFC 8058).
struct ListUnsubscribe: Equatable {
    /// An https or http address.
    let url: String?
    /// A `mailto:` address.
    let mailto: String?
    /// A POST to `url` is enough, no page needs to be visited (RFC 8058 §3.1).
    let isOneClick: Bool

    /// - Parameters:
    ///   - headers: The values of `List-Unsubscribe`.
    ///   - post: The values of `List-Unsubscribe-Post`.
    /// - Returns: nil when no address of either kind is there.
    init?(_ headers: [String], post: [String]) {
        let addresses = headers.flatMap { header in
            header.split(separator: "<").compactMap { piece in
                piece.firstIndex(of: ">").map { String(piece[..<$0].filter { !$0.isWhitespace }) }
            }
        }
        url =
            addresses.first { $0.lowercased().hasPrefix("https:") }
            ?? addresses.first { $0.lowercased().hasPrefix("http:") }
        mailto = addresses.first { $0.lowercased().hasPrefix("mailto:") }
        isOneClick =
            url?.lowercased().hasPrefix("https:") == true
            && post.contains { $0.filter { !$0.isWhitespace }.lowercased() == "list-unsubscribe=one-click" }
        guard url != nil || mailto != nil else { return nil }
    }
}
