"""Stands before a real package index and counts what clients ask of it.

    python -m benching.forwarding INDEX_URL

The index is at ``/simple/``. Addresses on its pages are rewritten so that files and metadata come through here
too. It serves to count requests and bytes, not to measure time: an answer is passed on when it is whole.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from benching.serving import Reply, Request, serve

PASSED_UP = ("accept", "accept-encoding", "range", "if-none-match", "if-modified-since", "cache-control")
PASSED_DOWN = (
    *("content-type", "etag", "last-modified", "cache-control", "accept-ranges", "content-range", "vary", "date"),
    *("x-pypi-last-serial",),
)
THREADS = 32
# The address of a file, after the name of its field in JSON or its attribute in HTML.
FILE = re.compile(rb'("url":\s*"|href=")(https?)://')


class Forwarder:
    """Answers from the index behind; a session for each thread."""

    def __init__(self, address: str, index: str) -> None:
        self._address, self._index = address, index.rstrip("/")
        self._threads = ThreadPoolExecutor(THREADS)
        self._local = threading.local()

    def answer(self, request: Request) -> Awaitable[Reply]:
        """Ask the index in another thread."""
        return asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request)

    def _ask(self, request: Request) -> Reply:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        url, is_page = self._behind(request.path)
        sent = {name: request.headers[name] for name in PASSED_UP if name in request.headers}
        with self._local.session.request(request.method, url, headers=sent, stream=True, timeout=60) as found:
            body: bytes = found.content if is_page else found.raw.read(decode_content=False)
            headers = {name: found.headers[name] for name in PASSED_DOWN if name in found.headers}
            coding = found.headers.get("content-encoding", "")
            status = found.status_code
        if is_page:
            body = FILE.sub(rb"\1" + self._address.encode() + rb"/-/\2/", body)
            coding = "gzip" if "gzip" in request.headers.get("accept-encoding", "") and body else ""
            body = gzip.compress(body, 6) if coding else body
        if request.method == "HEAD" and not is_page and "content-length" in found.headers:
            headers["content-length"] = found.headers["content-length"]
        if coding:
            headers["content-encoding"] = coding
        return Reply(status, tuple(headers.items()), body)

    def _behind(self, path: str) -> tuple[str, bool]:
        """The address behind a path of ours, and whether it is a page."""
        if path.startswith("/simple/"):
            return f"{self._index}/{path.removeprefix('/simple/')}", True
        scheme, _, rest = path.removeprefix("/-/").partition("/")
        return f"{scheme}://{rest}", False


def answers(index: str) -> Callable[[str], Callable[[Request], Awaitable[Reply]]]:
    """What ``serve`` takes: the answers of an index, by our own address."""
    return lambda address: Forwarder(address, index).answer


if __name__ == "__main__":
    serve(answers(sys.argv[1]))
