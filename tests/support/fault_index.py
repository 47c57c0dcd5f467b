"""A server that fails in every way a socket can: it drips, breaks off, resets, and lies about lengths."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from support.index_server import JSON, page

Fault = Callable[[socket.socket], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: " + JSON.encode() + b"\r\n"


class FaultServer:
    """Answers every request with one fault, and counts the requests."""

    def __init__(self, fault: Fault) -> None:
        self.requests = 0
        self._fault = fault
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.requests += 1
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(1 << 16)
            self._fault(client)


def drips(start: bytes, piece: bytes = b"x") -> Fault:
    """Sends a start, and then small pieces without end."""

    def fault(client: socket.socket) -> None:
        client.sendall(start)
        for _ in itertools.count():
            client.sendall(piece)
            time.sleep(0.001)  # so that the pieces arrive one by one

    return fault


def repeats(start: bytes, piece: bytes) -> Fault:
    """Sends a start, and then the same piece as fast as it goes, without end."""

    def fault(client: socket.socket) -> None:
        client.sendall(start)
        while True:
            client.sendall(piece)

    return fault


def says(content: bytes) -> Fault:
    """Sends this, and closes the connection."""
    return lambda client: client.sendall(content)


def resets(start: bytes = b"") -> Fault:
    """Sends a start, and resets the connection."""

    def fault(client: socket.socket) -> None:
        client.sendall(start)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return fault


def bomb(size: int) -> bytes:
    """A gzipped answer of blanks, some thousand times smaller than what it unpacks to."""
    body = gzip.compress(b" " * size, 9)
    return HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def chunked(*pieces: bytes, ended: bool) -> bytes:
    """A chunked answer, with or without its end."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body + (b"0\r\n\r\n" if ended else b"")


def whole_page(*files: dict[str, object]) -> bytes:
    """The JSON of a page."""
    return page(*files).body


def nested(depth: int) -> bytes:
    """JSON of so many arrays in arrays."""
    return b'{"files": ' + b"[" * depth + b"]" * depth + b"}"


def lines(count: int) -> Iterator[bytes]:
    """Headers without end."""
    for number in range(count):
        yield b"X-%d: y\r\n" % number


def duplicated() -> bytes:
    """A page with two lists of files, of which JSON readers take the last."""
    return json.dumps({"files": []})[:-1].encode() + b', "files": "none"}'
