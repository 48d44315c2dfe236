import FoundationEssentials
import Glibc
import NIOPosix

/// Gives back memory that is not needed any more.
///
/// Starting touches most of the program's code once: symbol binding, protocol conformances, settings. Those pages stay
/// resident although nothing uses them again, some 20 MB for each service. Code pages are clean copies of the file, so
/// letting go of them is safe at any time: what is needed again comes back from the page cache with a minor fault.
enum WorkingSet {
    private static let lookEvery = Duration.seconds(10)
    /// Bytes by which the heap has to grow before it is worth the search for what is free in it.
    private static let slack = 4 << 20

    /// Lets go of what starting needed, and from then on of what the heap holds without need, until it is cancelled.
    static func keepSmall() async throws {
        trim()
        var kept = 0
        // What was in use while the heap grew may be free by the next look, and is less than would be worth another search.
        var hasGrown = false
        while true {
            let heap = residentHeap
            let grows = heap >= kept + slack
            if !grows, !hasGrown {
                kept = min(kept, heap)
            } else {
                hasGrown = grows
                // On a thread that serves nobody: it takes milliseconds, and each arena is locked for its part of them.
                kept = try await NIOThreadPool.singleton.runIfActive {
                    trimHeap()
                    return residentHeap
                }
            }
            try await Task.sleep(for: lookEvery)
        }
    }

    /// One heap for all threads from now on, instead of one for each. Does nothing where the C library is another.
    static func shareHeap() {
        typealias Option = @convention(c) (CInt, CInt) -> CInt
        // Not in the Glibc module: mallopt(3), M_ARENA_MAX.
        guard let option = dlsym(nil, "mallopt") else { return }
        _ = unsafeBitCast(option, to: Option.self)(-8, 1)
    }

    /// Lets go of all code pages (mappings that are executable and never were written).
    private static func trim() {
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
    private static func trimHeap() {
        typealias Trim = @convention(c) (Int) -> CInt
        // Not in the Glibc module: malloc_trim(3).
        guard let trim = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(trim, to: Trim.self)(0)
    }

    /// Bytes of memory that is no file's: heaps and stacks. What glibc counts as free does not tell which pages of it
    /// are given back already.
    private static var residentHeap: Int {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return 0 }
        // proc_pid_statm(5): size, resident, shared, …
        let pages = String(decoding: data, as: UTF8.self).split(separator: " ").prefix(3).compactMap { Int($0) }
        return pages.count == 3 ? (pages[1] - pages[2]) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
