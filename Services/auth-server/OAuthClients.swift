import Storage

extension OAuthClient {
    /// Programs that people know, so that nobody need register them. None has a secret; what each may do, the person
    /// decides on the consent page.
    static let presets: [OAuthClient] = [
        OAuthClient(
            clientID: "thunderbird", name: "Thunderbird",
            redirectURIs: ["http://localhost", "http://localhost/", "http://127.0.0.1", "http://127.0.0.1/"],
            isPreset: true),
        OAuthClient(clientID: "mutt", name: "Mutt", redirectURIs: loopback, isPreset: true),
        OAuthClient(clientID: "neomutt", name: "NeoMutt", redirectURIs: loopback, isPreset: true),
        OAuthClient(clientID: "isync", name: "isync (mbsync)", redirectURIs: loopback, isPreset: true),
        OAuthClient(clientID: "xynap-token", name: "xynap-token", redirectURIs: loopback, isPreset: true),
    ]

    private static let loopback = ["http://127.0.0.1/", "http://localhost/", "http://[::1]/"]

    /// Whether a browser may be sent back there.
    func allows(_ redirectURI: RedirectURI) -> Bool {
        redirectURIs.contains { redirectURI.matches(registered: $0) }
    }
}
