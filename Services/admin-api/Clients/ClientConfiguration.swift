import MailModel

/// What a mail program is told of one domain, in the words of each kind of program.
struct ClientConfiguration: Sendable {
    let domain: String
    /// The mailbox that asks, where it said so.
    let address: EmailAddress?
    let isOAuthFirst: Bool
    let settings: ClientSettings

    /// Mozilla's format ("Config file format", 1.1): passwords first unless the domain says otherwise, since older
    /// Thunderbirds take the first for the only one.
    var autoconfig: String {
        let methods = ["password-cleartext", "OAuth2"]
        let authentication = (isOAuthFirst ? methods.reversed() : methods)
            .map { "      <authentication>\($0)</authentication>\n" }.joined()
        func server(_ element: String, _ type: String, _ host: String, _ port: Int, _ socket: String) -> String {
            """
                <\(element) type="\(type)">
                  <hostname>\(XML.escaped(host))</hostname>
                  <port>\(port)</port>
                  <socketType>\(socket)</socketType>
                  <username>%EMAILADDRESS%</username>
            \(authentication)    </\(element)>

            """
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <clientConfig version="1.1">
              <emailProvider id="\(XML.escaped(domain))">
                <domain>\(XML.escaped(domain))</domain>
                <displayName>\(XML.escaped(settings.name))</displayName>
                <displayShortName>\(XML.escaped(settings.name))</displayShortName>
            \(server("incomingServer", "imap", settings.imapHost, settings.imapPort, "SSL"))\
            \(server("outgoingServer", "smtp", settings.smtpHost, settings.smtpPort, "SSL"))\
            \(server("outgoingServer", "smtp", settings.smtpHost, settings.submissionPort, "STARTTLS"))\
              </emailProvider>
              <oAuth2>
                <issuer>\(XML.escaped(issuerHost))</issuer>
                <scope>imap smtp</scope>
                <authURL>\(XML.escaped(settings.issuer))/oauth2/authorize</authURL>
                <tokenURL>\(XML.escaped(settings.issuer))/oauth2/token</tokenURL>
                <clientID>\(XML.escaped(settings.oauthClientID))</clientID>
              </oAuth2>
            </clientConfig>

            """
    }

    /// Microsoft's "plain old XML" ([MS-OXDSCLI] §2.2.4): IMAP and SMTP, with passwords.
    var autodiscover: String {
        let login = address?.description ?? ""
        func server(_ type: String, _ host: String, _ port: Int, _ more: String) -> String {
            """
                  <Protocol>
                    <Type>\(type)</Type>
                    <Server>\(XML.escaped(host))</Server>
                    <Port>\(port)</Port>
                    <DomainRequired>off</DomainRequired>
                    <LoginName>\(XML.escaped(login))</LoginName>
                    <SPA>off</SPA>
                    <SSL>on</SSL>
                    <Encryption>SSL</Encryption>
                    <AuthRequired>on</AuthRequired>
            \(more)      </Protocol>

            """
        }
        return """
            <?xml version="1.0" encoding="utf-8"?>
            <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
              <Response xmlns="\(AutodiscoverRequest.outlookSchema)">
                <User>
                  <DisplayName>\(XML.escaped(login))</DisplayName>
                </User>
                <Account>
                  <AccountType>email</AccountType>
                  <Action>settings</Action>
            \(server("IMAP", settings.imapHost, settings.imapPort, ""))\
            \(server("SMTP", settings.smtpHost, settings.smtpPort, "        <UsePOPAuth>off</UsePOPAuth>\n        <SMTPLast>off</SMTPLast>\n"))\
                </Account>
              </Response>
            </Autodiscover>

            """
    }

    /// Apple's configuration profile ("com.apple.mail.managed"). The identifiers are the address's own, so that a profile
    /// that is installed again takes the place of the first.
    func mobileconfig(_ address: EmailAddress) -> String {
        let email = XML.escaped(address.description), name = XML.escaped(settings.name)
        let strings = [
            ("EmailAccountDescription", name), ("EmailAccountType", "EmailTypeIMAP"), ("EmailAddress", email),
            ("IncomingMailServerAuthentication", "EmailAuthPassword"),
            ("IncomingMailServerHostName", XML.escaped(settings.imapHost)), ("IncomingMailServerUsername", email),
            ("OutgoingMailServerAuthentication", "EmailAuthPassword"),
            ("OutgoingMailServerHostName", XML.escaped(settings.smtpHost)), ("OutgoingMailServerUsername", email),
            ("PayloadDescription", "Mail for \(email)"), ("PayloadDisplayName", name),
            ("PayloadIdentifier", "mail.\(XML.escaped(domain)).\(StableUUID.make("account \(address)"))"),
            ("PayloadType", "com.apple.mail.managed"), ("PayloadUUID", StableUUID.make("mail \(address)")),
        ].map { "      <key>\($0)</key><string>\($1)</string>\n" }.joined()
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
            <plist version="1.0">
            <dict>
              <key>PayloadContent</key>
              <array>
                <dict>
            \(strings)\
                  <key>IncomingMailServerPortNumber</key><integer>\(settings.imapPort)</integer>
                  <key>IncomingMailServerUseSSL</key><true/>
                  <key>OutgoingMailServerPortNumber</key><integer>\(settings.smtpPort)</integer>
                  <key>OutgoingMailServerUseSSL</key><true/>
                  <key>OutgoingPasswordSameAsIncomingPassword</key><true/>
                  <key>PayloadVersion</key><integer>1</integer>
                </dict>
              </array>
              <key>PayloadDisplayName</key><string>\(email)</string>
              <key>PayloadIdentifier</key><string>profile.\(XML.escaped(domain)).\(StableUUID.make("profile \(address)"))</string>
              <key>PayloadOrganization</key><string>\(name)</string>
              <key>PayloadRemovalDisallowed</key><false/>
              <key>PayloadType</key><string>Configuration</string>
              <key>PayloadUUID</key><string>\(StableUUID.make("configuration \(address)"))</string>
              <key>PayloadVersion</key><integer>1</integer>
            </dict>
            </plist>

            """
    }

    private var issuerHost: String {
        let rest = settings.issuer.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first
        return String(rest?.prefix { $0 != ":" } ?? "")
    }
}

/// PACC (draft-ietf-mailmaint-pacc): where the servers are, and who gives tokens for them.
struct UserAgentConfiguration: Encodable, Sendable {
    struct Server: Encodable, Sendable { let host: String }
    struct Protocols: Encodable, Sendable { let imap, smtp: Server }
    struct OAuth: Encodable, Sendable { let issuer: String }
    struct Authentication: Encodable, Sendable {
        let oauthPublic: OAuth
        let password: Bool

        enum CodingKeys: String, CodingKey {
            case oauthPublic = "oauth-public"
            case password
        }
    }
    struct Provider: Encodable, Sendable { let name: String }
    struct Info: Encodable, Sendable { let provider: Provider }

    let protocols: Protocols
    let authentication: Authentication
    let info: Info

    init(_ settings: ClientSettings) {
        protocols = Protocols(imap: Server(host: settings.imapHost), smtp: Server(host: settings.smtpHost))
        authentication = Authentication(oauthPublic: OAuth(issuer: settings.issuer), password: true)
        info = Info(provider: Provider(name: settings.name))
    }
}
