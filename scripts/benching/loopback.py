"""A package index of generated universes on the loopback address.

    python -m benching.loopback

An index is at ``/SHAPE/SIZE/SEED/FORM/DELAY/simple/``: FORM is ``metadata`` (PEP 658) or ``ranges`` (the
metadata is in the wheels alone), DELAY the milliseconds before each answer. ``/SHAPE/SIZE/SEED/roots`` has the
requirements to lock, a line each. Pages are JSON (PEP 691), or HTML (PEP 503) for who accepts no JSON. Wheels
are real and small. Validators and ages are like those of the public index: pages for ten minutes with an ETag,
files for ever.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from functools import cache
from html import escape
from typing import NamedTuple

from benching import universes
from benching.serving import Reply, Request, serve

JSON = "application/vnd.pypi.simple.v1+json"
PAGE_AGE = ("Cache-Control", "max-age=600, public")
FILE_AGE = ("Cache-Control", "max-age=365000000, immutable, public")
MISSING = Reply(404, (("Cache-Control", "max-age=600, public"),))
UPLOADED = "2025-01-01T00:00:00Z"


class File(NamedTuple):
    """A wheel of a generated project: its name, bytes and metadata."""

    name: str
    version: str
    body: bytes
    metadata: bytes


def wheel(project: str, version: str, requirements: list[str]) -> File:
    """A wheel with one module, and the metadata that it contains. The same arguments give the same bytes."""
    name = re.sub(r"[-_.]+", "_", project).lower()
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}", "Requires-Python: >=3.6"]
    extras = sorted({extra for text in requirements for extra in re.findall(r"extra\s*==\s*['\"]([^'\"]+)", text)})
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {text}" for text in requirements]
    metadata = ("\n".join(lines) + "\n").encode()
    info = f"{name}-{version}.dist-info"
    tags = b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n".encode()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        contents = ((f"{name}.py", b""), (f"{info}/METADATA", metadata), (f"{info}/WHEEL", tags))
        for path, content in (*contents, (f"{info}/RECORD", record)):
            archive.writestr(zipfile.ZipInfo(path), content)
    return File(f"{name}-{version}-py3-none-any.whl", version, body.getvalue(), metadata)


@cache
def universe(shape: str, size: int, seed: int) -> universes.Generated:
    """A generated universe, kept."""
    return universes.generate(shape, size, seed=seed)


@cache
def files(shape: str, size: int, seed: int, project: str) -> dict[str, File]:
    """The wheels of a project by file name; empty if the universe lacks it."""
    releases = universe(shape, size, seed).projects.get(project, {})
    made = (wheel(project, version, list(requirements)) for version, requirements in releases.items())
    return {file.name: file for file in made}


@cache
def page(shape: str, size: int, seed: int, project: str, form: str, is_json: bool) -> tuple[bytes, str] | None:
    """The page of a project and its ETag; None if there is no such project."""
    found = files(shape, size, seed, project)
    if not found:
        return None
    rows = []
    for file in found.values():
        row: dict[str, object] = {"filename": file.name, "url": f"../../files/{project}/{file.name}"}
        row |= {"hashes": {"sha256": hashlib.sha256(file.body).hexdigest()}, "requires-python": ">=3.6"}
        row |= {"size": len(file.body), "upload-time": UPLOADED, "yanked": False}
        known = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        row["core-metadata"] = known if form == "metadata" else False
        rows.append(row)
    if is_json:
        text = json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": rows, "versions": [
            file.version for file in found.values()
        ]})  # fmt: skip
    else:
        text = f"<!DOCTYPE html><html><body><h1>{project}</h1>\n{''.join(map(_link, rows))}</body></html>\n"
    body = text.encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _link(row: dict[str, object]) -> str:
    """The link of a file on an HTML page."""
    assert isinstance(row["hashes"], dict)
    known = row["core-metadata"]
    told = f' data-core-metadata="sha256={known["sha256"]}"' if isinstance(known, dict) else ""
    address = f"{row['url']}#sha256={row['hashes']['sha256']}"
    return f'<a href="{address}" data-requires-python="{escape(">=3.6")}"{told}>{row["filename"]}</a><br/>\n'


def answer(request: Request) -> Reply:
    """Answer one request from the universe that its path names."""
    parts = request.path.partition("?")[0].strip("/").split("/")
    if len(parts) == 4 and parts[3] == "roots":
        roots = universe(parts[0], int(parts[1]), int(parts[2])).roots
        return Reply(body=("\n".join(roots) + "\n").encode(), is_counted=False)
    if len(parts) < 7:
        return MISSING
    shape, size, seed, form, delay, place, project, *rest = parts
    key = (shape, int(size), int(seed))
    if place == "simple" and not rest:
        reply = _page(request, key, project, form)
    elif place == "files" and rest:
        reply = _file(request, key, project, rest[0], form)
    else:
        reply = MISSING
    return reply._replace(delay=int(delay) / 1000)


def _page(request: Request, key: tuple[str, int, int], project: str, form: str) -> Reply:
    """The page of a project, or 304 if the client has it."""
    is_json = "json" in request.headers.get("accept", "")
    found = page(*key, project, form, is_json)
    if found is None:
        return MISSING
    body, etag = found
    kind = ("Content-Type", JSON if is_json else "text/html; charset=utf-8")
    headers = (kind, PAGE_AGE, ("ETag", etag), ("Vary", "Accept"))
    return Reply(304, headers) if request.headers.get("if-none-match") == etag else Reply(200, headers, body)


def _file(request: Request, key: tuple[str, int, int], project: str, name: str, form: str) -> Reply:
    """A wheel, a range of it, or its metadata."""
    file = files(*key, project).get(name.removesuffix(".metadata"))
    if file is None or (name.endswith(".metadata") and form != "metadata"):
        return MISSING
    body = file.metadata if name.endswith(".metadata") else file.body
    etag = ("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
    headers = (("Content-Type", "binary/octet-stream"), FILE_AGE, etag, ("Accept-Ranges", "bytes"))
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not asked or asked[0] == "bytes=-":
        return Reply(200, headers, body)
    first = int(asked[1]) if asked[1] else max(len(body) - int(asked[2]), 0)
    last = min(int(asked[2]), len(body) - 1) if asked[1] and asked[2] else len(body) - 1
    if first > last:
        return Reply(416, (("Content-Range", f"bytes */{len(body)}"),))
    where = ("Content-Range", f"bytes {first}-{last}/{len(body)}")
    return Reply(206, (*headers, where), body[first : last + 1])


if __name__ == "__main__":
    serve(lambda address: answer)
