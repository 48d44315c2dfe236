import NIOSSL

/// Whom to trust; holds the loaded certificates, so make it once and share it.
public struct SMTPTLS: Sendable {
    let context: NIOSSLContext

    /// - Parameter certificateAuthorityFile: A PEM file of the only roots to trust; nil for the system's.
    /// - Throws: `SMTPError.tls` if the file cannot be read.
    public init(certificateAuthorityFile: String? = nil) throws(SMTPError) {
        try self.init(roots: certificateAuthorityFile.map { .file($0) } ?? .default)
    }

    /// - Parameter certificateAuthority: The only roots to trust, PEM.
    /// - Throws: `SMTPError.tls` if they cannot be read.
    public init(certificateAuthority: [UInt8]) throws(SMTPError) {
        do {
            try self.init(roots: .certificates(NIOSSLCertificate.fromPEMBytes(certificateAuthority)))
        } catch {
            throw .tls(String(describing: error))
        }
    }

    private init(roots: NIOSSLTrustRoots) throws(SMTPError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = roots
        do {
            self.context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw .tls(String(describing: error))
        }
    }

    /// - Parameter host: The name the certificate must have; an IP address is compared with the one connected to.
    func makeHandler(host: String) throws(SMTPError) -> NIOSSLClientHandler {
        do {
            let isAddress = host.contains(":") || host.split(separator: ".").allSatisfy { UInt8($0) != nil }
            return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
        } catch {
            throw .tls(String(describing: error))
        }
    }
}
