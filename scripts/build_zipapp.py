#!/usr/bin/env python3
"""Build dist/torchlock.pyz: torchlock and what it needs in one file, for any Python that it supports.

    build_zipapp.py [-o FILE]

The libraries are those of the running environment, without compiled parts: each of them has a form in plain
Python. The first run unpacks the file into the cache folder of the user, because torchlock reads its tables from a
folder. The same sources give the same bytes (SOURCE_DATE_EPOCH, else 1980). Build it with Python 3.10: later ones
need no tomli, and without it the archive needs Python 3.11.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# pypi-simple is read as text, for one constant (knowledge/indexes.py): what it requires is never imported.
_READ_AS_TEXT = "pypi-simple"
_COMPILED = (".so", ".pyd", ".dylib", ".pyc")
_MAIN = '''\
"""Unpack torchlock into the cache folder of the user, once, and run it."""

import os
import shutil
import sys
import tempfile
import zipfile

DIGEST = "@DIGEST@"
FLOOR = (3, @MINOR@)


def cache():
    """The folder for unpacked releases."""
    named = os.environ.get("TORCHLOCK_CACHE_DIR")
    if named:
        return os.path.join(named, "zipapp")
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return os.path.join(base or os.path.join(os.path.expanduser("~"), ".cache"), "torchlock", "zipapp")


def unpacked(folder):
    """The folder of this release; None if it cannot be written."""
    whole = os.path.join(folder, DIGEST)
    if os.path.isdir(whole):
        return whole
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        beside = tempfile.mkdtemp(dir=folder)
    except OSError:
        return None
    try:
        with zipfile.ZipFile(os.path.dirname(os.path.abspath(__file__))) as archive:
            archive.extractall(beside)
        os.rename(beside, whole)
    except OSError:  # another run was faster, or the disk is full
        shutil.rmtree(beside, ignore_errors=True)
    return whole if os.path.isdir(whole) else None


def main():
    if sys.version_info < FLOOR:
        sys.exit("error: torchlock needs Python {}.{} or later".format(*FLOOR))
    folder = unpacked(cache())
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            run(unpacked(temporary))
    else:
        run(folder)


def run(folder):
    if folder is None:
        sys.exit("error: torchlock.pyz cannot be unpacked: name a folder with TORCHLOCK_CACHE_DIR")
    sys.path.insert(0, folder)
    from torchlock.cli import entry

    entry()


if __name__ == "__main__":
    main()
'''


def needed() -> list[Distribution]:
    """torchlock's requirements on this Python and all that they require, each once."""
    found: dict[str, Distribution] = {}
    waiting = list(distribution("torchlock").requires or ())
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[requirement.name] = distribution(requirement.name)
        if requirement.name != _READ_AS_TEXT:
            waiting += found[requirement.name].requires or ()
    return [found[name] for name in sorted(found)]


def members(wheel: Path) -> dict[str, bytes]:
    """Name → content of every file of the archive, but for its start."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".data/" not in name]
        found.update((name, archive.read(name)) for name in names)
    for each in needed():
        found.update(_files(each))
    return found


def _files(each: Distribution) -> Iterator[tuple[str, bytes]]:
    for path in each.files or ():
        name = PurePosixPath(path).as_posix()
        if name.startswith("..") or name.endswith(_COMPILED) or "__pycache__" in name:
            continue
        if name.partition("/")[0].endswith(".dist-info") and path.name in ("RECORD", "INSTALLER", "REQUESTED"):
            continue
        yield name, Path(str(path.locate())).read_bytes()


def write(output: Path, contents: dict[str, bytes]) -> None:
    """Write the archive: sorted, with one time and one mode for all members."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    minor = "10" if "tomli/__init__.py" in contents else "11"
    start = _MAIN.replace("@DIGEST@", digest.hexdigest()[:32]).replace("@MINOR@", minor)
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800))[:6]
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("wb") as stream:
        stream.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted({**contents, "__main__.py": start.encode()}.items()):
                member = zipfile.ZipInfo(name, moment)
                member.external_attr = 0o100644 << 16
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, content)
    output.chmod(0o755)


def main() -> int:
    """Build the wheel, and the archive from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "dist" / "torchlock.pyz")
    output: Path = parser.parse_args().output.absolute()
    with tempfile.TemporaryDirectory() as folder:
        code = f"import hatchling.build; hatchling.build.build_wheel({folder!r})"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        write(output, members(next(Path(folder).glob("*.whl"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
