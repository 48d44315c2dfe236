import NIOCore

extension Redis {
    /// A server by name or number.
    public struct Address: Sendable, Hashable {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// The Sentinels that know which server is the master at the moment.
    public struct Sentinel: Sendable, Equatable {
        public var addresses: [Address]
        /// The name that the Sentinels watch the master by.
        public var master: String
        /// Of the Sentinels themselves; the servers' may be another.
        public var password: String?

        public init(addresses: [Address], master: String, password: String? = nil) {
            self.addresses = addresses
            self.master = master
            self.password = password
        }
    }
}

extension Wire {
    /// Connects to the master that the Sentinels name, and makes sure that it takes itself for one: a master that has just
    /// been replaced may still be named.
    static func openMaster(
        by sentinel: Redis.Sentinel, _ configuration: Redis.Configuration, on eventLoop: any EventLoop
    ) async throws -> Wire {
        var configuration = configuration
        let master = try await master(by: sentinel, configuration, on: eventLoop)
        configuration.host = master.host
        configuration.port = master.port
        let wire = try await connect(configuration, on: eventLoop).get()
        do {
            guard try await wire.send(["ROLE"]).get().array?.first?.string == "master" else {
                throw RedisError.unavailable("\(master.host):\(master.port) is no master any more")
            }
        } catch {
            wire.close()
            throw error
        }
        return wire
    }

    /// All are asked at once, since some of them may be away or hang; the first that knows is believed.
    private static func master(
        by sentinel: Redis.Sentinel, _ configuration: Redis.Configuration, on eventLoop: any EventLoop
    ) async throws -> Redis.Address {
        let found = eventLoop.makePromise(of: Redis.Address.self)
        let questions = sentinel.addresses.map { address in
            var asked = configuration
            asked.host = address.host
            asked.port = address.port
            asked.user = nil
            asked.password = sentinel.password
            asked.database = 0
            asked.commandTimeout = .seconds(1)
            return eventLoop.makeFutureWithTask { [asked] in
                try await master(named: sentinel.master, asked, on: eventLoop)
            }
            .map { if let address = $0 { found.succeed(address) } }
        }
        // Once somebody knew this comes too late, and does nothing.
        EventLoopFuture.whenAllComplete(questions, on: eventLoop).whenComplete { _ in
            found.fail(RedisError.unavailable("no Sentinel knows where \(sentinel.master) is"))
        }
        return try await found.futureResult.get()
    }

    /// - Returns: nil when this Sentinel knows no such master.
    private static func master(
        named name: String, _ configuration: Redis.Configuration, on eventLoop: any EventLoop
    ) async throws -> Redis.Address? {
        let wire = try await connect(configuration, on: eventLoop).get()
        defer { wire.close() }
        let answer = try await wire.send(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]).get().array ?? []
        guard answer.count == 2, let host = answer[0].string, let port = answer[1].string.flatMap({ Int($0) }) else {
            return nil
        }
        return Redis.Address(host: host, port: port)
    }
}
