import Foundation

/// A master, a replica, and three Sentinels that watch them.
public struct SentinelCluster: Sendable {
    public let master: PrivateServer
    public let replica: PrivateServer
    public let sentinels: [PrivateServer]
    public let url: String
    private let sentinelPort: Int

    public init() async throws {
        let ports = try (0..<5).map { _ in try PrivateServer.freePort() }
        master = try await .redis(port: ports[0])
        replica = try await .redis(port: ports[1], replicaOf: ports[0])
        var sentinels: [PrivateServer] = []
        for port in ports[2...] { sentinels.append(try await .sentinel(port: port, master: ports[0])) }
        self.sentinels = sentinels
        sentinelPort = ports[2]
        url = "redis+sentinel://" + ports[2...].map { "127.0.0.1:\($0)" }.joined(separator: ",") + "/mymaster/0"
        try await knowEachOther()
    }

    /// Makes the replica the master while both live.
    public func failOver() throws {
        _ = try PrivateServer.run(["redis-cli", "-p", "\(sentinelPort)", "SENTINEL", "FAILOVER", "mymaster"])
    }

    private func knowEachOther() async throws {
        let script = """
            redis-cli -p \(sentinelPort) SENTINEL CKQUORUM mymaster | grep -q '^OK 3' \
                && redis-cli -p \(sentinelPort) SENTINEL REPLICAS mymaster | grep -q '^ok$'
            """
        for _ in 0..<300 {
            if try PrivateServer.run(["bash", "-c", script]) == 0 { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw PrivateServer.NotStarted(description: "the Sentinels did not find each other within 15 s")
    }
}

extension PrivateServer {
    fileprivate static func redis(port: Int, replicaOf master: Int? = nil) async throws -> PrivateServer {
        let folder = try makeFolder()
        let server = PrivateServer(
            folder: folder,
            command: [
                "redis-server", "--bind", "127.0.0.1", "--port", "\(port)", "--save", "", "--appendonly", "no",
                "--repl-diskless-sync-delay", "0", "--dir", folder,
            ] + (master.map { ["--replicaof", "127.0.0.1", "\($0)"] } ?? []),
            isReady: { _ in
                let state = master == nil ? "role:master" : "master_link_status:up"
                let script = "redis-cli -p \(port) INFO replication | grep -q \(state)"
                return (try? Self.run(["bash", "-c", script])) == 0
            })
        try await server.start()
        return server
    }

    fileprivate static func sentinel(port: Int, master: Int) async throws -> PrivateServer {
        let folder = try makeFolder()
        let configuration = """
            port \(port)
            bind 127.0.0.1
            dir \(folder)
            sentinel monitor mymaster 127.0.0.1 \(master) 2
            sentinel down-after-milliseconds mymaster 500
            sentinel failover-timeout mymaster 3000

            """
        try configuration.write(toFile: "\(folder)/sentinel.conf", atomically: true, encoding: .utf8)
        let server = PrivateServer(
            folder: folder, command: ["redis-server", "\(folder)/sentinel.conf", "--sentinel"],
            isReady: { _ in (try? Self.run(["redis-cli", "-p", "\(port)", "ping"])) == 0 })
        try await server.start()
        return server
    }
}
