"""An IMAP client that shares no code with the product: Python's own imaplib.

Reads one JSON object: host, port, tls, ca, user, mechanism (XOAUTH2, OAUTHBEARER, PLAIN), secret, actions.
Prints one JSON object a line: first {"authenticated": true} or {"authenticated": false, "refusal", "challenge"},
then one for each action.
"""

import base64
import imaplib
import json
import re
import select
import ssl
import sys
import time


def initial_response(task: dict) -> bytes:
    user, secret = task["user"], task["secret"]
    return {
        "XOAUTH2": f"user={user}\x01auth=Bearer {secret}\x01\x01",
        "OAUTHBEARER": f"n,a={user},\x01host={task['host']}\x01port={task['port']}\x01auth=Bearer {secret}\x01\x01",
        "PLAIN": f"\0{user}\0{secret}",
    }[task["mechanism"]].encode()


def connect(task: dict) -> imaplib.IMAP4:
    if not task["tls"]:
        return imaplib.IMAP4(task["host"], task["port"], timeout=15)
    context = ssl.create_default_context(cafile=task["ca"])
    return imaplib.IMAP4_SSL(task["host"], task["port"], ssl_context=context, timeout=15)


def authenticate(imap: imaplib.IMAP4, task: dict) -> dict:
    challenges = []

    def answer(challenge: bytes) -> bytes:
        if challenge:
            challenges.append(challenge.decode(errors="replace"))
        return initial_response(task)

    try:
        imap.authenticate(task["mechanism"], answer)
        return {"authenticated": True}
    except imaplib.IMAP4.error as error:
        return {"authenticated": False, "refusal": str(error), "challenge": challenges[-1] if challenges else ""}


def uids(imap: imaplib.IMAP4, folder: str) -> list[int]:
    imap.select(folder, readonly=True)
    return [int(uid) for uid in imap.uid("SEARCH", "ALL")[1][0].split()]


def flags(imap: imaplib.IMAP4, folder: str, uid: int) -> list[str]:
    imap.select(folder, readonly=True)
    line = imap.uid("FETCH", str(uid), "(FLAGS)")[1][0]
    return sorted(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()) if line else []


def subjects(imap: imaplib.IMAP4, folder: str) -> list[str]:
    imap.select(folder, readonly=True)
    found = imap.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    return [part[1].decode().partition(":")[2].strip() for part in found if isinstance(part, tuple)]


def raw(imap: imaplib.IMAP4, folder: str, uid: int) -> str:
    imap.select(folder, readonly=True)
    return base64.b64encode(imap.uid("FETCH", str(uid), "(BODY.PEEK[])")[1][0][1]).decode()


def append(imap: imaplib.IMAP4, folder: str, message: str) -> str:
    return imap.append(folder, None, None, message.encode())[0]


def command(imap: imaplib.IMAP4, method: str, *arguments: str) -> str:
    """CREATE, DELETE, RENAME and their kind: OK or NO."""
    return getattr(imap, method)(*arguments)[0]


def change(imap: imaplib.IMAP4, folder: str, *arguments: str) -> str:
    """A UID command on the messages of a folder, then EXPUNGE of what is marked deleted."""
    imap.select(folder)
    done = imap.uid(*arguments)[0]
    imap.expunge()
    return done


def folders(imap: imaplib.IMAP4) -> list[str]:
    """The names as they are on the wire."""
    return [line.decode().rpartition(' "/" ')[2].strip('"') for line in imap.list()[1] if line]


def subscribed(imap: imaplib.IMAP4) -> list[str]:
    return [line.decode().rpartition(' "/" ')[2].strip('"') for line in imap.lsub()[1] if line]


def hold(imap: imaplib.IMAP4, seconds: float) -> dict:
    """Keeps the session open and says when (seconds since 1970), and with what words, the server ended it."""
    imap.select("INBOX")
    print(json.dumps({"holding": True}), flush=True)
    stream, end, said = imap.socket(), time.time() + seconds, b""
    while time.time() < end:
        if select.select([stream], [], [], 0.2)[0]:
            data = stream.recv(4096)
            said += data
            if not data or b"* BYE" in said:
                return {"ended": time.time(), "said": said.decode(errors="replace")}
    return {"ended": None, "said": said.decode(errors="replace")}


ACTIONS = {
    action.__name__: action
    for action in (uids, flags, subjects, raw, append, command, change, folders, subscribed, hold)
}


def main() -> None:
    task = json.load(sys.stdin)
    imap = connect(task)
    outcome = authenticate(imap, task)
    print(json.dumps(outcome), flush=True)
    if outcome["authenticated"]:
        for name, *arguments in task["actions"]:
            print(json.dumps(ACTIONS[name](imap, *arguments)), flush=True)
    imap.shutdown()


main()
