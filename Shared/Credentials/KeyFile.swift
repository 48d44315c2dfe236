public import Glibc

/// Why a key file cannot be used.
public enum KeyFileError: Error, Equatable, CustomStringConvertible {
    /// The system refused; the message is `strerror`'s.
    case system(path: String, message: String)
    /// More people may read it than should.
    case notPrivate(path: String)
    /// It holds no P-256 private key in PEM.
    case notAKey
    /// It is no key to seal with: 32 bytes in base64.
    case notASealingKey(path: String)

    public var description: String {
        switch self {
        case .system(let path, let message): "\(path): \(message)"
        case .notPrivate(let path): "\(path) can be read by others than it should; take the rights of others away"
        case .notASealingKey(let path): "\(path) holds no key: it must be 32 random bytes in base64"
        case .notAKey: "the signing key file holds no P-256 private key in PEM"
        }
    }
}

/// A small secret file, made atomically, so that two processes starting at once agree on one key.
public enum KeyFile {
    /// The file's text; the file is made with `content` where there is none yet.
    ///
    /// - Parameters:
    ///   - mode: Its permissions when it is made: owner-only, or 0640 for one that a group may read.
    ///   - allowed: The most that it may be open to; by default as it is made. A file that is open to more is not used.
    /// - Throws: `KeyFileError`, and what `content` throws.
    public static func readOrCreate(
        path: String, mode: mode_t = 0o600, allowed: mode_t? = nil, content: () throws -> String
    ) throws -> String {
        if let existing = try read(path, mode: allowed ?? mode) { return existing }
        try create(path, try content(), mode: mode)
        // Whoever linked first won: what stands there now is the key.
        guard let made = try read(path, mode: allowed ?? mode) else { throw failure(path, ENOENT) }
        return made
    }

    /// Puts `content` in the file's place, whole or not at all.
    ///
    /// - Parameter isDurable: Whether it is on disk when this returns.
    /// - Throws: `KeyFileError`.
    public static func replace(
        path: String, with content: String, mode: mode_t = 0o600, isDurable: Bool = true
    ) throws {
        let temporary = try writeTemporary(path, content, mode: mode, isDurable: isDurable)
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw failure(path, code)
        }
    }

    private static func read(_ path: String, mode: mode_t) throws -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path, errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, errno) }
        guard status.st_mode & 0o777 & ~mode == 0 else { throw KeyFileError.notPrivate(path: path) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + length, $0.count - length)
            }
            guard count >= 0 else { throw failure(path, errno) }
            if count == 0 { break }
            length += count
        }
        return String(decoding: bytes[..<length], as: UTF8.self)
    }

    private static func create(_ path: String, _ content: String, mode: mode_t) throws {
        let temporary = try writeTemporary(path, content, mode: mode)
        defer { unlink(temporary) }
        // link(2), unlike rename(2), never replaces a key that another process made meanwhile.
        guard link(temporary, path) == 0 || errno == EEXIST else { throw failure(path, errno) }
    }

    /// - Returns: The path of a file beside `path`, on disk.
    private static func writeTemporary(
        _ path: String, _ content: String, mode: mode_t, isDurable: Bool = true
    ) throws -> String {
        let temporary = "\(path).new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(temporary, errno) }
        // Whatever the umask took away.
        fchmod(descriptor, mode)
        let bytes = Array(content.utf8)
        let written = write(descriptor, bytes, bytes.count)
        let synced = isDurable ? fsync(descriptor) : 0
        let code = errno
        close(descriptor)
        guard written == bytes.count, synced == 0 else {
            unlink(temporary)
            throw failure(temporary, code)
        }
        return temporary
    }

    private static func failure(_ path: String, _ code: Int32) -> KeyFileError {
        .system(path: path, message: String(cString: strerror(code)))
    }
}
