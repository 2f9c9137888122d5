"""What answers in place of a replica, and not as one should."""

from __future__ import annotations

import socket
import threading
from typing import Any, Callable, Tuple

from barista_client import Endpoint

Behaviour = Callable[[socket.socket], None]


class Listener:
    """Listens on a free port of the loopback, and has ``behave`` deal with each connection. A context manager."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def at(self) -> str:
        host, port = self._listening.getsockname()[:2]
        return f"{host}:{port}"

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._listening.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.behave(connection)
            except OSError:
                pass


def frame_of(connection: socket.socket) -> bytes:
    """The next frame with its length; empty if the connection ended."""
    head = _exactly(connection, 4)
    return head + _exactly(connection, int.from_bytes(head, "big")) if head else b""


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def saying(answer: bytes) -> Behaviour:
    """Answers each request with the same bytes."""

    def behave(connection: socket.socket) -> None:
        while frame_of(connection):
            connection.sendall(answer)

    return behave


def silent(connection: socket.socket) -> None:
    """Takes each request and answers none."""
    while frame_of(connection):
        pass


def relaying(to: str, answers: Callable[[], bool]) -> Behaviour:
    """Hands each request on to a replica, and ends the connection in place of the answer unless ``answers`` says so."""

    def behave(connection: socket.socket) -> None:
        address: Tuple[str, int] = Endpoint.parse(to)
        with socket.create_connection(address) as replica:
            while True:
                request = frame_of(connection)
                if not request:
                    return
                replica.sendall(request)
                answer = frame_of(replica)
                if not answers():
                    return
                connection.sendall(answer)

    return behave


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            return b""
        data += chunk
    return data
