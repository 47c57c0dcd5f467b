"""What is read in a wheel: its metadata, and the facts that tell its build."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from refreshing.binaries import cuda_libraries
from refreshing.pages import File
from refreshing.web import RemoteFile, Unreadable, Web
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBER_AT_MOST = 128 << 20
# The names of CUDA 9 and 10 hold the minor version; from 11 on all of a major version have one name.
_CUDA_RUNTIME = re.compile(r"(?:libcudart[-.\w]*\.so\.|cudart64_)(9|10)\.?(\d)(?:\.dll)?")
_VERSION_LINE = re.compile(r"""^__version__\s*(?::[^:=\n]+)?=\s*['"]([^'"]+)['"]""", re.MULTILINE)
_ACCELERATOR_LINE = re.compile(r"^(cuda|hip|xpu)\s*(?::[^:=\n]+)?=\s*(?:None|['\"]([^'\"]*)['\"])", re.MULTILINE)


def read_metadata(web: Web, wheel: File) -> dict[str, list[str]]:
    """Requires-Dist and Provides-Extra of a wheel, from the metadata file beside it or from within.

    Raises:
        Unreadable: the wheel is gone, or damaged.
    """
    response = web.get(f"{wheel.url}.metadata")
    raw = response.content if response.status_code == 200 else _metadata_within(web, wheel)
    headers = read_headers(raw.decode("utf-8", "replace"))
    if not headers.first("name") or not headers.first("version"):
        raise Unreadable("its metadata names no project, or no version")
    return {
        "requires": headers.fields.get("requires-dist", []),
        "extras": headers.fields.get("provides-extra", []),
    }


def _metadata_within(web: Web, wheel: File) -> bytes:
    with open_wheel(web, wheel) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
                return _member(archive, name)
    raise Unreadable("no METADATA")


def open_wheel(web: Web, wheel: File) -> zipfile.ZipFile:
    """The wheel as a zip archive of which only what is looked at gets fetched."""
    try:
        return zipfile.ZipFile(RemoteFile(web, wheel.url))
    except zipfile.BadZipFile as error:
        raise Unreadable("no zip archive") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise Unreadable(f"{name} is damaged") from error


def read_build(web: Web, project: str, wheel: File) -> dict[str, Any]:
    """What a wheel of the torch family shows of its build.

    ``declared`` is torch's own word on what it was built for; ``label`` the local part of ``__version__``;
    ``linked`` the CUDA libraries that its compiled members ask for (None for torch, which declares it).
    """
    with open_wheel(web, wheel) as archive:
        version_py = f"{project}/version.py"
        text = ""
        if version_py in archive.namelist():
            text = _member(archive, version_py).decode("utf-8", "replace")
        if project == "torch":
            return {"declared": declared_build(text), "label": local_label(text), "linked": None}
        return {"declared": None, "label": local_label(text), "linked": _linked(archive)}


def declared_build(text: str) -> str | None:
    """``cu121``, ``rocm6.1``, ``xpu`` or ``cpu``, from torch/version.py; None where it has no such line."""
    values = {match[1]: match[2] for match in _ACCELERATOR_LINE.finditer(text)}
    if not values:
        return None
    if values.get("cuda"):
        return "cu" + "".join(values["cuda"].split(".")[:2])
    if values.get("hip"):
        return "rocm" + ".".join(values["hip"].split(".")[:2])
    return "xpu" if values.get("xpu") else "cpu"


def local_label(text: str) -> str | None:
    """The local part of ``__version__`` (``cu130``), or None."""
    match = _VERSION_LINE.search(text)
    return (match[1].partition("+")[2] or None) if match else None


def _linked(archive: zipfile.ZipFile) -> list[str]:
    """CUDA libraries that the wheel's own compiled members ask for, not counting what was copied in."""
    names = [
        info.filename
        for info in archive.infolist()
        if re.search(r"^(?![^/]+\.libs/).*\.(?:so|pyd|dll)$", info.filename) and info.file_size < _MEMBER_AT_MOST
    ]
    return sorted({library for name in names for library in cuda_libraries(_member(archive, name))})


def decide_build(facts: Mapping[str, Any] | None, otherwise: str | None = None) -> str | None:
    """The ``build`` of one wheel: ``scripts/refresh_releases.py`` says how.

    ``facts`` is what ``read_build`` gave, None for a wheel that was not read; ``otherwise`` a CUDA build
    known from elsewhere, for a wheel that is one but does not tell its version.
    """
    if not facts:
        return None
    if facts["declared"]:
        return str(facts["declared"])
    if facts["linked"] is None:
        return None
    if not facts["linked"]:
        return "cpu"
    label = facts["label"] or ""
    if re.fullmatch(r"cu\d+", label):
        return label
    if label == "cpu":
        return None
    runtimes = [match for name in facts["linked"] if (match := _CUDA_RUNTIME.fullmatch(name))]
    if runtimes:
        return f"cu{runtimes[0][1]}{runtimes[0][2]}"
    return otherwise
