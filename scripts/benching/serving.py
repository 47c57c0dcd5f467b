"""A small HTTP/1.1 server on the loopback address, which counts what it is asked and can answer late.

It runs in a process of its own (``running.py`` starts it), so that it shares no interpreter with the bench. It
exists because ``http.server`` answers about 1,500 requests in a second with a thread for each connection, and
this one about ten times as many: the server must not be what is measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

HOST = "127.0.0.1"


class Request(NamedTuple):
    """A request: method, path with its query, and headers with names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


class Reply(NamedTuple):
    """An answer. ``delay`` is in seconds; ``is_counted`` is False for questions about the server itself."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay: float = 0.0
    is_counted: bool = True


Answer = Callable[[Request], "Reply | Awaitable[Reply]"]


class Counts:
    """Since the last reset: requests that were answered, their bytes, and the most that came at once."""

    def __init__(self) -> None:
        self.requests = self.received = self.sent = self.bodies = self.pending = self.most = 0
        self.by_status: dict[int, int] = {}

    def text(self) -> bytes:
        names = ("requests", "received", "sent", "bodies", "most", "by_status")
        return json.dumps({name: getattr(self, name) for name in names}).encode()


class Connection(asyncio.Protocol):
    """One connection: requests without bodies, answered in their order."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._buffer = b""
        self._waiting: asyncio.Queue[Request | None] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._task = asyncio.ensure_future(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            pairs = (line.partition(":") for line in lines)
            self._site.counts.received += end + 4
            self._waiting.put_nowait(
                Request(method, path, {name.lower(): text.strip() for name, _, text in pairs})
            )

    async def _serve(self) -> None:
        while (request := await self._waiting.get()) is not None:
            counts = self._site.counts
            counts.pending += 1
            counts.most = max(counts.most, counts.pending)
            try:
                reply = await self._site.reply(request)
                if reply.delay:
                    await asyncio.sleep(reply.delay)
            finally:
                counts.pending = max(counts.pending - 1, 0)
            if self._transport.is_closing():
                return
            self._transport.write(self._site.bytes_of(request, reply))
            if request.headers.get("connection", "").lower() == "close":
                self._transport.close()
                return


class Site:
    """What answers the requests, and the counts of it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.counts = Counts()

    async def reply(self, request: Request) -> Reply:
        """The answer to a request; an exception becomes status 500 with its text."""
        if request.path == "/-/counts":
            return Reply(body=self.counts.text(), is_counted=False)
        if request.path == "/-/reset":
            self.counts = Counts()
            return Reply(is_counted=False)
        try:
            reply = self._answer(request)
            return reply if isinstance(reply, Reply) else await reply
        except Exception as error:  # the bench reads it from the counts by status, a person from standard error
            print(f"{request.path}: {error!r}", file=sys.stderr)
            return Reply(500, body=repr(error).encode())

    def bytes_of(self, request: Request, reply: Reply) -> bytes:
        """The answer as it is sent, counted."""
        stated = {name.lower() for name, _ in reply.headers}
        length = [] if "content-length" in stated else [("Content-Length", str(len(reply.body)))]
        fields = [*length, ("Connection", "keep-alive"), *reply.headers]
        if reply.status == 304:
            fields = [field for field in fields if field[0].lower() != "content-length"]
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{k}: {v}" for k, v in fields)]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        body = b"" if request.method == "HEAD" or reply.status == 304 else reply.body
        if reply.is_counted:
            counts = self.counts
            counts.requests += 1
            counts.sent += len(head) + len(body)
            counts.bodies += len(body)
            counts.by_status[reply.status] = counts.by_status.get(reply.status, 0) + 1
        return head + body


def serve(answer_at: Callable[[str], Answer]) -> None:
    """Serve until standard input ends; print the address first. ``answer_at`` gets that address."""
    asyncio.run(_serve(answer_at))


async def _serve(answer_at: Callable[[str], Answer]) -> None:
    loop = asyncio.get_running_loop()
    site: list[Site] = []
    server = await loop.create_server(lambda: Connection(site[0]), HOST, 0, backlog=1024)
    address = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    site.append(Site(answer_at(address)))
    print(address, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
