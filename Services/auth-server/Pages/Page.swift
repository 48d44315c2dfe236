import HTTPTypes
import Hummingbird
import NIOCore

/// A page that people see: without script, never in a frame, never kept.
struct Page: Sendable {
    /// Whose mail it is, and where help is.
    struct Brand: Sendable {
        let name: String
        let supportURL: String?
    }

    let text: PageText
    let heading: String
    let content: [HTML]
    var status = HTTPResponse.Status.ok
    /// When to try again, of a page that is refused for now: seconds.
    var retryAfter: Int64?
    /// Where else a form's answer may lead, as a source of the Content-Security-Policy.
    var formTarget: String?
    /// The other languages, as links of this page.
    var languageLinks: [(language: PageLanguage, url: String)] = []

    func response(brand: Brand, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.contentLanguage] = text.language.rawValue
        headers[.cacheControl] = "no-store"
        if [.tooManyRequests, .serviceUnavailable].contains(status) { headers[.retryAfter] = "\(retryAfter ?? 1)" }
        headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src \(PageStyle.source); form-action 'self'\(formTarget.map { " " + $0 } ?? ""); "
            + "base-uri 'none'; frame-ancestors 'none'"
        for (name, value) in Self.protection { headers[name] = value }
        return Response(
            status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: document(brand))))
    }

    private static let protection: [(HTTPField.Name, String)] = [
        ("X-Frame-Options", "DENY"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        // With no-referrer browsers would send forms with the origin null, and we could not tell whose they are.
        ("Referrer-Policy", "same-origin"), ("X-Robots-Tag", "noindex"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }

    private func document(_ brand: Brand) -> String {
        let html = HTML.element(
            "html", ["lang": text.language.rawValue],
            .element(
                "head", [:],
                .element("meta", ["charset": "utf-8"]),
                .element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                .element("title", [:], .text("\(heading) – \(brand.name)")),
                .style(PageStyle.rules)),
            .element(
                "body", [:],
                .element(
                    "main", [:],
                    [.element("p", ["class": "brand"], .text(brand.name)), .element("h1", [:], .text(heading))]
                        + content),
                footer(brand)))
        return "<!DOCTYPE html>\n" + html.markup + "\n"
    }

    private func footer(_ brand: Brand) -> HTML {
        let languages = languageLinks.map { link in
            HTML.element(
                "a", ["href": link.url, "lang": link.language.rawValue, "hreflang": link.language.rawValue],
                .text(link.language.name))
        }
        let help = brand.supportURL.map { HTML.element("a", ["href": $0], .text(text.help)) }
        let links = languages + (help.map { [$0] } ?? [])
        return links.isEmpty ? .none : .element("footer", [:], links)
    }
}

extension HTML {
    static func paragraph(_ text: String, class name: String? = nil) -> HTML {
        .element("p", ["class": name], .text(text))
    }

    /// What went wrong, told at once by screen readers.
    static func problem(_ text: String?) -> HTML {
        guard let text else { return .none }
        return .element("p", ["class": "error", "role": "alert", "id": "problem"], .text(text))
    }

    static func hidden(_ name: String, _ value: String) -> HTML {
        .element("input", ["type": "hidden", "name": name, "value": value])
    }

    /// A labelled field.
    static func field(
        _ label: String, name: String, type: String, value: String? = nil, autocomplete: String,
        inputmode: String? = nil, class css: String? = nil, isFaulty: Bool = false, hasFocus: Bool = false
    ) -> HTML {
        .element(
            "div", [:],
            .element("label", ["for": name], .text(label)),
            .element(
                "input",
                [
                    "id": name, "name": name, "type": type, "value": value, "autocomplete": autocomplete,
                    "inputmode": inputmode, "class": css, "required": "", "autofocus": hasFocus ? "" : nil,
                    "autocapitalize": "none", "spellcheck": "false", "maxlength": "1024",
                    "aria-invalid": isFaulty ? "true" : nil, "aria-describedby": isFaulty ? "problem" : nil,
                ]))
    }

    static func button(_ label: String, name: String? = nil, value: String? = nil, isQuiet: Bool = false) -> HTML {
        .element(
            "button", ["type": "submit", "name": name, "value": value, "class": isQuiet ? "quiet" : nil], .text(label))
    }

    static func buttons(_ buttons: HTML...) -> HTML { .element("div", ["class": "buttons"], buttons) }
}
