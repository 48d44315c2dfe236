import Foundation
import Glibc
import TestSupport
import Testing

/// A second process of one of the services of the running stack, with some settings of its own.
final class OwnService: Sendable {
    let client: Client
    let pid: pid_t
    private let process: Outside

    /// - Parameters:
    ///   - name: As its process id file is called.
    ///   - settings: Variables, without the prefix `XYNAP_`.
    init(_ name: String, of platform: Platform, settings: [String: String]) async throws {
        let text = try String(contentsOfFile: platform.stack.pidsDirectory + "/" + name, encoding: .utf8)
        let folder = "/proc/" + text.trimming("\n ")
        var environment: [String: String] = [:]
        for entry in try Data(contentsOf: URL(filePath: folder + "/environ")).split(separator: 0) {
            let pair = String(decoding: entry, as: UTF8.self).split(separator: "=", maxSplits: 1)
            if pair.count == 2 { environment[String(pair[0])] = String(pair[1]) }
        }
        let port = try freePort()
        environment["XYNAP_PORT"] = String(port)
        for (key, value) in settings { environment["XYNAP_" + key] = value }
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/exe")
        process = try Outside(URL(filePath: program), [], environment: environment)
        pid = process.pid
        client = Client(base: "http://127.0.0.1:\(port)")
        try await eventually(within: .seconds(10), "\(name) is ready") {
            (try? await client.get("/readyz").status) == 200
        }
    }

    var isRunning: Bool { process.isRunning }

    /// Resident memory: kB.
    func memory() throws -> Int { try memory("VmRSS") }

    /// The most that it ever was: kB.
    func peakMemory() throws -> Int { try memory("VmHWM") }

    private func memory(_ field: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    func stop() { process.terminate() }
}

/// A port of loopback that nobody listens on.
func freePort() throws -> Int {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let outcome = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(listener, $0, size) == 0 && getsockname(listener, $0, &size) == 0
        }
    }
    guard outcome else { throw Surprise("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}
