"""Packages of a staged site: their versions, and changes that installers and builders make to them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from support.skeletons import Site


def record_of(site: Site, name: str) -> Path | None:
    """The dist-info folder of an installed package; None if it is not there."""
    form = re.compile(rf"(?i){re.escape(name.replace('-', '_'))}-[^-]+\.dist-info")
    return next((path for path in sorted(site.path.glob("*.dist-info")) if form.fullmatch(path.name)), None)


def version(site: Site, name: str) -> str:
    """The recorded version of an installed package; "" if it is not there."""
    info = record_of(site, name)
    return "" if info is None else info.name.removesuffix(".dist-info").rpartition("-")[2]


def uninstall(site: Site, name: str) -> bool:
    """Remove a package by its record, as installers do; False if it is not there."""
    info = record_of(site, name)
    if info is None:
        return False
    for line in (info / "RECORD").read_text().splitlines():
        place = site.path / line.rsplit(",", 2)[0].strip('"')
        place.unlink(missing_ok=True)
        for folder in place.parents:
            if folder == site.path or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
    shutil.rmtree(info, ignore_errors=True)
    return True


def is_whole(site: Site, name: str) -> bool:
    """Whether every recorded file is there, with its recorded size."""
    info = record_of(site, name)
    if info is None:
        return False
    rows = [line.rsplit(",", 2) for line in (info / "RECORD").read_text().splitlines()]
    places = [(site.path / row[0].strip('"'), row[2]) for row in rows]
    return all(place.exists() and size in ("", str(place.stat().st_size)) for place, size in places)


def relabel(site: Site, name: str, version: str) -> None:
    """Give an installed wheel another version, its own version.py included."""
    info = record_of(site, name)
    assert info is not None, name
    metadata = info / "METADATA"
    metadata.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", metadata.read_text(), count=1))
    new = info.with_name(f"{name.replace('-', '_')}-{version}.dist-info")
    record = (info / "RECORD").read_text().replace(info.name, new.name)
    (info / "RECORD").write_text(re.sub(r"(?m)^([^,\n]*(?:METADATA|version\.py)),[^\n]*$", r"\1,,", record))
    own = site.path / name / "version.py"
    if own.exists():
        own.write_text(re.sub(r"__version__ ?(:.*)?= ?.*", f"__version__ = '{version}'", own.read_text()))
    info.rename(new)


def any_torch(site: Site, name: str) -> None:
    """Take the pin on torch out of an installed wheel's metadata, as builds from source have it."""
    info = record_of(site, name)
    assert info is not None, name
    text = (info / "METADATA").read_text()
    (info / "METADATA").write_text(re.sub(r"Requires-Dist: torch\b[^\n]*", "Requires-Dist: torch", text))
    unrecord(site, rf"{re.escape(info.name)}/METADATA")


def unrecord(site: Site, pattern: str) -> None:
    """Drop size and hash of some files from the records."""
    for record in site.path.glob("*.dist-info/RECORD"):
        record.write_text(re.sub(rf"(?m)^({pattern}),[^,\n]*,[^,\n]*$", r"\1,,", record.read_text()))
