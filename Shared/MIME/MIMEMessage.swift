/// A whole message as values: nothing in it refers to the bytes it was parsed from.
public struct MIMEMessage: Sendable {
    public let headers: [MIMEHeader]
    public let from: [MIMEAddress]
    public let sender: [MIMEAddress]
    public let replyTo: [MIMEAddress]
    public let to: [MIMEAddress]
    public let cc: [MIMEAddress]
    public let bcc: [MIMEAddress]
    /// Empty when there is none.
    public let subject: String
    /// Milliseconds since 1970 in UTC; nil when missing or unreadable.
    public let date: Int64?
    /// Without angle brackets.
    public let messageID: String?
    public let inReplyTo: [String]
    public let references: [String]
    public let body: MIMEPart
}

/// A node of a message's body (RFC 2046).
public struct MIMEPart: Sendable {
    public enum Content: Sendable {
        /// A `text/*` part that is not an attachment, decoded as `MIMEBody.text` does.
        case text(String)
        /// Any other leaf, transfer encoding undone.
        case data([UInt8])
        case multipart([MIMEPart])
        /// An enclosed `message/rfc822`.
        indirect case message(MIMEMessage)
    }

    public enum Disposition: Sendable, Hashable { case inline, attachment }

    /// The part's number as IMAP counts (RFC 9051 §6.4.5.1): `1`, `2.1`; empty for a multipart that is the whole body.
    public let path: String
    /// `type/subtype` in lower case.
    public let mediaType: String
    public let disposition: Disposition?
    /// Decoded, from `Content-Disposition` or else `Content-Type`; not fit for a file system as it is.
    public let filename: String?
    /// Without angle brackets.
    public let contentID: String?
    /// Decoded size in bytes; of a multipart or message, 0.
    public let size: Int
    public let content: Content
}

extension MIMEMessage {
    /// The decoded value of the first header of this name.
    public subscript(header name: String) -> String? { headers.first { $0.isNamed(name) }?.value }

    /// The text of the first `text/plain` part that is not an attachment.
    public var plain: String? { text(of: "text/plain")?.text }

    /// The text of the first `text/html` part that is not an attachment.
    public var html: String? { text(of: "text/html")?.text }

    /// The leaves that are neither of the two bodies: attachments and inline images, in order; an enclosed message
    /// counts as one.
    public var attachments: [MIMEPart] {
        let bodies = [text(of: "text/plain")?.path, text(of: "text/html")?.path]
        return body.leaves.filter { !bodies.contains($0.path) }
    }

    private func text(of mediaType: String) -> (text: String, path: String)? {
        for leaf in body.leaves where leaf.mediaType == mediaType {
            if case .text(let text) = leaf.content { return (text, leaf.path) }
        }
        return nil
    }
}

extension MIMEPart {
    fileprivate var leaves: [MIMEPart] {
        guard case .multipart(let parts) = content else { return [self] }
        return parts.flatMap(\.leaves)
    }
}
