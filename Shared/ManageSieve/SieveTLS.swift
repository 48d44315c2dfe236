import NIOCore
import NIOSSL

/// TLS for ManageSieve (RFC 5804 §2.2); holds the loaded certificates, so make it once and share it.
public struct SieveTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameter certificateAuthorityFile: A PEM file of the only roots to trust; nil for the system's.
    /// - Throws: `NIOSSLError` or the like if the file cannot be read.
    public init(certificateAuthorityFile: String? = nil) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let certificateAuthorityFile { configuration.trustRoots = .file(certificateAuthorityFile) }
        context = try NIOSSLContext(configuration: configuration)
    }

    /// Begins the handshake on a connection whose server awaits it.
    /// - Parameter host: The name the certificate must have; an IP address is compared with the one connected to.
    func begin(on channel: any Channel, host: String) async throws {
        let isAddress = host.contains(":") || host.split(separator: ".").allSatisfy { UInt8($0) != nil }
        try await channel.eventLoop.submit {
            let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
            try channel.pipeline.syncOperations.addHandler(handler, position: .first)
        }.get()
    }
}
