/// A message on its way out, as the outbox keeps it.
public struct OutboxMessage: Sendable, Equatable {
    public enum State: String, Sendable {
        /// Its bytes are still being written; nobody sees it.
        case composing
        case queued
        /// Handed to the submission server at this moment, or when the one who did so died.
        case submitting
        /// Every recipient was accepted or refused for good, at least one accepted.
        case sent
        case failed
        /// Its owner stopped it in time.
        case stopped
    }

    /// What follows acceptance in the mailbox it was sent from.
    public enum FilingState: String, Sendable { case none, due, done }

    /// One recipient of the envelope.
    public struct Recipient: Sendable, Equatable, Codable {
        public enum State: String, Sendable, Codable { case pending, accepted, rejected }

        public let address: String
        public var state: State
        /// What the server said: the enhanced status where there was one, and its text.
        public var code: String?
        public var message: String?

        public init(_ address: String, state: State = .pending, code: String? = nil, message: String? = nil) {
            self.address = address
            self.state = state
            self.code = code
            self.message = message
        }
    }

    /// What is to be done in the mailbox after acceptance, beside the copy in Sent.
    public struct FilingPlan: Sendable, Equatable, Codable {
        /// The message that was answered or forwarded.
        public struct Original: Sendable, Equatable, Codable {
            public var folder: String
            /// Nil: looked for by its message id.
            public var uid: UInt32?
            public var uidValidity: UInt32?
            public var messageID: String?
            /// The flag it gets.
            public var flag: String

            public init(folder: String, uid: UInt32?, uidValidity: UInt32?, messageID: String?, flag: String) {
                self.folder = folder
                self.uid = uid
                self.uidValidity = uidValidity
                self.messageID = messageID
                self.flag = flag
            }
        }

        /// Header lines for the sender's own copy alone: Bcc, encoded.
        public var copyHeaders: String
        public var original: Original?
        /// The draft that was sent.
        public var draftUID: UInt32?
        /// Of the folder of the draft; nil: not known.
        public var draftUIDValidity: UInt32?

        public init(
            copyHeaders: String = "", original: Original? = nil, draftUID: UInt32? = nil,
            draftUIDValidity: UInt32? = nil
        ) {
            self.copyHeaders = copyHeaders
            self.original = original
            self.draftUID = draftUID
            self.draftUIDValidity = draftUIDValidity
        }
    }

    /// Why it was not sent, or not yet.
    public struct Trouble: Sendable, Equatable {
        /// A stable word.
        public let code: String
        /// For a person.
        public let message: String

        public init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    public let id: Int64
    public let mailbox: String
    public let sender: String
    /// Without angle brackets.
    public let messageID: String
    public let subject: String
    /// Of the message: bytes.
    public let size: Int
    public let is8Bit: Bool
    public let isUTF8: Bool
    public var recipients: [Recipient]
    public let plan: FilingPlan
    public var state: State
    public var filing: FilingState
    public var attempts: Int
    public let filingAttempts: Int
    /// Milliseconds since 1970, as are all times.
    public let createdAt: Int64
    public let sendAt: Int64?
    public let nextAt: Int64?
    public let isLeased: Bool
    public let isDoubtful: Bool
    public let trouble: Trouble?
    public let sentFolder: String?
    public let sentUID: UInt32?

    public var accepted: [String] { recipients.filter { $0.state == .accepted }.map(\.address) }
    public var rejected: [Recipient] { recipients.filter { $0.state == .rejected } }
    public var pending: [String] { recipients.filter { $0.state == .pending }.map(\.address) }
}

/// A message to be put into the outbox.
public struct NewOutboxMessage: Sendable {
    public let mailbox: String
    /// Of the envelope.
    public let sender: String
    public let messageID: String
    public let subject: String
    public let is8Bit: Bool
    public let isUTF8: Bool
    public let recipients: [String]
    public let plan: OutboxMessage.FilingPlan
    /// Milliseconds since 1970; nil is at once, by the caller.
    public let sendAt: Int64?
    /// Uploads that are attached to it, and with it belong to it.
    public let uploads: [Int64]

    public init(
        mailbox: String, sender: String, messageID: String, subject: String, is8Bit: Bool, isUTF8: Bool,
        recipients: [String], plan: OutboxMessage.FilingPlan, sendAt: Int64?, uploads: [Int64]
    ) {
        self.mailbox = mailbox
        self.sender = sender
        self.messageID = messageID
        self.subject = subject
        self.is8Bit = is8Bit
        self.isUTF8 = isUTF8
        self.recipients = recipients
        self.plan = plan
        self.sendAt = sendAt
        self.uploads = uploads
    }
}
