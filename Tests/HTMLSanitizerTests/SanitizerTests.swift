import HTMLSanitizer
import TestSupport
import Testing

@Suite("Sanitizing")
struct SanitizerTests {
    private func clean(_ html: String) -> String { HTMLSanitizer().sanitize(html).html }

    @Test(
        "What is harmless is kept",
        arguments: [
            ("<p>Grüße &amp; <b>mehr</b></p>", "<p>Grüße &amp; <b>mehr</b></p>"),
            ("a < b", "a &lt; b"),
            (
                "<table width=\"100%\"><tr><td align=center bgcolor=#fff>x",
                "<table width=\"100%\"><tbody><tr><td align=\"center\" bgcolor=\"#fff\">x</td></tr></tbody></table>"
            ),
            ("<form>kept</form><o:p>kept</o:p>", "keptkept"),
            ("<head><title>t</title></head><p>x", "<p>x</p>"),
            (
                "<p style='COLOR:Red; margin:0 AUTO!important; mso-x:1'>x",
                "<p style=\"color: red; margin: 0 auto!important\">x</p>"
            ),
            ("<p style=\"font:12px/1.5 'Segoe UI',Arial\">x", "<p style=\"font: 12px/1.5 'Segoe UI',arial\">x</p>"),
            ("<p style='background:rgb(1, 2,3) none'>x", "<p style=\"background: rgb(1, 2,3) none\">x</p>"),
            ("<p id=a class='b c'>x", "<p id=\"m-a\" class=\"m-b m-c\">x</p>"),
            ("<body bgcolor=#eee><p>x", "<div bgcolor=\"#eee\" class=\"m-body\"><p>x</p></div>"),
            ("<body class='é'><p>x", "<p>x</p>"),
            ("<body class='a é b'><p>x", "<div class=\"m-body m-a m-b\"><p>x</p></div>"),
            ("<p id=m-a class='m-b'>x", "<p id=\"m-a\" class=\"m-b\">x</p>"),
            ("<p class='m- é m-a'>x", "<p class=\"m-m- m-a\">x</p>"),
            ("<p id=a ID=b>x", "<p id=\"m-a\">x</p>"),
            ("<p align\u{0}=left x\"y=1 dir=rtl>x", "<p dir=\"rtl\">x</p>"),
            ("", ""),
            ("<pre>\n\n x</pre>", "<pre>\n\n x</pre>"),
        ])
    func kept(html: String, expected: String) {
        #expect(clean(html) == expected)
    }

    @Test("Links open apart, with their scheme written anew")
    func links() {
        let rest = "rel=\"noopener noreferrer nofollow\" target=\"_blank\""
        #expect(
            clean("<a href=' HTTPS://example.com/?a=1&amp;b=2 '>x</a>")
                == "<a href=\"https://example.com/?a=1&amp;b=2\" \(rest)>x</a>")
        #expect(clean("<a href=mailto:a@b.c>x</a>") == "<a href=\"mailto:a@b.c\" \(rest)>x</a>")
        #expect(clean("<a href=#top target=_self>x</a>") == "<a href=\"#m-top\" \(rest)>x</a>")
        #expect(clean("<a href=page.html>x</a>") == "<a \(rest)>x</a>")
    }

    @Test("Remote images are counted, allowed or rewritten; attached ones are mapped")
    func images() {
        let html = """
            <img src="https://x.example/1.png" alt="one"><td background="http://x.example/2.png"></td>
            <table background="//x.example/3.png"><tr><td style="background:url(http://x.example/4.png) red">x</table>
            <img src="cid:logo%40x"><img src="data:image/png;base64,aaaa">
            """
        let blocked = HTMLSanitizer(inlineImage: { $0 == "logo@x" ? "/part/2" : nil }).sanitize(html)
        #expect(blocked.remoteImagesBlocked == 3)
        #expect(!blocked.html.contains("x.example"))
        #expect(blocked.html.contains("src=\"/part/2\"") && blocked.html.contains("data:image/png;base64,aaaa"))
        let allowed = HTMLSanitizer(remoteImages: .allowed).sanitize(html)
        #expect(allowed.remoteImagesBlocked == 0)
        #expect(allowed.html.contains("background: url(&quot;http://x.example/4.png&quot;) red"))
        #expect(allowed.html.contains("background=\"https://x.example/3.png\""))
        let rewritten = HTMLSanitizer(remoteImages: .rewritten { "/images?url=\($0)" }).sanitize(html)
        #expect(rewritten.html.contains("src=\"/images?url=https://x.example/1.png\""))
    }

    @Test("An image is counted as often as it is asked for, also in styles that are the same")
    func sameStyles() {
        let cell = "<p style='color:red;background:url(https://x.example/1.png)'>x</p>"
        let result = HTMLSanitizer().sanitize(cell + cell + cell)
        #expect(result.remoteImagesBlocked == 3)
        let kept = "<p style=\"color: red\">x</p>"
        #expect(result.html == kept + kept + kept)
    }

    @Test("An image of several sizes is shown in the first")
    func sources() {
        let html = "<img srcset=\"https://x.example/a.png 1x, https://x.example/b.png 2x\">"
        #expect(HTMLSanitizer().sanitize(html).remoteImagesBlocked == 1)
        let shown = HTMLSanitizer(remoteImages: .allowed).sanitize(html).html
        #expect(shown == "<img src=\"https://x.example/a.png\" referrerpolicy=\"no-referrer\">")
    }

    @Test("It is told which attached images are shown")
    func inline() {
        let sanitizer = HTMLSanitizer { $0 == "gone" ? nil : "/inline/" + $0 }
        let result = sanitizer.sanitize(
            "<style>p{background:url(cid:c)}</style><p><img src=cid:a><img src=cid:gone><td background='cid:b'>")
        #expect(result.inlineImages == ["a", "c"])
    }

    @Test("Too much markup leaves its text")
    func simplified() {
        let html =
            "<b>start</b>" + (0..<60_000).map { "<font size=\($0)>" }.joined()
            + String(repeating: "<p>x", count: 100_000)
        let result = HTMLSanitizer().sanitize(html)
        #expect(result.isSimplified)
        #expect(result.html.contains("start"))
        #expect(Reparse(result.html).violations() == [])
    }

    @Test("Plain text to HTML")
    func plainToHTML() {
        let html = HTMLSanitizer.plainToHTML(
            "See <https://example.com/a?b=1&c=(d)>.\r\n  mail a.b@example.com, www.example.com!")
        #expect(html.contains("href=\"https://example.com/a?b=1&amp;c=%28d%29\""))
        #expect(
            html.contains(">https://example.com/a?b=1&amp;c=(d)</a>&gt;.\n  mail <a href=\"mailto:a.b@example.com\""))
        #expect(html.contains(">www.example.com</a>!"))
        #expect(
            HTMLSanitizer.plainToHTML("a@b javascript:x")
                == "<div style=\"white-space: pre-wrap\">a@b javascript:x</div>")
    }

    @Test("Quotes of plain text are block quotes")
    func quotes() {
        #expect(
            HTMLSanitizer.plainToHTML("Hi\n> one\n> two\n>> three\n\nbye")
                == "<div style=\"white-space: pre-wrap\">Hi<blockquote type=\"cite\">one\ntwo"
                + "<blockquote type=\"cite\">three</blockquote></blockquote>\nbye</div>")
        let deep = HTMLSanitizer.plainToHTML(String(repeating: ">", count: 10_000) + "x")
        #expect(deep.utf8.count < 60_000 && Reparse(deep).violations() == [])
    }

    @Test("HTML to text")
    func htmlToText() {
        let html = """
            <html><head><title>t</title><style>p{}</style></head><body><h1>Head</h1><p>One   two<br>three&nbsp;&lt;4</p>
            <ul><li>a<li>b</ul><table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table><script>x</script>
            <pre>a
              b</pre><img alt="logo"></body></html>
            """
        #expect(HTMLSanitizer.htmlToText(html) == "Head\n\nOne two\nthree <4\n\n- a\n- b\n\n1 2\n3\n\na\n  b\n\nlogo")
    }

    @Test("Previews")
    func preview() {
        #expect(HTMLSanitizer.preview("  Hello,\r\n\r\n> quoted\r\nworld \u{200B}\u{200C}\u{FEFF}") == "Hello, world")
        #expect(HTMLSanitizer.preview(String(repeating: "ä", count: 500)).count == 200)
        #expect(HTMLSanitizer.preview(String(repeating: "ab ", count: 500), limit: 10) == "ab ab ab a")
        #expect(HTMLSanitizer.preview("") == "")
    }
}
