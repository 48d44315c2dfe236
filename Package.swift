// swift-tools-version: 6.2
import PackageDescription

// What every target of ours is held to (ARCHITECTURE.md explains the table below).
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioLocks = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

func system(_ name: String, _ pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Shared/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: strict)
}

/// A service may use anything in Shared, never another service.
func service(_ name: String, _ target: String, _ dependencies: [Target.Dependency] = []) -> Target {
    let common: [Target.Dependency] = [
        "MailModel", "HTTPService", "Credentials", "Storage", "Platform",
        hummingbird, httpTypes, nioCore, logging, lifecycle,
    ]
    return .executableTarget(
        name: target, dependencies: common + dependencies, path: "Services/\(name)",
        resources: [.embedInCode("openapi.yaml")], swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources,
        swiftSettings: strict)
}

/// What reads the bytes of strangers, with the tests' own eyes.
let parsers: [Target.Dependency] = [
    "IMAP", "MIME", "HTMLSanitizer", "Credentials", "HTTPService", "SMTP", "TestSupport",
]

let package = Package(
    name: "xynap-mail",
    products: [
        .executable(name: "auth-server", targets: ["AuthServer"]),
        .executable(name: "admin-api", targets: ["AdminAPI"]),
        .executable(name: "webmail-proxy", targets: ["WebmailProxy"]),
        .executable(name: "mail-watcher", targets: ["MailWatcher"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.1"),
        .package(url: "https://github.com/apple/swift-crypto.git", "3.0.0"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration.git", from: "1.4.0", traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // C libraries
        system("CMariaDB", "mariadb", apt: "libmariadb-dev"),
        system("CHiredis", "hiredis", apt: "libhiredis-dev"),
        system("CSodium", "libsodium", apt: "libsodium-dev"),
        system("CGMime", "gmime-3.0", apt: "libgmime-3.0-dev"),
        system("CGumbo", "gumbo", apt: "libgumbo-dev"),
        .target(name: "CBoundedGumbo", dependencies: ["CGumbo"], path: "Shared/System/CBoundedGumbo"),

        // Protocols and formats: nothing of the product
        module("IMAP", [nioCore, nioPosix, nioSSL, nioLocks, logging]),
        module("SMTP", [nioCore, nioPosix, nioSSL]),
        module("DNS", [nioCore, nioPosix, crypto]),
        module("ManageSieve", [nioCore, nioPosix, nioSSL]),
        module("MIME", ["CGMime"]),
        module("HTMLSanitizer", ["CBoundedGumbo"]),
        module("MariaDB", ["CMariaDB", nioCore, nioPosix, nioLocks, logging]),
        module("Redis", ["CHiredis", nioCore, nioPosix, nioSSL, nioLocks, logging, lifecycle]),
        module(
            "WebSockets",
            [
                hummingbird, hummingbirdCore, httpTypes, nioCore, nioHTTP1, nioWebSocket, nioHTTPTypes,
                nioHTTPTypesHTTP1, nioLocks, crypto, logging,
            ]),

        // The product's own
        module("MailModel"),
        module(
            "Credentials",
            [
                "MailModel", "CSodium", jwtKit, crypto, httpClient, nioCore, nioHTTP1, nioPosix, nioLocks, logging,
                lifecycle,
            ]),
        module("Storage", ["MailModel", "MariaDB"]),
        module("EventBus", ["MailModel", "Redis", nioLocks, logging, lifecycle]),
        module(
            "HTTPService",
            [
                "MailModel", "Credentials", hummingbird, hummingbirdCore, httpTypes, nioCore, nioHTTP1,
                nioHTTPTypesHTTP1, nioLocks, nioPosix, nioSSL, logging,
                coreMetrics, configuration, lifecycle, unixSignals, argumentParser,
            ]),

        module(
            "Platform",
            [
                "MailModel", "HTTPService", "Credentials", "Storage", "EventBus", "Redis", hummingbird, httpTypes,
                crypto,
                nioCore, coreMetrics, nioLocks, logging,
            ]),

        service(
            "auth-server", "AuthServer", ["EventBus", argumentParser, crypto, httpClient, nioHTTP1, nioLocks, metrics]),
        service(
            "admin-api", "AdminAPI",
            [
                "DNS", "ManageSieve", "EventBus", argumentParser, crypto, cryptoExtras, httpClient, nioHTTP1, nioLocks,
                nioPosix,
            ]),
        service(
            "webmail-proxy", "WebmailProxy",
            [
                "IMAP", "SMTP", "MIME", "HTMLSanitizer", hummingbirdCore, crypto, nioHTTP1, nioLocks, nioPosix, nioSSL,
                metrics,
            ]),
        service(
            "mail-watcher", "MailWatcher",
            [
                "IMAP", "MIME", "EventBus", "Redis", "WebSockets", crypto, nioHTTP1, nioLocks, nioPosix, nioSSL,
                metrics,
            ]),

        // Tests: one target per module; Live drives the whole product over its public ports
        .target(
            name: "TestSupport", dependencies: ["CBoundedGumbo", nioCore, nioLocks, nioPosix, nioSSL],
            path: "Tests/Support", swiftSettings: strict),
        tests("MailModelTests", ["MailModel"]),
        tests(
            "HTTPServiceTests",
            [
                "HTTPService", "Credentials", "MailModel", "TestSupport", hummingbird, hummingbirdTesting, httpClient,
                httpTypes,
                nioCore, nioEmbedded, nioHTTP1, nioLocks, coreMetrics, lifecycle, logging,
            ]),
        tests(
            "WebSocketsTests",
            [
                "WebSockets", "TestSupport", hummingbird, hummingbirdCore, hummingbirdTesting, httpTypes, nioCore,
                nioEmbedded, logging,
            ]),
        tests("CredentialsTests", ["Credentials", "MailModel", "TestSupport", crypto, jwtKit, nioLocks]),
        tests("StorageTests", ["Storage", "MariaDB", "MailModel", "TestSupport"]),
        tests("MariaDBTests", ["MariaDB", "TestSupport"]),
        tests("RedisTests", ["Redis", "TestSupport", nioCore, nioPosix, logging, lifecycle]),
        tests("EventBusTests", ["EventBus", "Redis", "MailModel", "TestSupport", nioCore, logging, lifecycle]),
        tests("IMAPTests", ["IMAP", nioCore, nioPosix, nioEmbedded, logging], resources: [.copy("Dialogs")]),
        tests("SMTPTests", ["SMTP", nioCore, nioPosix, nioSSL]),
        tests("MIMETests", ["MIME"]),
        tests("HTMLSanitizerTests", ["HTMLSanitizer", "TestSupport"]),
        tests("CorpusTests", parsers, exclude: ["Fuzz.swift"]),
        tests(
            "WebmailProxyTests",
            [
                "WebmailProxy", "HTTPService", "IMAP", "MIME", "MailModel", "SMTP", "Storage", "TestSupport",
                hummingbirdCore,
                nioCore,
            ]),
        tests("Live", ["TestSupport", crypto, nioCore, nioPosix, nioHTTP1, httpClient], exclude: ["outside"]),
        tests(
            "AuthServerTests",
            [
                "AuthServer", "Credentials", "EventBus", "HTTPService", "MailModel", "MariaDB", "Storage",
                "TestSupport", logging,
            ]),
        tests("DNSTests", ["DNS"]),
        tests("ManageSieveTests", ["ManageSieve"]),
        tests("AdminAPITests", ["AdminAPI", "HTTPService", "MailModel", "Storage"]),
        tests("MailWatcherTests", ["MailWatcher", "Credentials", "IMAP", "MailModel", nioCore]),

        .executableTarget(
            name: "Bench",
            dependencies: ["TestSupport", "Credentials", "MariaDB", jwtKit, nioCore, nioEmbedded, nioSSL],
            path: "Bench", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// For scripts/fuzz alone: our parsers once more, measured by libFuzzer, and no tests.
if Context.environment["XYNAP_FUZZ"] != nil {
    let measured: Set<String> = ["IMAP", "MIME", "HTMLSanitizer", "Credentials", "HTTPService", "SMTP"]
    package.targets.removeAll { $0.type == .test }
    for target in package.targets where measured.contains(target.name) {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing"])]
    }
    package.targets.append(
        .executableTarget(
            name: "Fuzz", dependencies: parsers, path: "Tests/CorpusTests", exclude: ["CorpusTests.swift"],
            swiftSettings: strict + [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]))
}
