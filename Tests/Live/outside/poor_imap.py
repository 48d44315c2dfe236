"""An IMAP server that can less: it passes everything on to a real one, but for what it hides.

The first line read is {"host", "port", "hides": capabilities}; it prints {"port"}. Each further line is answered by
{"refused": the hidden commands that a client sent all the same}.
"""

import json
import re
import socket
import sys

from relaying import listen, upstream

task = json.loads(sys.stdin.readline())
hidden = {word.encode().upper() for word in task["hides"]}
refused: set[str] = set()

CAPABILITIES = re.compile(rb"^(\* CAPABILITY |(?:\*|[A-Z0-9]+) OK \[CAPABILITY )([^]\r\n]*)")


def poorer(line: bytes) -> bytes:
    """The line without the hidden capabilities."""
    return CAPABILITIES.sub(
        lambda found: found[1] + b" ".join(w for w in found[2].split() if w.upper() not in hidden), line)


def answers(server: socket.socket, client: socket.socket) -> None:
    try:
        for line in server.makefile("rb"):
            client.sendall(poorer(line))
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def serve(client: socket.socket) -> None:
    try:
        with client, upstream(task, lambda server: answers(server, client)) as server:
            for line in client.makefile("rb"):
                words = line.split(None, 2)
                if len(words) > 1 and words[1].upper() in hidden:
                    refused.add(words[1].decode().upper())
                    client.sendall(words[0] + b" BAD Unknown command\r\n")
                else:
                    server.sendall(line)
    except OSError:
        pass


print(json.dumps({"port": listen(serve)}), flush=True)
for _ in sys.stdin:
    print(json.dumps({"refused": sorted(refused)}), flush=True)
