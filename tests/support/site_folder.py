"""Site folders staged for tests: distributions as installers leave them, with nothing in them that runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from torchlock.inspect.environment import Environment, of_tree


def digest(data: bytes) -> str:
    """The hash as RECORD has it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write(path: Path, content: bytes | str = b"") -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def site_of(root: Path, version: str = "3.11") -> Path:
    """An empty site folder of an installation."""
    site = root / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    return site


def install(
    site: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes | str] | None = None,
    *,
    headers: str = "",
    tag: str = "py3-none-any",
    installer: str = "pip",
    rows: str = "",
) -> Path:
    """Install a distribution as pip does; return its dist-info. ``rows`` are further lines of RECORD."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    recorded = files if files is not None else {f"{name}/__init__.py": "", f"{name}/version.py": ""}
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{headers}\nAbout it.\n"
    own: dict[str, bytes | str] = {
        f"{info.name}/METADATA": metadata,
        f"{info.name}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info.name}/INSTALLER": f"{installer}\n",
    }
    lines = []
    for path, content in {**recorded, **own}.items():
        data = content.encode() if isinstance(content, str) else content
        write(site / path, data)
        quoted = '"' + path.replace('"', '""') + '"' if any(char in path for char in ',"\r\n') else path
        lines.append(f"{quoted},{digest(data)},{len(data)}\n")
    write(info / "RECORD", "".join(lines) + rows + f"{info.name}/RECORD,,\n")
    return info


def elf(size: int = 4096, machine: int = 62) -> bytes:
    """A library of 64 bits whose one loaded segment ends with the file."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + machine.to_bytes(2, "little")
    header += (1).to_bytes(4, "little") + bytes(8) + (64).to_bytes(8, "little") + bytes(12)
    header += b"".join(number.to_bytes(2, "little") for number in (64, 56, 1, 0, 0, 0))
    segment = (1).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(24)
    segment += size.to_bytes(8, "little") * 2 + bytes(8)
    return (header + segment).ljust(size, b"\0")


def tree(path: Path) -> Environment:
    """The environment of a staged site folder."""
    return of_tree(str(path))
