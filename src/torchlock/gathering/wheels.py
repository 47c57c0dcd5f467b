"""What is read in a wheel: its metadata, and the facts that show its build."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from torchlock.errors import MetadataError
from torchlock.gathering.binaries import cuda_libraries
from torchlock.index.archives import ArchiveError, open_zip
from torchlock.standards.headers import read_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchlock.gathering.pages import File
    from torchlock.index import Index
    from torchlock.standards import index_file

# How many bytes are fetched of one wheel: all compiled members of a companion, but never all of a torch.
_BUDGET = 256 << 20
_MEMBER_AT_MOST = 128 << 20
# The names of CUDA 9 and 10 hold the minor version; from 11 on all of a major version have one name.
_CUDA_RUNTIME = re.compile(r"(?:libcudart[-.\w]*\.so\.|cudart64_)(9|10)\.?(\d)(?:\.dll)?")
_VERSION_LINE = re.compile(r"""^__version__\s*(?::[^:=\n]+)?=\s*['"]([^'"]+)['"]""", re.MULTILINE)
_ACCELERATOR_LINE = re.compile(r"^(cuda|hip|xpu)\s*(?::[^:=\n]+)?=\s*(?:None|['\"]([^'\"]*)['\"])", re.MULTILINE)


def read_metadata(index: Index, wheel: File) -> dict[str, list[str]]:
    """Requires-Dist and Provides-Extra of a wheel.

    Raises:
        MetadataError, BrokenFile: the wheel is gone, or damaged.
        NetworkError: the server fails.
    """
    headers = read_headers(index.metadata(_listed(wheel)))
    if not headers.first("name") or not headers.first("version"):
        raise MetadataError("its metadata names no project, or no version")
    return {
        "requires": headers.fields.get("requires-dist", []),
        "extras": headers.fields.get("provides-extra", []),
    }


def read_build(index: Index, project: str, wheel: File) -> dict[str, Any]:
    """What a wheel of the torch family shows of its build.

    ``declared`` is torch's own word on what it was built for; ``label`` the local part of ``__version__``;
    ``linked`` the CUDA libraries that its compiled members ask for (None for torch, which declares it).

    Raises:
        MetadataError, BrokenFile: the wheel is gone, or damaged.
        NetworkError: the server fails.
    """
    found = index.within(_listed(wheel), lambda content: _build_in(content, project), _BUDGET)
    if isinstance(found, str):
        raise MetadataError(found)
    return found


def _listed(wheel: File) -> index_file.File:
    if wheel.listed is None:
        raise MetadataError("no page lists it")
    return wheel.listed


def _build_in(content: IO[bytes], project: str) -> dict[str, Any] | str:
    """The same, or what is wrong with the wheel."""
    try:
        with open_zip(content) as archive:
            version_py = f"{project}/version.py"
            text = ""
            if version_py in archive.namelist():
                text = archive.read(version_py).decode("utf-8", "replace")
            if project == "torch":
                return {"declared": declared_build(text), "label": local_label(text), "linked": None}
            return {"declared": None, "label": local_label(text), "linked": _linked(archive)}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, ArchiveError) as error:
        return f"it is damaged ({error})"


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
    return sorted({library for name in names for library in cuda_libraries(archive.read(name))})


def decide_build(facts: Mapping[str, Any] | None, otherwise: str | None = None) -> str | None:
    """The ``build`` of one wheel: ``scripts/refresh_releases.py`` says how.

    ``facts`` is what ``read_build`` gave, None for a wheel that was not read; ``otherwise`` a CUDA build
    known from elsewhere, for a wheel that is one but does not state its version.
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
