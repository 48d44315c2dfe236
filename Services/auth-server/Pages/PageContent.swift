import HTTPTypes
import Storage

/// The forms of the pages.
struct PageContent: Sendable {
    let text: PageText
    /// The sealed state that the form carries.
    let page: String
    let problem: String?
    /// What was typed last time.
    let typed: String?

    func deviceCode() -> Page {
        Page(
            text: text, heading: text.deviceHeading,
            content: [
                .paragraph(text.deviceHint), .problem(problem),
                form(
                    .field(
                        text.deviceCode, name: "user_code", type: "text", value: typed, autocomplete: "off",
                        class: "code", isFaulty: problem != nil, hasFocus: true),
                    .buttons(.button(text.next))),
            ])
    }

    /// - Parameter now: Milliseconds since 1970.
    func password(client: OAuthClient?, loginHint: String?, device: DeviceRequest?, now: Int64) -> Page {
        let email = typed ?? loginHint
        let warning = device.map { device in
            HTML.paragraph(
                text.deviceAsked(
                    code: UserCode(device.userCode)?.text ?? "", address: device.ip,
                    minutes: (now - device.createdAt) / 60_000))
        }
        return Page(
            text: text, heading: text.signInHeading,
            content: [
                client.map { .paragraph(text.signInFor($0.name), class: "soft") } ?? .none, warning ?? .none,
                .problem(problem),
                form(
                    .field(
                        text.email, name: "email", type: "email", value: email, autocomplete: "username",
                        isFaulty: problem != nil, hasFocus: email == nil),
                    .field(
                        text.password, name: "password", type: "password", autocomplete: "current-password",
                        isFaulty: problem != nil, hasFocus: email != nil),
                    .buttons(.button(text.signIn))),
            ])
    }

    func secondFactor() -> Page {
        Page(
            text: text, heading: text.codeHeading,
            content: [
                .paragraph(text.codeHint), .problem(problem),
                form(
                    .field(
                        text.code, name: "code", type: "text", autocomplete: "one-time-code", class: "code",
                        isFaulty: problem != nil, hasFocus: true),
                    .buttons(.button(text.next))),
            ])
    }

    func consent(
        client: OAuthClient?, mailboxes: [String], hint: String?, scope: MailScope, redirect: RedirectURI?
    ) -> Page {
        let name = client?.name ?? ""
        let rights = [scope.contains(.imap) ? text.canRead : nil, scope.contains(.smtp) ? text.canSend : nil]
            .compactMap(\.self).map { HTML.element("li", [:], .text($0)) }
        let place = redirect.map { $0.kind == .loopback ? text.yourComputer : $0.place }
        return Page(
            text: text, heading: text.consentHeading(name),
            content: [
                .problem(problem), .paragraph(text.itCan), .element("ul", [:], rights),
                client?.isPreset == false ? .paragraph(text.unknownProgram) : .none,
                form(
                    choice(of: mailboxes, hint: hint),
                    .paragraph(
                        [place.map(text.returns(to:)), text.endable].compactMap(\.self).joined(separator: " "),
                        class: "soft"),
                    .buttons(
                        .button(text.allow, name: "decision", value: "allow"),
                        .button(text.deny, name: "decision", value: "deny", isQuiet: true))),
            ], formTarget: redirect?.formTarget)
    }

    func stopped(_ message: String) -> Page {
        Page(text: text, heading: text.stopHeading, content: [.problem(message)], status: .forbidden)
    }

    private func choice(of mailboxes: [String], hint: String?) -> HTML {
        if mailboxes.count == 1, let only = mailboxes.first {
            return .element(
                "p", [:], .text(text.mailbox + ": "), .element("strong", [:], .text(only)), .hidden("mailbox", only))
        }
        let chosen = mailboxes.contains(hint ?? "") ? hint : mailboxes.first
        let choices = mailboxes.map { email in
            HTML.element(
                "label", ["class": "choice"],
                .element(
                    "input",
                    ["type": "radio", "name": "mailbox", "value": email, "checked": email == chosen ? "" : nil]),
                .text(email))
        }
        return .element("fieldset", [:], [.element("legend", [:], .text(text.mailbox))] + choices)
    }

    private func form(_ children: HTML...) -> HTML {
        .element("form", ["method": "post", "action": "/oauth2/continue"], [.hidden("page", page)] + children)
    }
}
