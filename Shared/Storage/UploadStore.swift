import MariaDB
import MailModel

/// Files that were uploaded to be attached; they are gone once they have been, or after a day.
///
/// Every method takes the mailbox that the file belongs to.
public struct UploadStore: Sendable {
    let database: Database

    /// How long a file is kept: milliseconds.
    public static let lifetime: Int64 = 24 * 3600 * 1000

    /// A file that is whole.
    public struct Upload: Sendable, Equatable {
        public let id: Int64
        public let filename: String
        public let contentType: String
        /// Bytes.
        public let size: Int64
        /// Milliseconds since 1970, as below.
        public let createdAt: Int64
        public let expiresAt: Int64
    }

    /// Begins a file, which nobody sees until it is whole.
    ///
    /// - Parameters:
    ///   - limit: As many as the mailbox may keep.
    ///   - bytes: As much as they may come to.
    /// - Returns: Its id.
    /// - Throws: `Failure` `too_many_uploads` when the mailbox keeps as many as it may, or as much.
    public func begin(
        mailbox: String, filename: String, contentType: String, atMost limit: Int, bytes: Int64
    ) async throws -> Int64 {
        let now = Timestamp.now()
        let kept = try await kept(by: mailbox)
        guard kept.count < limit else {
            throw Failure.conflict(
                "too_many_uploads", "The mailbox keeps \(limit) uploads already; send or delete some.")
        }
        guard kept.bytes < bytes else { throw Self.full(bytes) }
        return try await database.execute(
            """
            INSERT INTO uploads (mailbox, filename, content_type, created_at, expires_at)
            VALUES (\(mailbox), \(filename), \(contentType), \(now), \(now + Self.lifetime))
            """
        ).lastInsertID
    }

    /// Adds the next piece.
    public func append(_ bytes: [UInt8], position: Int, to id: Int64) async throws {
        try await database.execute(
            "INSERT INTO upload_chunks (upload_id, position, bytes) VALUES (\(id), \(position), \(bytes))")
    }

    /// The file is whole now.
    ///
    /// - Parameter bytes: As much as the mailbox may keep.
    /// - Throws: `Failure` `too_many_uploads` when with this file it would be more.
    public func finish(_ id: Int64, size: Int64, mailbox: String, atMost bytes: Int64) async throws -> Upload {
        guard try await kept(by: mailbox).bytes + size <= bytes else { throw Self.full(bytes) }
        try await database.execute(
            "UPDATE uploads SET size = \(size) WHERE id = \(id) AND mailbox = \(mailbox) AND size IS NULL")
        return try await find(id, mailbox: mailbox)
    }

    private func kept(by mailbox: String) async throws -> (count: Int, bytes: Int64) {
        let row = try await database.query(
            """
            SELECT COUNT(*) AS n, CAST(COALESCE(SUM(size), 0) AS SIGNED) AS bytes FROM uploads
            WHERE mailbox = \(mailbox) AND expires_at > \(Timestamp.now())
            """
        ).first
        return (try row?.int("n") ?? 0, try row?.int64("bytes") ?? 0)
    }

    private static func full(_ bytes: Int64) -> Failure {
        .conflict("too_many_uploads", "The mailbox may keep \(bytes) bytes of uploads; send or delete some.")
    }

    /// - Throws: `Failure.notFound` also for another mailbox's, and for one that has expired.
    public func find(_ id: Int64, mailbox: String) async throws -> Upload {
        let rows = try await database.query(
            """
            SELECT id, filename, content_type, size, created_at, expires_at FROM uploads
            WHERE id = \(id) AND mailbox = \(mailbox) AND size IS NOT NULL AND expires_at > \(Timestamp.now())
            """)
        guard let row = rows.first else { throw Failure.notFound("This upload") }
        return Upload(
            id: id, filename: try row.string("filename"), contentType: try row.string("content_type"),
            size: try row.int64("size"), createdAt: try row.int64("created_at"),
            expiresAt: try row.int64("expires_at"))
    }

    /// A piece of the file; nil after the last.
    public func piece(_ position: Int, of id: Int64) async throws -> [UInt8]? {
        try await database.query(
            "SELECT bytes FROM upload_chunks WHERE upload_id = \(id) AND position = \(position)"
        ).first?.bytes("bytes")
    }

    /// - Throws: `Failure.notFound` also for another mailbox's.
    public func delete(_ id: Int64, mailbox: String) async throws {
        let outcome = try await database.execute("DELETE FROM uploads WHERE id = \(id) AND mailbox = \(mailbox)")
        guard outcome.affectedRows == 1 else { throw Failure.notFound("This upload") }
    }

    /// The files were attached. It may come more than once.
    public func consume(_ ids: [Int64], mailbox: String) async throws {
        guard !ids.isEmpty else { return }
        try await database.execute("DELETE FROM uploads WHERE id IN (\(list: ids)) AND mailbox = \(mailbox)")
    }

    /// Deletes some of what has expired.
    ///
    /// - Returns: Whether there is more.
    public func removeExpired() async throws -> Bool {
        // Each takes megabytes of pieces with it.
        try await database.execute("DELETE FROM uploads WHERE expires_at <= \(Timestamp.now()) LIMIT 20").affectedRows
            == 20
    }
}
