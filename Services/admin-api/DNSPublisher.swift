import MailModel

/// Who writes records into zones. Zones belong to more people than us: only the records of a change are touched, and of a
/// set that we share with others only what is ours.
protocol DNSPublisher: Sendable {
    /// Its name for people and readiness.
    var name: String { get }

    /// Carries a change out, all of it or nothing. Doing it twice is doing it once.
    ///
    /// - Parameter goAhead: Before it is given the server is called and asked, and nothing is changed.
    /// - Returns: Sentences on what could not be written because others have something in its place.
    /// - Throws: `DNSFailure`; `GoAhead.Refused`.
    func publish(_ change: DNSChange, after goAhead: GoAhead) async throws -> [String]

    /// Whether the server answers.
    func ping() async -> Bool
}

extension DNSPublisher {
    func publish(_ change: DNSChange) async throws -> [String] { try await publish(change, after: .given) }
}

/// Why a change was not carried out.
enum DNSFailure: Error, Equatable {
    /// No answer in time, or none at all.
    case away
    /// The server answered and did not do it; the reason is for a person.
    case refused(String)
}
