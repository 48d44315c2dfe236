import NIOConcurrencyHelpers
import NIOSSL

/// The TLS context of a configuration and its copies, made once: reading the trusted certificates takes longer than a
/// login.
final class TLSContext: Sendable {
    private let configuration: TLSConfiguration
    private let made = NIOLockedValueBox<NIOSSLContext?>(nil)

    init(_ configuration: TLSConfiguration) {
        self.configuration = configuration
    }

    func get() throws -> NIOSSLContext {
        try made.withLockedValue { made in
            if let made { return made }
            let context = try NIOSSLContext(configuration: configuration)
            made = context
            return context
        }
    }
}

extension IMAPConfiguration {
    func makeTLSHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }
}
