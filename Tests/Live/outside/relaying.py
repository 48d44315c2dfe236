"""What servers that stand between a client and a real one have in common."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def listen(serve: Callable[[socket.socket], None]) -> int:
    """Serves each client on a thread of its own; the port."""

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


@contextmanager
def upstream(address: dict, answers: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """A connection to the real server, whose answers are passed on beside."""
    with socket.create_connection((address["host"], address["port"])) as server:
        threading.Thread(target=answers, args=(server,), daemon=True).start()
        try:
            yield server
        finally:
            # Closing alone would not end a read that another thread is in, and Dovecot would count the session.
            server.shutdown(socket.SHUT_RDWR)
