"""Source distributions and small indexes of them, made for a test."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

from support.index_server import Reply, Server, entry, page

SETUP = "from setuptools import setup\nsetup(name='{name}', version='{version}'{more})\n"


def archive(
    files: Mapping[str, str | bytes], name: str = "demo", version: str = "1.0", kind: str = "tar.gz"
) -> bytes:
    """An archive with these files below its one folder."""
    stream = io.BytesIO()
    raw = {
        f"{name}-{version}/{path}": text.encode() if isinstance(text, str) else text
        for path, text in files.items()
    }
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path, content in raw.items():
                zipped.writestr(path, content)
        return stream.getvalue()
    mode = {"tar": "w:", "tar.bz2": "w:bz2", "tbz": "w:bz2", "tar.xz": "w:xz", "txz": "w:xz"}.get(kind, "w:gz")
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for path, content in raw.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def pkg_info(*lines: str, name: str = "demo", version: str = "1.0", metadata: str = "2.1") -> str:
    return "\n".join(
        [f"Metadata-Version: {metadata}", f"Name: {name}", f"Version: {version}", *lines, "", "Text."]
    )


def of_setuptools(
    *requirements: str, name: str = "demo", version: str = "1.0", setup: str | None = None
) -> dict[str, str | bytes]:
    """What setuptools packs for a project with a setup.py."""
    literal = f", install_requires={list(requirements)!r}" if requirements else ""
    files: dict[str, str | bytes] = {
        "PKG-INFO": pkg_info(name=name, version=version),
        "setup.py": setup or SETUP.format(name=name, version=version, more=literal),
        f"{name}.egg-info/PKG-INFO": pkg_info(name=name, version=version),
        f"{name}.egg-info/SOURCES.txt": "setup.py\n",
    }
    if requirements:
        files[f"{name}.egg-info/requires.txt"] = "\n".join(requirements) + "\n"
    return files


COMPUTED = """\
import platform
from setuptools import setup
needs = []
if platform.machine() == "x86_64":
    needs.append("six")
setup(name="{name}", version="{version}", install_requires=needs)
"""


def computed(name: str, version: str = "1.0") -> dict[str, str | bytes]:
    """A project whose requirements only a build would tell."""
    return of_setuptools("six", name=name, version=version, setup=COMPUTED.format(name=name, version=version))


def wheel(*requires: str, name: str, version: str = "1.0") -> bytes:
    stream = io.BytesIO()
    lines = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {item}" for item in requires),
    ]
    with zipfile.ZipFile(stream, "w") as zipped:
        zipped.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
        zipped.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return stream.getvalue()


class Shelf:
    """The projects of a local index: files are added, pages follow."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._files: dict[str, list[dict[str, Any]]] = {}

    def add(self, name: str, filename: str, content: bytes | Reply, **more: Any) -> None:
        body = content.body if isinstance(content, Reply) else content
        self.server.routes[f"/files/{filename}"] = content if isinstance(content, Reply) else Reply(content)
        row = {"hashes": {"sha256": hashlib.sha256(body).hexdigest()}, "size": len(body), **more}
        self._files.setdefault(name, []).append(entry(filename, f"{self.server.url}files/{filename}", **row))
        self.server.routes[f"/{name}/"] = page(*self._files[name])

    def sdist(self, name: str, version: str, files: Mapping[str, str | bytes], **more: Any) -> None:
        kind = more.pop("kind", "tar.gz")
        self.add(name, f"{name}-{version}.{kind}", archive(files, name, version, kind), **more)

    def wheel(self, name: str, version: str, *requires: str, tags: str = "py3-none-any", **more: Any) -> None:
        self.add(name, f"{name}-{version}-{tags}.whl", wheel(*requires, name=name, version=version), **more)
