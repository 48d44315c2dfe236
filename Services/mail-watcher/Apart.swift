/// Runs `body` in a task of its own, which ends with it; when the caller's task is cancelled, so is that.
///
/// A task allocates its calls' frames from slabs and keeps them for as long as it lives. So what waits most of its life does
/// apart what goes deep, and stays small (`docs/decisions/0025-sessions-are-handed-over.md`). Not by `async let`, which has
/// the head of the other task within the caller's frame.
/// - Throws: What `body` throws.
@inline(never) func apart<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let task = Task { try await body() }
    return try await withTaskCancellationHandler {
        try await task.value
    } onCancel: {
        task.cancel()
    }
}
