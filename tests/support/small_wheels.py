"""Wheels of a few hundred bytes under the names of real ones: installers accept them, and they import."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # equal content gives equal bytes


def small_wheel(
    name: str,
    version: str,
    tags: str,
    requires: Sequence[str] = (),
    *,
    python: str = "",
    members: Mapping[str, str] = {},
) -> bytes:
    """A wheel that pip and uv install.

    ``name`` as in the file name (``pytorch_triton_rocm``), ``tags`` as well, with the build tag if there is one
    (``1-cp311-cp311-manylinux_2_28_x86_64``); ``members`` are further files, the text by the path.
    """
    info = f"{name}-{version}.dist-info"
    texts = {
        **members,
        f"{info}/METADATA": metadata(name, version, requires, python=python),
        f"{info}/WHEEL": _wheel_file(tags),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        record = "".join(_written(archive, path, text) for path, text in texts.items())
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD", _LONG_AGO), f"{record}{info}/RECORD,,\n")
    return stream.getvalue()


def metadata(name: str, version: str, requires: Sequence[str] = (), *, python: str = "") -> str:
    """The text of its METADATA."""
    lines = ["Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}"] if python else []
    lines += [f"Requires-Dist: {each}" for each in requires]
    return "\n".join(lines) + "\n"


def version_py(version: str, folder: str) -> str:
    """``version.py`` as the wheels of the torch family have it; ``folder`` says from where the file came."""
    label = folder.rpartition("/")[2]
    cuda = f"{label[2:-1]}.{label[-1]}" if label.startswith("cu") else None
    hip = label.removeprefix("rocm") if label.startswith("rocm") else None
    xpu = "20250101" if label == "xpu" else None
    return f"__version__ = {version!r}\ncuda = {cuda!r}\nhip = {hip!r}\nxpu = {xpu!r}\nfolder = {folder!r}\n"


def _wheel_file(tags: str) -> str:
    *build, pythons, abis, platforms = tags.split("-")
    every = itertools.product(pythons.split("."), abis.split("."), platforms.split("."))
    lines = ["Wheel-Version: 1.0", "Generator: tests", "Root-Is-Purelib: false"]
    lines += [f"Tag: {'-'.join(each)}" for each in every] + [f"Build: {each}" for each in build]
    return "\n".join(lines) + "\n"


def _written(archive: zipfile.ZipFile, path: str, text: str) -> str:
    """Put a file into the archive; returns its line of RECORD."""
    archive.writestr(zipfile.ZipInfo(path, _LONG_AGO), text)
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(text.encode())}\n"
