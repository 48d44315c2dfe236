"""What the checks of a running compose stack have in common: its addresses, calls through Traefik, and ears for events.

Environment: STATE (the folder of compose-init, with endpoints.env), DOCKER (docker), COMPOSE_PROJECT_NAME (xynap), and
the ports HTTP_PORT, HTTPS_PORT, IMAPS_PORT, SMTPS_PORT, SUBMISSION_PORT, DNS_PORT as in compose.yaml.
"""

from __future__ import annotations

import http.client
import imaplib
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

STATE = Path(os.environ["STATE"])
ENDPOINTS = dict(line.split("=", 1) for line in (STATE / "endpoints.env").read_text().splitlines())
DOCKER = os.environ.get("DOCKER", "docker")
PROJECT = os.environ.get("COMPOSE_PROJECT_NAME", "xynap")
PORTS = {name: int(os.environ.get(f"{name}_PORT", default)) for name, default in
         {"HTTP": 80, "HTTPS": 443, "IMAPS": 993, "SMTPS": 465, "SUBMISSION": 587, "DNS": 53}.items()}  # fmt: skip
GATEWAY = ENDPOINTS["GATEWAY_URL"]
HTTPS = f"https://localhost:{PORTS['HTTPS']}"
TLS = ssl.create_default_context(cafile=str(STATE / "ssl/ca.pem"))
ALICE, ALICE_PASSWORD = ENDPOINTS["DEMO_EMAIL"], ENDPOINTS["DEMO_PASSWORD"]
BOB, BOB_PASSWORD = ENDPOINTS["DEMO2_EMAIL"], ENDPOINTS["DEMO2_PASSWORD"]
SERVICE = {"x-service-token": ENDPOINTS["SERVICE_TOKEN"]}


def call(
    method: str, url: str, body: dict | None = None, headers: dict | None = None, timeout: float = 20
) -> tuple[int, dict]:
    status, _, content = exchange(method, url, body, headers, timeout)
    return status, content


def exchange(
    method: str, url: str, body: dict | None = None, headers: dict | None = None, timeout: float = 20
) -> tuple[int, Message, dict]:
    """Status, header fields and JSON of an answer; of text that is none, its beginning as "code"."""
    request = urllib.request.Request(
        url, None if body is None else json.dumps(body).encode(), method=method,
        headers={"content-type": "application/json", **(headers or {})})  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=TLS) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            return error.code, error.headers, json.loads(text)
        except ValueError:
            return error.code, error.headers, {"code": text[:80].strip()}


def docker(*arguments: str) -> str:
    return subprocess.run([DOCKER, *arguments], check=True, capture_output=True, text=True).stdout


def logged(container: str, since: float) -> list[str]:
    """The lines of a container's log since then (seconds since 1970)."""
    command = [DOCKER, "logs", "--since", str(int(since)), container]
    log = subprocess.run(command, check=True, capture_output=True, text=True)
    return (log.stdout + log.stderr).splitlines()


def mail_token() -> str:
    _, session = call("POST", f"{HTTPS}/api/v1/auth/login", {"email": ALICE, "password": ALICE_PASSWORD})
    bearer = {"authorization": f"Bearer {session['access_token']}"}
    return call("POST", f"{HTTPS}/api/v1/auth/mail-token", {}, bearer)[1]["access_token"]


def imap(token: str) -> imaplib.IMAP4_SSL:
    session = imaplib.IMAP4_SSL("localhost", PORTS["IMAPS"], ssl_context=TLS, timeout=15)
    session.authenticate("XOAUTH2", lambda _: f"user={ALICE}\x01auth=Bearer {token}\x01\x01".encode())
    return session


class Listener:
    """Hears the mail events of a mailbox as Server-Sent Events; comes back with the last id when the stream ends."""

    def __init__(self, account: str) -> None:
        self.url = f"{GATEWAY}/api/v1/mail/events/stream?account={account}"
        self.going, self.last_id, self.streams = True, "", 0
        self.subjects: list[str] = []
        self.resyncs = 0
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while self.going:
            headers = {**SERVICE, **({"last-event-id": self.last_id} if self.last_id else {})}
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=20) as stream:
                    self.streams += 1
                    for line in stream:
                        self.read(line.decode().rstrip("\r\n"))
                        if not self.going:
                            return
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)

    def read(self, line: str) -> None:
        field, _, value = line.partition(": ")
        if field == "id":
            self.last_id = value
        elif field == "data":
            event = json.loads(value)
            if event["type"] == "mail.new_message":
                self.subjects.append(event["data"]["message"]["subject"])
            self.resyncs += event["type"] == "mail.resync"

    def __enter__(self) -> Listener:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.going = False
        # The next comment or event ends the wait for one.
        self.thread.join(20)

    def await_once(self, subjects: list[str], patience: int = 30) -> int:
        """How many were told of, each exactly once; fails otherwise, after so many seconds."""
        for _ in range(2 * patience):
            if all(self.subjects.count(subject) == 1 for subject in subjects):
                return len(subjects)
            time.sleep(0.5)
        wrong = [(subject, times) for subject in subjects if (times := self.subjects.count(subject)) != 1]
        raise AssertionError(f"not told of exactly once ({self.resyncs} resyncs): {wrong[:5]} ({len(wrong)})")


def await_subjects(subjects: list[str], patience: int = 60) -> int:
    """How many arrived, each exactly once; fails otherwise, after so many seconds."""
    found: list[str] = []
    for _ in range(patience):
        found = subjects_of_bob()
        if all(found.count(subject) == 1 for subject in subjects):
            (STATE / "mails").write_text(str(len(found)))
            return len(subjects)
        time.sleep(1)
    wrong = [subject for subject in subjects if found.count(subject) != 1]
    raise AssertionError(f"not exactly once: {wrong[:5]} ({len(wrong)})")


def subjects_of_bob() -> list[str]:
    session = imaplib.IMAP4_SSL("localhost", PORTS["IMAPS"], ssl_context=TLS, timeout=15)
    session.login(BOB, BOB_PASSWORD)
    session.select("INBOX", readonly=True)
    headers = session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    session.logout()
    return [part[1].decode().removeprefix("Subject: ").strip() for part in headers if isinstance(part, tuple)]
