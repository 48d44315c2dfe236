import HTMLSanitizer
import Testing

@Suite("Style sheets")
struct StyleSheetTests {
    private func css(_ text: String) -> String { HTMLSanitizer().sanitize("<style>\(text)</style>").css }

    @Test(
        "Rules are put under the container",
        arguments: [
            ("P.Intro{COLOR:Red}", ".m-mail p.m-Intro{color: red}"),
            ("a:hover, #top > td.x{margin:0}", ".m-mail a:hover,.m-mail #m-top>td.m-x{margin: 0}"),
            ("body{color:#333}html p{color:red}", ".m-mail .m-body{color: #333}.m-mail .m-body p{color: red}"),
            ("*{margin:0}.a.b~*{margin:1px}", ".m-mail *{margin: 0}.m-mail .m-a.m-b~*{margin: 1px}"),
            (
                "@media only screen and (max-width:600px){.w{width:100%!important}}",
                "@media only screen and (max-width:600px){.m-mail .m-w{width: 100%!important}}"
            ),
            (
                "<!-- @media (prefers-color-scheme: dark){p{color:white}} -->",
                "@media (prefers-color-scheme: dark){.m-mail p{color: white}}"
            ),
            ("p{color:red;};;h1{color:blue", ".m-mail p{color: red}.m-mail h1{color: blue}"),
        ])
    func kept(text: String, expected: String) {
        #expect(css(text) == expected)
    }

    @Test(
        "All else goes",
        arguments: [
            "@import url(https://evil/x.css);", "@import 'x'", "@font-face{font-family:x;src:url(https://evil/x)}",
            "@keyframes x{from{color:red}}", "@charset 'utf-8';", "@namespace svg url(x);", "@page{margin:1px}",
            "@supports(display:grid){p{color:red}}", "a[href]{color:red}", "p::before{color:red}",
            "p::after{content:'x'}",
            "p:has(a){color:red}", "p:not(.a){color:red}", "script{color:red}", "svg p{color:red}", "> p{color:red}",
            "p >{color:red}", "+ p{color:red}", "p > > a{color:red}", "p{position:fixed}",
            "p{background:url(//evil/x)}",
            "p{color:red\\;background:url(//evil)}", "{color:red}", "p..a{color:red}", "p#{color:red}", "p:{color:red}",
            "a|b{color:red}", "@media (min-width:calc(1px)){p{color:red}}", "@media {p{color:red}}",
            "p{--x:url(//evil);color:var(--x)}", "p{margin:-10px}", "p{cursor:url(//evil)}",
            "\\3c/style\\3e{color:red}",
        ])
    func dropped(text: String) {
        let css = css(text)
        #expect(css == "", "\(css)")
    }

    @Test("What a hostile sheet can cost is bounded")
    func bounds() async {
        let clock = ContinuousClock()
        for text in [
            String(repeating: "p{", count: 100_000), String(repeating: "@media x{", count: 20_000),
            String(repeating: "a,", count: 100_000) + "p{color:red}",
            String(repeating: ".a", count: 100_000) + "{color:red}",
            String(repeating: "p{color:red}", count: 20_000),
            "p{" + String(repeating: "color:red;", count: 20_000) + "}",
            String(repeating: "}", count: 200_000), String(repeating: "(", count: 200_000) + "{x:y}",
        ] {
            let time = await clock.measure {
                let css = await Task { self.css(text) }.value
                #expect(css.utf8.count <= 512 << 10)
            }
            #expect(time < .seconds(20), "\(text.prefix(20))")
        }
    }

    @Test("The fragment holds the mail in a box of its own")
    func fragment() {
        let fragment = HTMLSanitizer(idPrefix: "m1-").sanitize("<style>p{color:red}</style><p>x").fragment
        #expect(
            fragment.hasPrefix("<div class=\"m1-mail\" style=\"contain: content; isolation: isolate; overflow: auto;"))
        #expect(
            fragment.hasSuffix(
                "\"><style>.m1-mail p{color: red}</style><div class=\"m1-body\"><p>x</p></div></div>"))
    }
}
