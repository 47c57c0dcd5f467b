"""A package index on this machine, told reply by reply what to say."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from torchlock.index.client import Index
from torchlock.index.sdist import Reader
from torchlock.index.settings import IndexSettings
from torchlock.standards.index_file import File

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"


class Reply(NamedTuple):
    """What to answer. ``missing``: how many bytes of the body to announce and not to send."""

    body: bytes = b""
    status: int = 200
    content_type: str = ""
    headers: Mapping[str, str] = {}
    missing: int = 0


class Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    method: str = "GET"


Route = Reply | list[Reply] | Callable[[Request], Reply]


class Server:
    """Answers from ``routes``; of a list of replies each serves once, the last one ever after."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        self._http = ThreadingHTTPServer((host, 0), self._handler())
        self._http.daemon_threads = True
        self.authority = f"{host}:{self._http.server_port}"
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}/"

    def asked(self, path: str) -> int:
        """How many requests there were for a path."""
        return sum(request.path == path for request in self.requests)

    def wrap(self, context: Any) -> None:
        """Speak TLS."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.scheme = "https"

    def __enter__(self) -> Server:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        route = self.routes.get(request.path, Reply(b"nothing here", 404))
        if isinstance(route, list):
            return route.pop(0) if len(route) > 1 else route[0]
        return route if isinstance(route, Reply) else route(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                reply = server.reply(Request(self.path, self.headers, self.command))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.content_type:
                    self.send_header("Content-Type", reply.content_type)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body) + reply.missing))
                self.end_headers()
                if self.command != "HEAD":
                    with contextlib.suppress(ConnectionError):  # a client that knows enough hangs up
                        self.wfile.write(reply.body)
                self.close_connection = True

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def page(*files: Mapping[str, Any], version: str = "1.1", headers: Mapping[str, str] = {}) -> Reply:
    """A page in the JSON form."""
    document = {"meta": {"api-version": version}, "name": "demo", "files": list(files)}
    return Reply(json.dumps(document).encode(), content_type=JSON, headers=headers)


def entry(filename: str, url: str = "", **more: Any) -> dict[str, Any]:
    """One file of such a page; underscores in names stand for hyphens."""
    found = {name.replace("_", "-"): value for name, value in more.items()}
    return {"filename": filename, "url": url or filename, "hashes": {}, **found}


def html(*lines: str) -> Reply:
    """A page in the HTML form."""
    return Reply(
        "<!DOCTYPE html><html><body>{}</body></html>".format("\n".join(lines)).encode(), content_type=HTML
    )


def metadata_text(*lines: str, version: str = "2.1") -> str:
    return "\n".join([f"Metadata-Version: {version}", "Name: demo", "Version: 1.0", *lines, "", "Text.", ""])


def wheel(text: str, name: str = "demo", padding: int = 0) -> bytes:
    """A wheel with this METADATA, a decoy below a vendored folder, and incompressible bytes in front."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            f"{name}/data.bin", b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(padding // 32))
        )
        archive.writestr(f"{name}/_vendor/{name}-9.0.dist-info/METADATA", "Metadata-Version: 9.9\n")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", text)
    return stream.getvalue()


def sdist(text: str, name: str = "demo") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path in (f"{name}-1.0/{name}.egg-info/PKG-INFO", f"{name}-1.0/PKG-INFO"):
            content = text.encode() if path.count("/") == 1 else b"Metadata-Version: 9.9\n"
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def ranges(content: bytes) -> Callable[[Request], Reply]:
    """A route that serves parts of a file, from the front or from the end."""

    def route(request: Request) -> Reply:
        wanted = request.headers.get("Range", "").removeprefix("bytes=")
        if not wanted:
            return Reply(content)
        first, _, last = wanted.partition("-")
        start = int(first) if first else max(0, len(content) - int(last))
        stop = min(int(last) + 1, len(content)) if first and last else len(content)
        where = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
        return Reply(content[start:stop], 206, headers=where)

    return route


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_at(server: Server, filename: str, **more: Any) -> File:
    return File(filename, f"{server.url}files/{filename}", more.pop("hashes", {}), **more)


def index(cache_dir: Path, *servers: Server | str, **options: Any) -> Index:
    """An index client that asks these servers, in this order."""
    *extra, last = [server if isinstance(server, str) else server.url for server in servers]
    find_links = tuple(options.pop("find_links", ()))
    settings = IndexSettings(last, tuple(extra), find_links, **options.pop("settings", {}))
    return Index(settings, cache_dir=cache_dir, **{"sdists": Reader(), **options})
