"""Between a client and PostgreSQL: a socket that passes everything on, and cuts the connection at a COMMIT.

`BEFORE` the server gets it: nothing has happened. `AFTER` it has answered: everything has, and the client never learns.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Final

PORT: Final = 5433
"""In the name of its socket, beside the server's own."""
WITHIN: Final = 30.0


class Cut(Enum):
    BEFORE = "before"
    AFTER = "after"


class Cutter:
    """Cuts the next `times` connections that commit something."""

    def __init__(self, listener: socket.socket, server: str) -> None:
        self._listener = listener
        self._server = server
        self._lock = threading.Lock()
        self._moment: Cut | None = None
        self._times = 0
        self.cuts = 0

    def arm(self, moment: Cut, times: int = 1) -> None:
        with self._lock:
            self._moment, self._times = moment, times

    def serve(self) -> None:
        """Until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.settimeout(WITHIN)
            client.settimeout(WITHIN)
            server.connect(self._server)
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while data := _receive(client):
                moment = self._due() if b"COMMIT\0" in data else None
                if moment is Cut.AFTER:
                    # The answer goes to nobody: the other thread reads it, and finds the client closed.
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
                    server.recv(1, socket.MSG_PEEK)
                if moment is not None:
                    break
                server.sendall(data)
            _shut(client, server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        while data := _receive(server):
            try:
                client.sendall(data)
            except OSError:
                break
        _shut(client, server)

    def _due(self) -> Cut | None:
        with self._lock:
            if not self._times:
                return None
            self._times -= 1
            self.cuts += 1
            return self._moment


@contextmanager
def cutter(directory: Path, port: int) -> Generator[Cutter]:
    """Before the server whose socket is in `directory`; itself it is there too, with the port PORT."""
    path = directory / f".s.PGSQL.{PORT}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        made = Cutter(listener, str(directory / f".s.PGSQL.{port}"))
        thread = threading.Thread(target=made.serve, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WITHIN)
            path.unlink()


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
