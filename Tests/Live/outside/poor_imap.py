"""An IMAP server that can less: it passes everything on to a real one, but for what it hides.

The first line read is {"host", "port", "hides": capabilities}; it prints {"port"}. Each further line is answered by
{"refused": the hidden commands that a client sent all the same}.
"""

import json
import re
import socket
import sys
import threading
from typing import BinaryIO

task = json.loads(sys.stdin.readline())
hidden = {word.encode().upper() for word in task["hides"]}
refused: set[str] = set()

CAPABILITIES = re.compile(rb"^(\* CAPABILITY |(?:\*|[A-Z0-9]+) OK \[CAPABILITY )([^]\r\n]*)")


def poorer(line: bytes) -> bytes:
    """The line without the hidden capabilities."""
    return CAPABILITIES.sub(
        lambda found: found[1] + b" ".join(w for w in found[2].split() if w.upper() not in hidden), line)


def answers(server: BinaryIO, client: socket.socket) -> None:
    try:
        for line in server:
            client.sendall(poorer(line))
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def serve(client: socket.socket) -> None:
    try:
        with client, socket.create_connection((task["host"], task["port"])) as server:
            threading.Thread(target=answers, args=(server.makefile("rb"), client), daemon=True).start()
            try:
                for line in client.makefile("rb"):
                    words = line.split(None, 2)
                    if len(words) > 1 and words[1].upper() in hidden:
                        refused.add(words[1].decode().upper())
                        client.sendall(words[0] + b" BAD Unknown command\r\n")
                    else:
                        server.sendall(line)
            finally:
                # Closing alone would not end a read that another thread is in, and Dovecot would count the session.
                server.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def accept(listener: socket.socket) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0), backlog=100)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
for _ in sys.stdin:
    print(json.dumps({"refused": sorted(refused)}), flush=True)
