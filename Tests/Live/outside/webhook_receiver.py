"""Somebody who is told by webhook: checks each call as Standard Webhooks wants it, with Python's own hmac.

Reads {"answers": [status, …]} (each call takes the next; the last one stays), listens on a free port of loopback and
prints first {"port"}, then for each call {"status": answered, "id", "path", "body", "signature": what it must be and
was}. A line {"secret": "whsec_…"} tells what calls are signed with; before it signatures are not checked.
"""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

task = json.loads(sys.stdin.readline())
answers = task["answers"]
secret = b""
lock = threading.Lock()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        identity, seconds = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{identity}.{seconds}.".encode() + body
        wanted = "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        with lock:
            status = answers.pop(0) if len(answers) > 1 else answers[0]
            print(json.dumps({
                "status": status, "id": identity, "path": self.path, "body": json.loads(body),
                "signed": hmac.compare_digest(self.headers["webhook-signature"], wanted),
                "late": abs(time.time() - int(seconds)) > 5,
            }), flush=True)  # fmt: skip
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/redirected")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
for line in sys.stdin:
    secret = base64.b64decode(json.loads(line)["secret"].removeprefix("whsec_"))
