"""A local server of the shape of the PyTorch wheel index, with a stand-in for the public index beside it.

The shape is that of the pages which ``s3_management/manage.py`` and ``manage_v2.py`` of pytorch/test-infra
write:

- ``/whl/`` and ``/whl/<folder>/`` list projects, never folders;
- ``/whl/<folder>/<project>/`` lists the files of this folder, *and every file at the root* (``/whl/<file>``);
- ``/whl/<project>/`` lists the files of every release folder and of the root;
- ``/whl/test/`` and ``/whl/nightly/`` are channels of the same shape: no other page links to their files;
- a link has ``#sha256=`` if the hash is known, two attributes if the metadata file is there, and on newer pages
  the time of the upload; a project's files may be on another host (``download-r2.pytorch.org``);
- a project may have a copy of its page of the public index (numpy, filelock), with links to that index.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from support.index_server import JSON, Reply, Request, Server, entry, page, ranges, sha256
from support.small_wheels import metadata, small_wheel, version_py

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LINUX = "manylinux_2_28_x86_64"
AARCH64 = "manylinux_2_28_aarch64"
WINDOWS = "win_amd64"
# The projects whose links name the other host, on the pages of releases.
_ON_R2 = {"torch", "torchaudio", "torchvision"} | {
    f"{prefix}triton{suffix}" for prefix in ("", "pytorch-") for suffix in ("", "-rocm", "-xpu")
}
_CHANNELS = ("test", "nightly")


@dataclass
class Published:
    """One file of the index. What the page says of it may be changed at any time, and so may its content.

    ``stated`` is the hash in its link: empty, where the page lacks it; another one, where the page lies.
    ``beside`` is the metadata file: ``served``, ``gone`` (offered, answers 404) or ``none``.
    """

    folder: str
    filename: str
    content: bytes
    beside_text: str
    stated: str
    address: str
    beside: str = "served"
    uploaded: str = ""
    python: str = ""
    yanked: str | None = None

    @property
    def sha256(self) -> str:
        """The hash of its bytes, whatever the page says."""
        return sha256(self.content)

    @property
    def project(self) -> str:
        return self.filename.split("-")[0].lower().replace("_", "-")

    @property
    def version(self) -> str:
        return self.filename.split("-")[1]

    @property
    def row(self) -> str:
        """Its address from the root of the index, as the tables have it."""
        return f"{self.folder}/{quote(self.filename)}".lstrip("/")

    def tamper(self) -> None:
        """Serve other bytes under this name, a valid wheel; the page goes on stating the old hash."""
        stream = io.BytesIO(self.content)
        with zipfile.ZipFile(stream, "a") as archive:
            archive.comment = b"not what the page states"
        self.content = stream.getvalue()


class _FileHost(Server):
    """Another host with the same files."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        super().__init__()
        self._answer = answer

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._answer(request)


class WheelIndex(Server):
    """The PyTorch wheel index below ``url``, the public index below ``public_url``.

    ``r2``: the links of the torch family name another host. ``routes`` answer before everything else
    (``index.routes["/whl/cu128/torch/"] = Reply(b"", 503)``); ``hang`` makes a path answer never. What was
    asked is in ``requests``; ``r2.requests`` has what was asked of the other host.

    ``missing``: the status of what is not there. The real index answers 403, as a storage bucket does; uv
    takes that for an answer only from the real host, so the default here is 404.
    """

    def __init__(self, *, r2: bool = False, missing: int = 404, dated: bool = True) -> None:
        super().__init__()
        self.published: list[Published] = []
        self.public: list[Published] = []
        self.copied: dict[str, list[Published]] = {}
        self.generated = 1_760_000_000  # the time in the last line of every page
        self._dated = dated
        self._missing = missing
        self._ended = threading.Event()
        self._r2 = _FileHost(self.file_at) if r2 else None

    @property
    def url(self) -> str:
        """What ``--builds-url`` names: the address that has the folders."""
        return f"{self.origin}/whl"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def public_url(self) -> str:
        return f"{self.origin}/simple/"

    @property
    def r2(self) -> Server:
        """The other host; its ``requests`` are its own."""
        assert self._r2
        return self._r2

    def __enter__(self) -> WheelIndex:
        super().__enter__()
        if self._r2:
            self._r2.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        super().__exit__()
        if self._r2:
            self._r2.__exit__()

    def add(
        self,
        folder: str,
        name: str,
        version: str,
        tags: str = f"cp311-cp311-{LINUX}",
        requires: Sequence[str] = (),
        *,
        build: str = "",
        **stated: str | None,
    ) -> Published:
        """Publish a wheel in a folder (``cu128``, ``test/cu128``, or an empty string: the root of the index).

        Its ``version.py`` says ``build`` (by default the folder), so that equal names in two folders have
        different bytes. ``stated`` are fields of ``Published``: what the page says.
        """
        content = _package(name, version, tags, requires, build or folder)
        file = self._file(folder, name, version, tags, content, requires, **stated)
        self.published.append(file)
        return file

    def add_public(
        self,
        name: str,
        version: str,
        requires: Sequence[str] = (),
        *,
        tags: str = "py3-none-any",
        **stated: str | None,
    ) -> Published:
        """Publish a wheel on the public index; ``name`` as in the file name."""
        content = _package(name, version, tags, requires, "public", stated.get("python") or "")
        file = self._file("public", name, version, tags, content, requires, **stated)
        file.address = f"/packages/{quote(file.filename)}"
        self.public.append(file)
        return file

    def copy_page(self, name: str) -> None:
        """Serve the page of a project of the public index in every folder, as newer pages of numpy are."""
        self.copied[name] = [file for file in self.public if file.project == name]

    def link(self, file: Published) -> str:
        """The address of a file as a lock file has it: that of the index, without a hash."""
        return f"{self.origin}{file.address}"

    def hang(self, path: str) -> None:
        """Answer a path only when the server ends."""

        def never(_: Request) -> Reply:
            self._ended.wait()
            return Reply(b"", 504)

        self.routes[path] = never

    def pages_asked(self) -> list[str]:
        """The paths of the pages that were asked for, in order."""
        return [request.path for request in self.requests if request.path.endswith("/")]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        route = self.routes.get(request.path)
        if isinstance(route, list):
            return route.pop(0) if len(route) > 1 else route[0]
        if route is not None:
            return route if isinstance(route, Reply) else route(request)
        return self._answer(request)

    def _file(
        self,
        folder: str,
        name: str,
        version: str,
        tags: str,
        content: bytes,
        requires: Sequence[str],
        **stated: str | None,
    ) -> Published:
        filename = f"{name}-{version}-{tags}.whl"
        values = {"stated": sha256(content), "uploaded": "2025-08-06T14:51:23Z" if self._dated else "", **stated}
        text = metadata(name, version, requires, python=stated.get("python") or "")
        address = f"/whl/{folder}/{quote(filename)}".replace("//", "/")
        return Published(folder, filename, content, text, address=address, **values)  # type: ignore[arg-type]

    def _answer(self, request: Request) -> Reply:
        parts = request.path.strip("/").split("/")
        if not request.path.endswith("/"):
            return self.file_at(request)
        if parts[0] == "simple":
            files = [file for file in self.public if parts[1:] == [file.project]]
            return self._public_page(files) if files else self._nothing()
        if parts[0] == "whl":
            body = self._page(parts[1:])
            return self._nothing() if body is None else self._html(body, request)
        return self._nothing()

    def _nothing(self) -> Reply:
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return Reply(body if self._missing == 403 else b"nothing here", self._missing, "application/xml")

    def file_at(self, request: Request) -> Reply:
        """A file, a part of it, or its metadata file."""
        path = quote(unquote(request.path))
        for file in (*self.published, *self.public):
            if path == file.address:
                reply = ranges(file.content)(request)
                return reply._replace(headers={"Accept-Ranges": "bytes", **reply.headers})
            if path == f"{file.address}.metadata" and file.beside == "served":
                return Reply(file.beside_text.encode())
        return self._nothing()

    def _html(self, body: str, request: Request) -> Reply:
        tag = f'"{hashlib.md5(body.encode()).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": "max-age=600, public, must-revalidate"}
        if request.headers.get("If-None-Match") == tag:
            return Reply(b"", 304, headers=headers)
        return Reply(body.encode(), content_type="text/html", headers=headers)

    def _page(self, parts: Sequence[str]) -> str | None:
        """The page below ``/whl/``, or None if there is none."""
        folders = {file.folder for file in self.published}
        folder = "/".join(parts)
        if not folder or folder in folders or folder in _CHANNELS:
            projects = {file.project for file in self._shown(folder)} | set(self.copied)
            return self._document(f'<a href="{name}/">{name}</a><br/>' for name in sorted(projects))
        *above, name = parts
        folder = "/".join(above)
        if name in self.copied:
            return self._document((self._anchor(each) for each in self.copied[name]), name)
        files = sorted(
            (file for file in self._shown(folder) if file.project == name), key=lambda each: each.address
        )
        return self._document((self._anchor(each) for each in files), name) if files else None

    def _shown(self, folder: str) -> Iterable[Published]:
        """The files that the pages of a folder link to: its own, and those at the root of its channel."""
        channel = folder.split("/")[0] if folder.split("/")[0] in _CHANNELS else ""
        for file in self.published:
            first = file.folder.split("/")[0]
            if (first if first in _CHANNELS else "") != channel:
                continue
            if file.folder == channel or f"{file.folder}/".startswith(f"{folder}/" if folder else ""):
                yield file

    def _document(self, lines: Iterable[str], name: str = "") -> str:
        head = [f"    <h1>Links for {name}</h1>"] if name else []
        body = [f"    {line}" for line in lines]
        end = ["  </body>", "</html>", f"<!--TIMESTAMP {self.generated}-->"]
        return "\n".join(["<!DOCTYPE html>", "<html>", "  <body>", *head, *body, *end])

    def _anchor(self, file: Published) -> str:
        on_r2 = self._r2 and file.project in _ON_R2 and not file.folder.startswith(_CHANNELS)
        host = self.r2.url.rstrip("/") if on_r2 else self.origin if file.folder == "public" else ""
        fragment = f"#sha256={file.stated}" if file.stated else ""
        attributes = ""
        if file.beside != "none":
            digest = f"sha256={sha256(file.beside_text.encode())}"
            attributes = f' data-dist-info-metadata="{digest}" data-core-metadata="{digest}"'
        if file.python:
            attributes += f' data-requires-python="{escape(file.python)}"'
        if file.uploaded and file.folder != "public":
            attributes += f' data-upload-time="{file.uploaded}"'
        return f'<a href="{host}{file.address}{fragment}"{attributes}>{file.filename}</a><br/>'

    def _public_page(self, files: Sequence[Published]) -> Reply:
        rows = [
            entry(
                file.filename,
                file.address,
                hashes={"sha256": file.stated} if file.stated else {},
                size=len(file.content),
                upload_time=file.uploaded or None,
                requires_python=file.python or None,
                core_metadata={"sha256": sha256(file.beside_text.encode())} if file.beside != "none" else False,
                yanked=file.yanked if file.yanked is not None else False,
            )
            for file in files
        ]
        return page(*rows)._replace(content_type=JSON)


def _package(name: str, version: str, tags: str, requires: Sequence[str], build: str, python: str = "") -> bytes:
    """A wheel with a package of its name, whose ``version.py`` says of which build it is."""
    members = {f"{name.lower()}/__init__.py": "", f"{name.lower()}/version.py": version_py(version, build)}
    return small_wheel(name, version, tags, requires, python=python, members=members)
