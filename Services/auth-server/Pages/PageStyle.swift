import Crypto
import FoundationEssentials

/// The look of the pages: one small sheet, in the page itself, allowed by its hash.
enum PageStyle {
    static let rules: StaticString = """
        :root{color-scheme:light dark;--paper:#fff;--ground:#eef1f5;--ink:#16202c;--soft:#4b5a6b;--line:#c3ccd6;\
        --accent:#0b5cad;--on:#fff;--error:#a8071a;--errorground:#fdecee}\
        @media (prefers-color-scheme:dark){:root{--paper:#1a222c;--ground:#10161d;--ink:#eef2f6;--soft:#aab6c3;\
        --line:#4a5868;--accent:#7ab8ff;--on:#0a1726;--error:#ffb3ba;--errorground:#40191e}}\
        *{box-sizing:border-box}\
        body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;padding:1.5rem 1rem;\
        background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}\
        main{width:100%;max-width:26rem;margin:auto 0;padding:2rem;background:var(--paper);border:1px solid var(--line);\
        border-radius:.75rem}\
        .brand{margin:0 0 1.25rem;font-weight:600;color:var(--soft)}\
        h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}\
        p{margin:0 0 1rem}.soft{color:var(--soft)}strong{overflow-wrap:anywhere}\
        ul{margin:0 0 1rem;padding-left:1.25rem}\
        label,legend{display:block;margin:0 0 .25rem;padding:0;font-weight:600}\
        fieldset{border:0;margin:0 0 1rem;padding:0}\
        .choice{display:flex;gap:.5rem;align-items:center;font-weight:400;padding:.375rem 0;overflow-wrap:anywhere}\
        input[type=text],input[type=email],input[type=password]{width:100%;min-height:2.75rem;margin:0 0 1rem;\
        padding:.5rem .75rem;font:inherit;color:inherit;background:transparent;border:1px solid var(--soft);\
        border-radius:.5rem}\
        input[type=radio]{width:1.25rem;height:1.25rem;accent-color:var(--accent);flex:none}\
        .code{font-family:ui-monospace,monospace;font-size:1.25rem;letter-spacing:.1em;text-transform:uppercase}\
        .buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:.5rem}\
        button{flex:1 1 8rem;min-height:2.75rem;padding:.5rem 1rem;font:inherit;font-weight:600;cursor:pointer;\
        border:1px solid var(--accent);border-radius:.5rem;background:var(--accent);color:var(--on)}\
        button.quiet{background:transparent;color:var(--accent)}\
        :focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
        .error{padding:.75rem 1rem;background:var(--errorground);color:var(--error);border-radius:.5rem}\
        footer{margin-top:1rem;font-size:.9rem;color:var(--soft);display:flex;gap:1rem;flex-wrap:wrap}\
        a{color:var(--accent)}
        """

    /// As `Content-Security-Policy` wants it (CSP 3 §2.3.1).
    static let source: String = {
        let hash = Data(SHA256.hash(data: Array("\(rules)".utf8))).base64EncodedString()
        return "'sha256-\(hash)'"
    }()
}
