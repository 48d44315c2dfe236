import Glibc

/// Gives back memory that is not needed any more.
///
/// Starting touches most of the program's code once: symbol binding, protocol conformances, settings. Those pages stay
/// resident although nothing uses them again, some 20 MB for each service. Code pages are clean copies of the file, so
/// letting go of them is safe at any time: what is needed again comes back from the page cache with a minor fault.
enum WorkingSet {
    /// Lets go of all code pages (mappings that are executable and never were written).
    static func trim() {
        guard let maps = fopen("/proc/self/maps", "r") else { return }
        defer { fclose(maps) }
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), maps) != nil {
            let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count == 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard bounds.count == 2, let start = UnsafeMutableRawPointer(bitPattern: bounds[0]) else { continue }
            madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
        }
    }

    /// Lets go of the pages of the heap on which nothing is left: glibc keeps what thousands of handshakes, or one long
    /// list, once needed. Does nothing where the C library is another.
    static func trimHeap() {
        typealias Trim = @convention(c) (Int) -> CInt
        // Not in the Glibc module: malloc_trim(3).
        guard let trim = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(trim, to: Trim.self)(0)
    }
}
