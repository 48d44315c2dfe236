"""An IMAP server that goes wrong on demand: between its client and a real server it passes everything on, but for the
fault that it was last told.

The first line read is {"host", "port"} of the real server; it prints {"port"}. Each further line is {"fault": a name
below or null, "verb": the word in the client's commands that sets it off}; it prints {"ready": true}.
"""

import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable

from relaying import listen, upstream

real = json.loads(sys.stdin.readline())
fault: dict = {"fault": None}


def endless(piece: bytes) -> Iterable[bytes]:
    block = piece * max(1, 65536 // len(piece))
    while True:
        yield block


def drip(text: bytes) -> Iterable[bytes]:
    while True:
        for byte in text:
            yield bytes([byte])
            time.sleep(0.2)


def oks(tags: list[bytes]) -> bytes:
    return b"".join(tag + b" OK done\r\n" for tag in tags)


# What is said instead of a greeting; None: nothing, for ever.
GREETINGS: dict[str, Callable[[], Iterable[bytes] | None]] = {
    "greeting-silence": lambda: None,
    "greeting-garbage": lambda: [bytes(range(256)) + b"\r\n"],
    "greeting-http": lambda: [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "greeting-bye": lambda: [b"* BYE go away\r\n"],
    "greeting-closed": lambda: [],
    "greeting-endless": lambda: endless(b"* OK "),
    "greeting-flood": lambda: endless(b"* OK hello\r\n"),
    "greeting-drip": lambda: drip(b"* OK hello "),
}

# What is said instead of the answer to the commands with these tags.
ANSWERS: dict[str, Callable[[list[bytes]], Iterable[bytes] | None]] = {
    "silence": lambda tags: None,
    "closed": lambda tags: [],
    "bye": lambda tags: [b"* BYE shutting down\r\n"],
    "no": lambda tags: [tag + b" NO not today\r\n" for tag in tags],
    "bad": lambda tags: [tag + b" BAD what?\r\n" for tag in tags],
    "garbage": lambda tags: [bytes(range(256)) * 10 + b"\r\n"],
    "wrong-tag": lambda tags: [b"ZZZ9 OK done\r\n"],
    "tagged-without-text": lambda tags: [tag + b"\r\n" for tag in tags],
    "nothing-but-ok": lambda tags: [oks(tags)],
    "twice": lambda tags: [oks(tags) + oks(tags)],
    "literal-absurd": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {99999999999999999999}\r\n"],
    "literal-huge": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {9999999999}\r\n"],
    "literal-negative": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {-1}\r\nabc)\r\n" + oks(tags)],
    "literal-missing": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {1000}\r\nabc"],
    "literal-short": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {3}\r\nabcdef)\r\n" + oks(tags)],
    "literal-long": lambda tags: [b"* 1 FETCH (UID 1 BODY[HEADER] {40}\r\nab)\r\n" + oks(tags)],
    "literal-filled": lambda tags: [b"* 1 FETCH (UID 1 BODY[1] {67108864}\r\n", bytes(60 << 20)],
    "line-endless": lambda tags: endless(b"* LIST () NIL x"),
    "responses-endless": lambda tags: endless(b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n"),
    "list-endless": lambda tags: endless(b'* LIST () "/" x\r\n'),
    "continuations": lambda tags: endless(b"+ \r\n"),
    "events": lambda tags: endless(b"* 1 EXPUNGE\r\n"),
    "drip": lambda tags: drip(b"* 1 EXISTS\r\n"),
    "numbers": lambda tags: [
        b"* 4294967296 EXISTS\r\n* -1 EXISTS\r\n* 99999999999999999999999 FETCH (UID 1)\r\n* 0 FETCH (UID 0)\r\n"
        b"* STATUS INBOX (MESSAGES 99999999999999999999 UIDVALIDITY -5 HIGHESTMODSEQ 1e9 SIZE 18446744073709551616)\r\n"
        b"* 1 FETCH (UID 4294967295 RFC822.SIZE 18446744073709551615 MODSEQ (18446744073709551615)"
        b" INTERNALDATE \"99-Foo-9999 99:99:99 +9999\")\r\n" + oks(tags)],
    "sizes": lambda tags: [
        b'* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 18446744073709551615'
        b' BODYSTRUCTURE ("application" "pdf" NIL NIL NIL "base64" 18446744073709551615)'
        b" ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL))\r\n"
        b"* 1 FETCH (UID 1 BINARY.SIZE[1] 18446744073709551615)\r\n" + oks(tags)],
    "number-zero": lambda tags: [
        b"* STATUS INBOX (MESSAGES 0 UIDNEXT 2 UIDVALIDITY 1 HIGHESTMODSEQ 99 UNSEEN 0)\r\n"
        b"* 0 FETCH (UID 1 FLAGS () MODSEQ (5))\r\n" + oks(tags)],
    "nils": lambda tags: [
        b"* 1 FETCH (UID 1 FLAGS NIL INTERNALDATE NIL RFC822.SIZE NIL ENVELOPE NIL BODYSTRUCTURE NIL BODY[HEADER] NIL)"
        b"\r\n" + oks(tags)],
    "envelope-nils": lambda tags: [
        b"* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 1 ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
        b' BODYSTRUCTURE (NIL NIL NIL NIL NIL NIL 0))\r\n' + oks(tags)],
    "nesting": lambda tags: [b"* 1 FETCH (UID 1 BODYSTRUCTURE " + b"(" * 200_000 + b"\r\n" + oks(tags)],
    "nesting-unknown": lambda tags: [
        b"* 1 FETCH (UID 1 X-NEW " + b"(" * 500_000 + b")" * 500_000 + b")\r\n" + oks(tags)],
    "never-asked": lambda tags: [
        *(b"* %d FETCH (UID %d FLAGS (\\Seen) RFC822.SIZE 1)\r\n" % (i, i) for i in range(90, 5000)), oks(tags)],
    "sections-never-asked": lambda tags: [
        b"* 1 FETCH (UID 1 BODY[7.7.7] {3}\r\nabc BINARY.SIZE[9] 99 BODY[1]<5> {2}\r\nxx)\r\n" + oks(tags)],
    "cut-in-literal": lambda tags: [b"* 1 FETCH (UID 1 BODY[1] {1000}\r\nabc", None],
    "quotes": lambda tags: [
        b'* LIST () "' + b"\\" * 9999 + b'\r\n* 1 FETCH (UID 1 ENVELOPE ("unclosed\r\n' + oks(tags)],
}  # fmt: skip


def say(stream: socket.socket, pieces: Iterable[bytes] | None) -> None:
    """None, or a None among the pieces, is silence."""
    if pieces is not None:
        for piece in pieces:
            if piece is None:
                return
            stream.sendall(piece)
        if not isinstance(pieces, list) or not pieces or b"BYE" in pieces[0]:
            return
    # Holds the line until the client gives up.
    stream.settimeout(30)
    while stream.recv(65536):
        pass


def serve(client: socket.socket) -> None:
    try:
        if fault["fault"] in GREETINGS:
            say(client, GREETINGS[fault["fault"]]())
            return
        with upstream(real, lambda server: relay(server, client)) as server:
            speak(client, server)
    except OSError:
        pass
    finally:
        client.close()


def speak(client: socket.socket, server: socket.socket) -> None:
    while data := client.recv(65536):
        name = fault["fault"]
        if name in ANSWERS and fault["verb"].encode() in data:
            say(client, ANSWERS[name](re.findall(rb"(?m)^(A\d+) ", data)))
            return
        server.sendall(data)


def relay(server: socket.socket, client: socket.socket) -> None:
    try:
        while data := server.recv(65536):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


print(json.dumps({"port": listen(serve), "greetings": sorted(GREETINGS), "answers": sorted(ANSWERS)}),
      flush=True)  # fmt: skip
for line in sys.stdin:
    fault = json.loads(line)
    print(json.dumps({"ready": True}), flush=True)
