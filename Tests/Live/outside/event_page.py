"""The browser example of docs/events.md, as it is printed there, in headless Chromium.

Reads {"html": the page, "seconds": to wait}. Serves the page, opens it, prints {"ready": true} once its socket is open,
and {"title", "text"} when the page shows a mail.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import chromium

task = json.load(sys.stdin)


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(task["html"].encode())

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = chromium.start()
    until = time.monotonic() + task["seconds"]

    def wait_for(script: str) -> object:
        while time.monotonic() < until:
            if value := driver.execute_script(script):
                return value
            time.sleep(0.05)
        raise TimeoutError(script)

    try:
        driver.get(f"http://127.0.0.1:{server.server_port}/")
        wait_for("return document.title == 'listening'")
        print(json.dumps({"ready": True}), flush=True)
        text = wait_for("return [...document.querySelectorAll('li')].map(li => li.textContent).join('|')")
        print(json.dumps({"title": driver.title, "text": text}), flush=True)
    finally:
        driver.quit()
        server.shutdown()


main()
