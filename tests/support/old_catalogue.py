"""A catalogue made old on purpose, and an index that serves what it has lost."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from support.index_server import Server, entry, page, ranges
from torchlock.knowledge import tables
from torchlock.knowledge.releases import Catalogue, CatalogueRelease
from torchlock.knowledge.rules import cuda_version
from torchlock.knowledge.stack import FAMILY

LOST = 3
# What its source compares, by the release that began with it; nothing below the first.
_CHECK = """\
def _check_cuda_version():
    if {test}:
        raise RuntimeError("Detected that PyTorch and TorchAudio were compiled with different CUDA versions.")
"""
_MINOR = _CHECK.format(test="ta_version != t_version")
_MAJOR = _CHECK.format(test="ta_major != t_major")


def age(root: Path) -> dict[str, list[str]]:
    """Copy the tables of the program to a folder, without the newest releases of each member of the family.

    Returns the versions that were taken out, by name, oldest first.
    """
    shutil.copytree(tables.ROOT, root, ignore=shutil.ignore_patterns("systems", "rules"))
    lost: dict[str, list[str]] = {}
    for name in sorted(FAMILY):
        path = root / "releases" / f"{name}.json"
        table = json.loads(path.read_bytes())
        lost[name] = list(table["releases"])[-LOST:]
        for version in lost[name]:
            del table["releases"][version], table["files"][version]
        path.write_bytes(_rendered(table))
    return lost


def _rendered(table: dict[str, Any]) -> bytes:
    """The form that the catalogue reads: the files last, each release on a line of its own."""
    files = table.pop("files")
    head = json.dumps(table)[:-1]
    lines = ",\n".join(f"{json.dumps(version)}: {json.dumps(rows)}" for version, rows in files.items())
    return f'{head},\n"files": {{\n{lines}\n}}\n}}\n'.encode()


def serve(server: Server, lost: dict[str, list[str]], tags: str) -> None:
    """Let an index serve all releases of the family, those that were lost as wheels with what lock reads in them.

    ``tags`` is in the name of every wheel that is made, so that few are.
    """
    whole = Catalogue()
    for name, versions in lost.items():
        files = []
        for release in whole.releases(name) or []:
            for index, file in enumerate(release.files()):
                if release.version in versions and not (file.filename.endswith(".whl") and tags in file.filename):
                    continue
                hashes = file.hashes
                if release.version in versions:
                    content = _wheel(release, index)
                    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
                    server.routes[f"/{name}/{file.filename}"] = ranges(content)
                files.append(
                    entry(
                        file.filename,
                        hashes=hashes,
                        size=None,
                        upload_time=file.uploaded,
                        requires_python=release.requires_python(index) or None,
                    )
                )
        server.routes[f"/{name}/"] = page(*files)


def _wheel(release: CatalogueRelease, index: int) -> bytes:
    """A wheel with the metadata of the real one, and what its source tells of its build."""
    name, version = release.name, release.version
    known = release.build(index)
    build = "cpu" if known is None else known
    cuda = cuda_version(build)
    requires = [f"Requires-Dist: {item}" for item in release.dependencies(index) or []]
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *requires, "", "Text."]
    told = f"__version__ = '{version}+{build}'\ncuda = {repr(cuda) if cuda != '0' else None}\nhip = None\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}/version.py", told)
        if name == "torchaudio":
            minor = tuple(map(int, version.split("."))) <= (2, 11, 0)
            archive.writestr("torchaudio/_extension/utils.py", _MINOR if minor else _MAJOR)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines))
    return stream.getvalue()
