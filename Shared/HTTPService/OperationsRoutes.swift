import HTTPTypes
import Hummingbird
import NIOCore

/// What every service answers without credentials: is it alive, is it ready, how does it do, what can it do.
struct OperationsRoutes {
    let name: String
    let version: String
    let openAPI: String
    let readiness: Readiness
    let metrics: Prometheus
    let shutdown: ShutdownDelay

    func add(to router: ServiceRouter) {
        let quiet = router.unlogged()
        // Asked by load balancers: 503 once the service was asked to end.
        quiet.get("/healthz") { [shutdown] _, _ in
            try shutdown.isEnding
                ? Response.json(["status": "stopping"], status: .serviceUnavailable, headers: [.retryAfter: "1"])
                : Response.json(["status": "ok"])
        }
        quiet.get("/readyz") { [readiness] _, _ in
            let report = await readiness.report()
            let isDown = report.status == .down
            return try Response.json(
                report, status: isDown ? .serviceUnavailable : .ok, headers: isDown ? [.retryAfter: "1"] : [:])
        }
        quiet.get("/metrics") { [metrics, readiness] _, _ in
            for (name, state) in await readiness.report().checks {
                metrics.series(.gauge, "dependency_up", [("dependency", name)]).set(state == .down ? 0.0 : 1.0)
            }
            return text(metrics.text(), "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("/version") { [name, version] _, _ in try Response.json(["name": name, "version": version]) }
        router.get("/openapi.yaml") { [openAPI] _, _ in text(openAPI, "application/yaml") }
        let page = DocsPage.html(name: name, openAPI: openAPI)
        router.get("/docs") { _, _ in Response.html(page) }
    }

    private func text(_ content: String, _ type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: content)))
    }
}

/// The OpenAPI file as a page that a person can read.
enum DocsPage {
    static func html(name: String, openAPI: String) -> String {
        let rows = operations(openAPI).map { operation in
            "<tr><td><code>\(operation.method)</code></td><td><code>\(escape(operation.path))</code></td>"
                + "<td>\(escape(operation.summary))</td></tr>"
        }
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(escape(name))</title>
            <style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
            table{border-collapse:collapse;width:100%}td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}
            pre{background:#f6f6f6;padding:1rem;overflow:auto}</style>
            <h1>\(escape(name))</h1><p>The same for machines: <a href="/openapi.yaml">openapi.yaml</a>.</p>
            <table>\(rows.joined(separator: "\n"))</table>
            <h2>Specification</h2><pre>\(escape(openAPI))</pre></html>
            """
    }

    /// Paths, methods and summaries, by the indentation that our files keep (two blanks a level).
    private static func operations(_ yaml: String) -> [(method: String, path: String, summary: String)] {
        let methods: Set = ["get", "post", "put", "patch", "delete"]
        var operations: [(method: String, path: String, summary: String)] = []
        var path = ""
        for line in yaml.split(whereSeparator: \.isNewline) {
            let indent = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indent)
            if indent == 2, content.hasPrefix("/"), content.hasSuffix(":") { path = String(content.dropLast()) }
            if indent == 4, !path.isEmpty, content.hasSuffix(":"), methods.contains(String(content.dropLast())) {
                operations.append((content.dropLast().uppercased(), path, ""))
            }
            if indent == 6, content.hasPrefix("summary: "), let last = operations.indices.last {
                operations[last].summary = String(content.dropFirst(9))
            }
        }
        return operations
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }
}
