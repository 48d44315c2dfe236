"""A person at a real browser: headless Chromium, without JavaScript, goes through the pages of OAuth2.

Reads {"url", "email", "password", "scheme": "dark" | "light", "language", "shots": folder or null} and, for the device
page, {"user_code"}. Listens on a loopback port for the redirect where the url has {port} in it. Prints {"pages": [what
each page was like], "answer": the redirect's query, "port"}.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

import chromium
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

task = json.load(sys.stdin)
answer: dict[str, str] = {}


class Redirect(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query))
        if query:
            answer.update(query)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>back</title>back in the program")

    def log_message(self, *_: object) -> None:
        pass


def browser() -> webdriver.Chrome:
    driver = chromium.start(
        ("--window-size=420,900", "--disable-background-networking", f"--lang={task['language']}"),
        {"profile.managed_default_content_settings.javascript": 2, "intl.accept_languages": task["language"]})
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": task["scheme"]}]})
    driver.set_page_load_timeout(30)
    return driver


# Run by the driver, not by the page: what a person who cannot see, or not well, would miss.
AUDIT = """
const linear = x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
const luminance = c => { const v = c.map(x => linear(x / 255));
  return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length == 3 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
const faults = [];
if (!document.documentElement.lang) faults.push('no language');
if (!document.title) faults.push('no title');
if (document.querySelectorAll('main').length != 1) faults.push('not one main');
if (document.querySelectorAll('h1').length != 1) faults.push('not one h1');
if (document.scripts.length) faults.push('a script');
if (document.documentElement.scrollWidth > innerWidth) faults.push('scrolls sideways');
for (const i of document.querySelectorAll('input:not([type=hidden])')) {
  if (!i.labels.length) faults.push('no label: ' + i.name);
  if (i.type != 'radio' && !i.autocomplete) faults.push('no autocomplete: ' + i.name) }
for (const e of document.querySelectorAll('h1,p,label,button,a,li,legend,input:not([type=hidden])')) {
  if (!e.offsetParent) continue;
  const a = luminance(parse(getComputedStyle(e).color)), b = luminance(ground(e));
  const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(1)}: ${e.tagName} ${e.textContent.slice(0, 20)}`);
  const isTarget = ['BUTTON', 'INPUT'].includes(e.tagName) && e.type != 'radio';
  if (isTarget && e.offsetHeight < 44) faults.push('small: ' + e.tagName) }
return { faults, lang: document.documentElement.lang, heading: document.querySelector('h1')?.textContent,
  focus: document.activeElement?.name || '', ground: getComputedStyle(document.body).backgroundColor };
"""


def look(driver: webdriver.Chrome, pages: list) -> None:
    if task.get("shots"):
        driver.save_screenshot(f"{task['shots']}/{task['scheme']}-{task['language']}-{len(pages)}.png")
    pages.append(driver.execute_script(AUDIT))


def type_in(driver: webdriver.Chrome, name: str, text: str) -> None:
    field = driver.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text)


def click(driver: webdriver.Chrome, selector: str) -> None:
    """Clicks what leaves the page, and waits for the next.

    The driver's own wait misses a slow answer, and what is asked of a page just then leaving may fail in any way.
    """
    left = driver.find_element(By.TAG_NAME, "html")
    driver.find_element(By.CSS_SELECTOR, selector).click()

    def is_next_there(driver: webdriver.Chrome) -> bool:
        is_another = driver.find_element(By.TAG_NAME, "html") != left
        return is_another and driver.execute_script("return document.readyState") == "complete"

    WebDriverWait(driver, 30, ignored_exceptions=[WebDriverException]).until(is_next_there)


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Redirect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages: list[dict] = []
    driver = browser()
    try:
        driver.get(task["url"].replace("PORT", str(server.server_port)))
        look(driver, pages)
        if task.get("user_code"):
            type_in(driver, "user_code", task["user_code"])
            click(driver, "button")
            look(driver, pages)
        type_in(driver, "email", task["email"])
        type_in(driver, "password", "not the password")
        click(driver, "button")
        look(driver, pages)
        type_in(driver, "password", task["password"])
        click(driver, "button")
        look(driver, pages)
        click(driver, "button[value=allow]")
        if task.get("user_code"):
            look(driver, pages)
        title, cookies = driver.title, driver.get_cookies()
    finally:
        driver.quit()
        server.shutdown()
    print(json.dumps({
        "pages": pages, "answer": answer, "port": server.server_port, "title": title,
        "readable_cookies": [cookie["name"] for cookie in cookies if not cookie["httpOnly"]]}))  # fmt: skip


main()
