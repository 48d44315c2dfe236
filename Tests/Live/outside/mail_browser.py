"""A reader at a real browser: mails in a page of headless Chromium, with JavaScript on, beside a canary.

Every host name of the world leads to the canary, which notes each connection. Reads {"mails": [{"name", "html"}]};
prints for each {"name", "script": ran, "dialogs", "connections": to the canary, "asked": of the page's own host,
"covered": places of the page that the mail covers, "changed": what of the page it changed}.
"""

import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import chromium
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException

task = json.load(sys.stdin)
connections: list[str] = []
asked: list[str] = []

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"><style>
body { margin: 0; color: rgb(1, 2, 3); background: rgb(250, 250, 250) }
.bar { height: 80px; background: rgb(200, 220, 240) } .row { display: flex }
#side, #right { width: 150px; min-height: 400px; background: rgb(220, 240, 200); flex: none }
#mail { flex: 1; min-width: 0 }</style>
<script>window.ran = 0; for (const f of ['alert', 'confirm', 'prompt', 'print']) window[f] = () => { window.ran++ };
window.names = ['location', 'cookie', 'document', 'getElementById', 'body', 'forms', 'config', 'ui', 'attributes'];
window.before = names.map(n => [typeof window[n], typeof document[n]].join());</script></head>
<body><div id="top" class="bar">the page's own bar</div><div class="row"><div id="side">folders</div>
<div id="mail">MAIL</div><div id="right">more</div></div><div id="foot" class="bar">the foot</div></body></html>"""

LOOK = """
const mail = document.getElementById('mail'), box = mail.getBoundingClientRect(), covered = [], changed = [];
for (let x = 5; x < innerWidth; x += 23) for (let y = 5; y < innerHeight; y += 23) {
  if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) continue;
  const found = document.elementFromPoint(x, y);
  if (found && found !== mail && mail.contains(found)) covered.push([x, y]) }
for (const id of ['top', 'side', 'right', 'foot']) {
  const e = document.getElementById(id), s = e && getComputedStyle(e);
  if (!e || mail.contains(e) || s.display != 'block' || s.visibility != 'visible' || s.opacity != '1'
    || s.position != 'static' || s.color != 'rgb(1, 2, 3)') changed.push(id) }
if (getComputedStyle(document.body).backgroundColor != 'rgb(250, 250, 250)') changed.push('body');
if (document.documentElement.scrollWidth > innerWidth) changed.push('width');
const after = names.map(n => [typeof window[n], typeof document[n]].join());
names.forEach((n, i) => { if (after[i] != before[i]) changed.push('name ' + n) });
return { script: window.ran > 0, covered: covered.slice(0, 5), changed };
"""


class Host(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if page := re.fullmatch(r"/page/(\d+)", self.path):
            html = PAGE.replace("MAIL", task["mails"][int(page[1])]["html"])
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())
        elif self.path == "/blank":
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGE.replace("MAIL", "").encode())
        else:
            asked.append(self.path)
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def canary() -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            stream, _ = listener.accept()
            stream.settimeout(1)
            try:
                said = stream.recv(8192)
            except OSError:
                said = b""
            stream.close()
            # What Chromium asks for itself, of its maker, over TLS: the name stands in the clear (RFC 6066 §3).
            if said[:1] != b"\x16" or not re.search(rb"[a-z0-9-]+\.(google|googleapis|gvt1|gstatic)\.com", said):
                connections.append(said.decode(errors="replace").split("\r\n")[0][:200])

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def browser(canary_port: int) -> webdriver.Chrome:
    driver = chromium.start((
        "--window-size=1000,700", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--no-first-run", "--disable-features=OptimizationHints,MediaRouter,AutofillServerCommunication", "--no-pings",
        f"--host-resolver-rules=MAP * 127.0.0.1:{canary_port}, EXCLUDE 127.0.0.1",
    ))  # fmt: skip
    driver.set_page_load_timeout(20)
    return driver


def dialogs(driver: webdriver.Chrome) -> int:
    try:
        driver.switch_to.alert.dismiss()
        return 1
    except NoAlertPresentException:
        return 0


def show(driver: webdriver.Chrome, origin: str, index: int, mail: dict) -> dict:
    connections.clear()
    asked.clear()
    # As a server writes it into its page, and then as a script puts it there, twice, since that parses anew.
    driver.get(f"{origin}/page/{index}")
    time.sleep(0.15)
    count = dialogs(driver)
    first = driver.execute_script(LOOK)
    driver.get(f"{origin}/blank")
    driver.execute_script(
        "const m = document.getElementById('mail'); m.innerHTML = arguments[0]; m.innerHTML = m.innerHTML;"
        "for (const e of m.querySelectorAll('*')) for (const t of ['mouseover', 'focus', 'click'])"
        " if (!e.closest('a')) e.dispatchEvent(new Event(t, {bubbles: true}));", mail["html"])  # fmt: skip
    time.sleep(0.15)
    count += dialogs(driver)
    second = driver.execute_script(LOOK)
    url = driver.current_url
    return {
        "name": mail["name"], "dialogs": count, "script": first["script"] or second["script"],
        "covered": first["covered"] + second["covered"], "changed": first["changed"] + second["changed"],
        "connections": list(connections), "asked": list(asked), "stayed": url == f"{origin}/blank",
    }  # fmt: skip


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = browser(canary())
    try:
        time.sleep(1)
        for index, mail in enumerate(task["mails"]):
            print(json.dumps(show(driver, f"http://127.0.0.1:{server.server_port}", index, mail)), flush=True)
    finally:
        driver.quit()
        server.shutdown()


main()
