import ServiceLifecycle

/// A sleep that a graceful shutdown or a cancellation cuts short.
enum Pause {
    static func until(_ duration: Duration) async {
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }
}
