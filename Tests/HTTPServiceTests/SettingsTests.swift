import FoundationEssentials
import Testing

@testable import HTTPService

@Suite struct SettingsTests {
    func reader(_ environment: [String: String], yaml: String? = nil) async throws -> SettingsReader {
        guard let yaml else { return try await SettingsReader(environment: environment) }
        let path = FileManager.default.temporaryDirectory.appending(
            path: "settings-\(UInt64.random(in: 0 ... .max)).yaml")
        try Data(yaml.utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try await SettingsReader(environment: environment, file: path.path)
    }

    @Test func environmentBeforeFileBeforeDefault() async throws {
        let yaml = "database:\n  host: from-file\n  port: 3307\ndns:\n  nameservers: [a.example, b.example]\n"
        let read = try await reader(["XYNAP_DATABASE_HOST": "from-env", "XYNAP_EMPTY": ""], yaml: yaml)
        #expect(read.string("database.host", default: "x", "Host") == "from-env")
        #expect(read.int("database.port", default: 3306, "Port") == 3307)
        #expect(read.string("database.name", default: "xynap", "Name") == "xynap")
        #expect(read.string("empty", default: "unset", "Empty") == "unset")
        #expect(read.list("dns.nameservers", "Names") == ["a.example", "b.example"])
        #expect(read.faults.isEmpty)
        #expect(read.declarations.map(\.source) == ["environment", "file", "default", "default", "file"])
    }

    @Test func faultsNameTheirKeys() async throws {
        let read = try await reader(["XYNAP_PORT": "http", "XYNAP_WAIT": "soon", "XYNAP_ON": "maybe"])
        #expect(read.int("port", default: 1, "Port") == 1)
        #expect(read.duration("wait", default: .seconds(1), "Wait") == .seconds(1))
        #expect(read.bool("on", default: false, "On") == false)
        _ = read.secret("database.password", "The password")
        #expect(read.faults.count == 4)
        #expect(read.faults.last?.contains("XYNAP_DATABASE_PASSWORD or XYNAP_DATABASE_PASSWORD_FILE") == true)
    }

    @Test func aTimeOutOfItsRangeIsAFault() async throws {
        let read = try await reader(["XYNAP_LONG": "24h", "XYNAP_SHORT": "500ms", "XYNAP_MOST": "1h"])
        for key in ["long", "short"] {
            #expect(read.duration(key, default: .seconds(60), in: .seconds(1) ... .seconds(3600), "T") == .seconds(60))
        }
        #expect(
            read.duration("most", default: .seconds(60), in: .seconds(1) ... .seconds(3600), "T") == .seconds(3600))
        #expect(read.faults.count == 2 && read.faults[0].contains("from 1s to 1h"), "\(read.faults)")
    }

    @Test func secretsComeFromFilesAndAreMasked() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "secret-\(UInt64.random(in: 0 ... .max))")
        try Data("hunter2\n".utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        let read = try await reader(["XYNAP_DATABASE_PASSWORD_FILE": path.path])
        #expect(read.secret("database.password", "The password") == "hunter2")
        #expect(!SettingsText.values(read.declarations).contains("hunter2"))
        #expect(SettingsText.help(program: "x", [], read.declarations).contains("XYNAP_DATABASE_PASSWORD_FILE"))
    }

    @Test(arguments: [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("7", 7000)])
    func durations(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
        #expect(DurationText.parse(DurationText.format(.milliseconds(milliseconds))) == .milliseconds(milliseconds))
    }

    @Test func serverSettingsHaveDefaults() async throws {
        let settings = ServerSettings(
            try await reader(["XYNAP_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8"]), defaultPort: 9)
        #expect(settings.port == 9)
        #expect(settings.trustedProxies.contain("10.9.9.9"))
        let read = try await reader(["XYNAP_TRUSTED_PROXIES": "everyone"])
        _ = ServerSettings(read)
        #expect(read.faults.count == 1)
    }
}
