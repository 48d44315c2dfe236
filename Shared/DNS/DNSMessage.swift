/// What can stand in a message besides class IN (RFC 1035 §3.2.4, RFC 2136 §2.4).
public enum DNSClass: UInt16, Sendable {
    case internet = 1
    case none = 254
    case any = 255
}

/// The types of records that are asked for or written here; others are passed over by number.
public enum DNSType: UInt16, Sendable, CaseIterable {
    case a = 1
    case ns = 2
    case cname = 5
    case soa = 6
    case mx = 15
    case txt = 16
    case aaaa = 28
    case srv = 33
    case tlsa = 52
    case tsig = 250
    case any = 255

    /// As it is written in zone files.
    public var text: String { "\(self)".uppercased() }

    public init?(text: String) {
        guard let type = Self.allCases.first(where: { $0.text == text.uppercased() }) else { return nil }
        self = type
    }
}

/// One record on the wire.
public struct DNSResourceRecord: Sendable, Equatable {
    /// Absolute, lower case, without the trailing dot.
    public var name: String
    public var type: UInt16
    public var recordClass: UInt16
    /// Seconds.
    public var ttl: UInt32
    /// RDATA with names uncompressed.
    public var data: [UInt8]

    public init(name: String, type: DNSType, recordClass: DNSClass = .internet, ttl: UInt32, data: [UInt8] = []) {
        self.name = name
        self.type = type.rawValue
        self.recordClass = recordClass.rawValue
        self.ttl = ttl
        self.data = data
    }

    init(name: String, type: UInt16, recordClass: UInt16, ttl: UInt32, data: [UInt8]) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
        self.ttl = ttl
        self.data = data
    }
}

/// A DNS message (RFC 1035 §4): a question with its answer, or an update (RFC 2136 §2), whose sections bear other names
/// and hold the same.
public struct DNSMessage: Sendable, Equatable {
    public struct Question: Sendable, Equatable {
        public var name: String
        public var type: UInt16
        public var questionClass: UInt16
    }

    public enum Opcode: UInt8, Sendable {
        case query = 0
        case update = 5
    }

    public var id: UInt16
    public var isResponse = false
    public var opcode = Opcode.query.rawValue
    public var isTruncated = false
    public var wantsRecursion = false
    /// 0 is no error (RFC 1035 §4.1.1, RFC 2136 §2.2).
    public var responseCode: UInt8 = 0
    public var questions: [Question] = []
    public var answers: [DNSResourceRecord] = []
    public var authority: [DNSResourceRecord] = []
    public var additional: [DNSResourceRecord] = []

    /// A question for the records of a name.
    public init(id: UInt16, name: String, type: DNSType, wantsRecursion: Bool) {
        self.id = id
        self.wantsRecursion = wantsRecursion
        questions = [Question(name: name, type: type.rawValue, questionClass: DNSClass.internet.rawValue)]
    }

    /// An update of a zone (RFC 2136 §2): `changes` are done all or none.
    public init(id: UInt16, updating zone: String, changes: [DNSResourceRecord]) {
        self.id = id
        opcode = Opcode.update.rawValue
        questions = [
            Question(name: zone, type: DNSType.soa.rawValue, questionClass: DNSClass.internet.rawValue)
        ]
        authority = changes
    }

    /// - Throws: `DNSError.malformed` for a name that cannot be one.
    public func encoded() throws(DNSError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(uint16: id)
        bytes.append((isResponse ? 0x80 : 0) | opcode << 3 | (isTruncated ? 2 : 0) | (wantsRecursion ? 1 : 0))
        bytes.append(responseCode & 15)
        for count in [questions.count, answers.count, authority.count, additional.count] {
            bytes.append(uint16: UInt16(clamping: count))
        }
        for question in questions {
            bytes += try DNSName.encode(question.name)
            bytes.append(uint16: question.type)
            bytes.append(uint16: question.questionClass)
        }
        for record in answers + authority + additional { bytes += try Self.encode(record) }
        return bytes
    }

    private static func encode(_ record: DNSResourceRecord) throws(DNSError) -> [UInt8] {
        guard record.data.count <= Int(UInt16.max) else { throw .malformed }
        var bytes = try DNSName.encode(record.name)
        bytes.append(uint16: record.type)
        bytes.append(uint16: record.recordClass)
        bytes.append(uint32: record.ttl)
        bytes.append(uint16: UInt16(record.data.count))
        return bytes + record.data
    }

    /// Reads a message from the wire; whatever a stranger sent ends in a value or in an error.
    /// - Throws: `DNSError.malformed`.
    public init(parsing bytes: [UInt8]) throws(DNSError) {
        var reader = DNSReader(bytes)
        id = try reader.uint16()
        let flags = try reader.uint16()
        isResponse = flags & 0x8000 != 0
        opcode = UInt8(flags >> 11 & 15)
        isTruncated = flags & 0x0200 != 0
        wantsRecursion = flags & 0x0100 != 0
        responseCode = UInt8(flags & 15)
        let counts = (try reader.uint16(), try reader.uint16(), try reader.uint16(), try reader.uint16())
        for _ in 0..<counts.0 {
            questions.append(
                Question(name: try reader.name(), type: try reader.uint16(), questionClass: try reader.uint16()))
        }
        answers = try reader.records(counts.1)
        authority = try reader.records(counts.2)
        additional = try reader.records(counts.3)
    }
}

/// Why the DNS could not be asked or changed.
public enum DNSError: Error, Equatable {
    /// What came, or was to be sent, is no DNS message.
    case malformed
    /// No answer in time.
    case timeout
    /// The server cannot be reached.
    case unreachable
    /// The server answered with an error (RFC 1035 §4.1.1, RFC 2136 §2.2): 2 SERVFAIL, 5 REFUSED, 9 NOTAUTH, …
    case refused(code: UInt8)
}

extension [UInt8] {
    mutating func append(uint16 value: UInt16) { self += [UInt8(value >> 8), UInt8(value & 0xff)] }

    mutating func append(uint32 value: UInt32) {
        append(uint16: UInt16(value >> 16))
        append(uint16: UInt16(value & 0xffff))
    }
}
