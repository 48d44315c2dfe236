import Foundation

/// Warm introspection against nginx `return 200` and against the server's own bare route, under wrk.
struct IntrospectionRows {
    let product: Product
    let rounds: Int
    let secondsPerRound: Int

    func run() throws -> [Result] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("xynap-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let nginx = try Nginx(folder: folder, port: product.authPort + 5000)
        defer { nginx.stop() }
        let script = folder.appendingPathComponent("introspect.lua")
        let basic = Base64.encode(Array(product.introspectionCredentials.utf8))
        let lua = """
            wrk.method = "POST"
            wrk.body = "token=\(try product.mailToken())"
            wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
            wrk.headers["Authorization"] = "Basic \(basic)"
            """
        try lua.write(to: script, atomically: true, encoding: .utf8)

        var floor: [Double] = []
        var bare: [Double] = []
        var introspection: [Double] = []
        for _ in 0..<rounds {
            floor.append(try requestsPerSecond("http://127.0.0.1:\(nginx.port)/"))
            bare.append(try requestsPerSecond("http://127.0.0.1:\(product.authPort)/healthz"))
            introspection.append(
                try requestsPerSecond(
                    "http://127.0.0.1:\(product.authPort)/api/v1/auth/token/introspect", script: script.path))
        }
        let figures = [introspection, floor, bare].map { Int(Sample($0).median) }
        return [
            Result(
                what: "introspection, warm token, against nginx return 200",
                measured: "\(figures[0]) req/s to \(figures[1]) req/s",
                value: Sample(zip(introspection, floor).map { $0 / $1 }).median, budget: .atLeast(0.35)),
            Result(
                what: "introspection, warm token, against the bare route",
                measured: "\(figures[0]) req/s to \(figures[2]) req/s",
                value: Sample(zip(introspection, bare).map { $0 / $1 }).median, budget: .atLeast(0.8)),
        ]
    }

    private func requestsPerSecond(_ url: String, script: String? = nil) throws -> Double {
        let arguments = ["-t1", "-c32", "-d\(secondsPerRound)s"] + (script.map { ["-s", $0] } ?? []) + [url]
        let output = try Command.output("wrk", arguments)
        guard !output.contains("Non-2xx"),
            let line = output.split(separator: "\n").first(where: { $0.hasPrefix("Requests/sec:") }),
            let figure = Double(line.split(separator: ":")[1].trimmingCharacters(in: .whitespaces))
        else { throw Socket.Failed(description: "wrk: \(output)") }
        return figure
    }
}

/// A private nginx that answers 200 and nothing else.
private struct Nginx {
    let port: Int
    private let process: Process

    init(folder: URL, port: Int) throws {
        self.port = port
        let configuration = folder.appendingPathComponent("nginx.conf")
        let text = """
            daemon off; worker_processes 1; pid \(folder.path)/nginx.pid; error_log \(folder.path)/error.log;
            events { worker_connections 256; }
            http { access_log off; keepalive_requests 10000000;
              client_body_temp_path \(folder.path); proxy_temp_path \(folder.path); fastcgi_temp_path \(folder.path);
              uwsgi_temp_path \(folder.path); scgi_temp_path \(folder.path);
              server { listen 127.0.0.1:\(port); location / { return 200 "ok"; } } }
            """
        try text.write(to: configuration, atomically: true, encoding: .utf8)
        process = try Command.start("nginx", ["-c", configuration.path, "-e", "\(folder.path)/error.log"])
        for _ in 0..<100 {
            if (try? Socket(port: port)) != nil { return }
            usleep(20_000)
        }
        throw Socket.Failed(description: "nginx did not start")
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}

enum Command {
    static func start(_ name: String, _ arguments: [String], output: Pipe? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        if let output { process.standardOutput = output }
        // A child has the mask of the thread that starts it: where signals are blocked, as on those of the concurrency
        // pool, it could not be asked to end.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        return process
    }

    /// What a command prints.
    static func output(_ name: String, _ arguments: [String]) throws -> String {
        let pipe = Pipe()
        let process = try start(name, arguments, output: pipe)
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
