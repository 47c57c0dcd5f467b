"""A package index on the loopback interface: pages in JSON (PEP 691), metadata files (PEP 658), and files."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple

_PAGE = "application/vnd.pypi.simple.v1+json"


class Served(NamedTuple):
    """One file of a project. ``metadata`` is served beside a wheel; an sdist has none."""

    project: str
    filename: str
    content: bytes
    metadata: str | None = None
    requires_python: str | None = None
    yanked: bool = False


class Loopback:
    """Indexes by name, in one server. Use it as a context."""

    def __init__(self) -> None:
        answers: dict[str, tuple[str, bytes]] = {}
        self._answers = answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                kind, body = answers.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Loopback:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}/simple/"

    def publish(self, name: str, files: list[Served]) -> None:
        """Serve these files as the index ``name``."""
        pages: dict[str, list[dict[str, object]]] = {}
        for file in files:
            address = f"/{name}/files/{file.filename}"
            self._answers[address] = ("application/octet-stream", file.content)
            listed: dict[str, object] = {
                "filename": file.filename,
                "url": address,
                "hashes": {"sha256": hashlib.sha256(file.content).hexdigest()},
                "yanked": file.yanked,
            }
            if file.requires_python:
                listed["requires-python"] = file.requires_python
            if file.metadata is not None:
                body = file.metadata.encode()
                listed["core-metadata"] = {"sha256": hashlib.sha256(body).hexdigest()}
                self._answers[f"{address}.metadata"] = ("text/plain", body)
            pages.setdefault(file.project, []).append(listed)
        for project, rows in pages.items():
            page = {"meta": {"api-version": "1.0"}, "name": project, "files": rows}
            self._answers[f"/{name}/simple/{project}/"] = (_PAGE, json.dumps(page).encode())
