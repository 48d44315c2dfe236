"""A host of images that behaves and misbehaves; a canary: it prints one JSON line for every request it gets.

Reads {} and prints {"port"}; then each request as {"path", "headers"}. Paths: /png /gif /svg /html /huge /slow /trickle
/drop /redirect?to=URL /loop /typed (an image called text/html) /gzip /error /cookie.
"""

import base64
import gzip
import json
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")  # fmt: skip
GIF = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=")
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


WHOLE: dict[str, tuple[bytes, dict]] = {
    "png": (PNG, {}),
    "gif": (GIF, {"content_type": "image/gif"}),
    "typed": (PNG, {"content_type": "text/html"}),
    "svg": (SVG, {"content_type": "image/svg+xml"}),
    "html": (b"<script>alert(1)</script>" * 10, {}),
    "cookie": (PNG, {"Set_Cookie": "a=b", "Refresh": "0;url=http://evil.test"}),
    "gzip": (gzip.compress(PNG), {"Content_Encoding": "gzip"}),
    "error": (PNG, {"status": 500}),
    "loop": (b"", {"status": 302, "Location": "/loop"}),
}


def trickle(write: Callable) -> None:
    write(b"\r\n" + PNG)
    for _ in range(200):
        write(b"x")
        time.sleep(0.1)


def huge(write: Callable) -> None:
    write(b"\r\n" + PNG)
    for _ in range(1000):
        write(bytes(1 << 20))


def headers(write: Callable) -> None:
    for index in range(100_000):
        write(b"X-%d: %s\r\n" % (index, b"y" * 100))


STREAMS: dict[str, Callable] = {
    "drop": lambda write: write(b"Content-Length: 1000\r\n\r\n" + PNG[:20]),
    "slow": lambda write: time.sleep(20),
    "trickle": trickle,
    "huge": huge,
    "header": headers,
}


class Host(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes, content_type: str = "image/png", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        print(json.dumps({"path": self.path, "headers": {n.lower(): v for n, v in self.headers.items()}}), flush=True)
        url = urlsplit(self.path)
        name = url.path.split("/")[1]
        try:
            if name == "redirect":
                self.answer(b"", status=302, Location=parse_qs(url.query)["to"][0])
            elif name in WHOLE:
                body, headers = WHOLE[name]
                self.answer(body, **headers)
            elif name in STREAMS:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                STREAMS[name](self.wfile.write)
            else:
                self.answer(b"", status=404)
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


json.loads(sys.stdin.readline())
server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
sys.stdin.read()
