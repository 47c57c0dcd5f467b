"""A small index for the scripts that refresh tables: it says what it was asked."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import struct
import threading
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def elf(*needed: str) -> bytes:
    """A 64-bit ELF file that is nothing but a dynamic section with these DT_NEEDED entries."""
    names = b"\0"
    entries = b""
    for name in needed:
        entries += struct.pack("<QQ", 1, len(names))
        names += name.encode() + b"\0"
    entries += struct.pack("<QQ", 5, 0x1000) + bytes(16)
    at = 64 + 2 * 56
    header = b"\x7fELF\x02\x01" + bytes(26) + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 2)
    load = struct.pack("<IIQQQQQQ", 1, 0, at, 0x1000, 0x1000, len(names), len(names), 1)
    dynamic = struct.pack("<IIQQQQQQ", 2, 0, at + len(names), 0, 0, len(entries), len(entries), 8)
    return header.ljust(64, b"\0") + load + dynamic + names + entries


def wheel(filename: str, requires: tuple[str, ...] = (), **members: str | bytes) -> bytes:
    """A wheel; ``members`` are named with ``__`` for ``/`` and ``_dot_`` for a dot. Padded past one range."""
    name, version = filename.split("-")[:2]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in requires]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\nprose\n")
        archive.writestr("padding", bytes(200_000))
        for member, content in members.items():
            archive.writestr(member.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


class Index:
    """What the server serves, and what it was asked: ``files`` by name, ``beside`` metadata files by name."""

    def __init__(self) -> None:
        self.projects: dict[str, list[str]] = {}
        self.files: dict[str, bytes] = {}
        self.beside: dict[str, bytes] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.url = ""

    def add(self, project: str, filename: str, content: bytes = b"", **details: Any) -> None:
        self.projects.setdefault(project, []).append(filename)
        self.files[filename] = content
        self.details[filename] = details

    def page(self, project: str) -> bytes:
        rows = [
            {
                "filename": name,
                "url": f"../../packages/aa/{name}",
                "hashes": {"sha256": hashlib.sha256(name.encode() + self.files[name]).hexdigest()},
                "size": len(self.files[name]),
                "upload-time": "2024-04-24T15:00:09.123456Z",
                "yanked": False,
                "core-metadata": name in self.beside,
                **self.details[name],
            }
            for name in self.projects[project]
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": rows}).encode()


def handler_for(index: Index) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            index.asked.append(self.path)
            parts = self.path.strip("/").split("/")
            if parts[0] == "simple" and parts[1] in index.projects:
                self._answer(200, index.page(parts[1]), content_type="application/vnd.pypi.simple.v1+json")
            elif parts[-1] in index.broken:
                self._answer(500)
            elif parts[-1].removesuffix(".metadata") in index.beside and parts[-1].endswith(".metadata"):
                self._answer(200, index.beside[parts[-1].removesuffix(".metadata")])
            elif parts[0] == "packages" and parts[-1] in index.files:
                self._range(index.files[parts[-1]])
            else:
                self._answer(404)

        def _range(self, content: bytes) -> None:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, len(content) - int(last))
            end = int(last) + 1 if first and last else len(content)
            part = content[start:end]
            self._answer(206, part, f"bytes {start}-{start + len(part) - 1}/{len(content)}")

        def _answer(self, status: int, body: bytes = b"", content_range: str = "", content_type: str = "") -> None:
            self.send_response(status)
            if content_type:
                self.send_header("Content-Type", content_type)
            if content_range:
                self.send_header("Content-Range", content_range)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def started() -> Iterator[Index]:
    """An empty index that listens on this machine."""
    index = Index()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_for(index))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    index.url = f"http://127.0.0.1:{server.server_port}/simple/"
    yield index
    server.shutdown()
    server.server_close()
