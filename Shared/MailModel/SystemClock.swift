import Glibc

/// The wall clock, which `ContinuousClock` is not.
enum SystemClock {
    static func sinceEpoch() -> (seconds: Int64, nanoseconds: Int64) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return (Int64(now.tv_sec), Int64(now.tv_nsec))
    }
}
