"""Another mail program in the same mailbox: Python's own imaplib, kept open and told what to do.

The first line read is host, port, user, secret (a mail token); it prints {"ready": true}. Each further line is an
action and its arguments; it prints {"done": true} once the server has said OK, for `look` what a session begun just now
sees:
{folder: {"uid_validity", "unseen", "messages": [[uid, subject, [flag, …]], …]}}.
"""

import imaplib
import json
import re
import sys

task = json.loads(sys.stdin.readline())


def login() -> imaplib.IMAP4:
    imap = imaplib.IMAP4(task["host"], task["port"], timeout=15)
    imap.authenticate("XOAUTH2", lambda _: f"user={task['user']}\x01auth=Bearer {task['secret']}\x01\x01".encode())
    return imap


def checked(answer: tuple[str, list]) -> list:
    if answer[0] != "OK":
        raise RuntimeError(answer)
    return answer[1]


def append(folder: str, subject: str, flags: str) -> None:
    mail = f"From: friend@elsewhere.example\r\nSubject: {subject}\r\n\r\n{subject}\r\n"
    checked(other.append(folder, flags, None, mail.encode()))


def store(folder: str, uids: str, change: str, flags: str) -> None:
    checked(other.select(folder))
    checked(other.uid("STORE", uids, change, flags))


def expunge(folder: str, uids: str) -> None:
    store(folder, uids, "+FLAGS", r"(\Deleted)")
    checked(other.expunge())


def move(folder: str, uids: str, target: str) -> None:
    checked(other.select(folder))
    checked(other.uid("MOVE", uids, target))


def create(folder: str) -> None:
    checked(other.create(folder))


def delete(folder: str) -> None:
    # Not while it is open.
    checked(other.select("INBOX"))
    checked(other.delete(folder))


def rename(folder: str, target: str) -> None:
    checked(other.select("INBOX"))
    checked(other.rename(folder, target))


def look() -> dict:
    imap = login()
    seen = {}
    for line in checked(imap.list()):
        name = line.decode().rpartition(' "/" ')[2].strip('"')
        checked(imap.select(name, readonly=True))
        validity = int(imap.response("UIDVALIDITY")[1][0])
        messages = []
        for part in checked(imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
            if isinstance(part, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].decode().split()
                subject = part[1].decode().partition(":")[2].strip()
                uid = int(re.search(rb"UID (\d+)", part[0])[1])
                messages.append([uid, subject, sorted(set(flags) - {r"\Recent"})])
        unseen = sum(r"\Seen" not in flags for _, _, flags in messages)
        seen[name] = {"uid_validity": validity, "unseen": unseen, "messages": sorted(messages)}
    imap.logout()
    return seen


ACTIONS = {action.__name__: action for action in (append, store, expunge, move, create, delete, rename, look)}

other = login()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(ACTIONS[name](*arguments) or {"done": True}), flush=True)
