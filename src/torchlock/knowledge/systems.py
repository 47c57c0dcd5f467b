"""Distribution releases: which libraries they ship, and the command that installs them."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.errors import InputError
from torchlock.knowledge import tables
from torchlock.records import NamedTuple
from torchlock.redaction import shortened
from torchlock.spelling import meant
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Library(NamedTuple):
    """A library as one system ships it: its version ("" if unknown), and the packages that contain it."""

    version: str
    packages: tuple[str, ...]
    note: str = ""


class System(NamedTuple):
    """One distribution release. ``libc`` is like ``glibc 2.36`` or empty; ``install`` contains {packages}.

    ``python`` is the minor version of its own Python, "" if it is unknown.
    """

    id: str
    title: str
    libc: str
    install: str
    libraries: Mapping[str, Library]
    platforms: tuple[str, ...] = ()
    python: str = ""

    def command(self, packages: Sequence[str]) -> str:
        """The command that installs these packages."""
        return self.install.replace("{packages}", " ".join(packages))


def names() -> tuple[str, ...]:
    """The identifiers of all systems, sorted."""
    return tuple(sorted(tables.load_json(tables.bundled("compiled/systems.json"))["systems"]))


def load(identifier: str, path: Path | None = None) -> System:
    """The system with this identifier (``debian-12``).

    Raises:
        InputError: no system has it.
    """
    systems = tables.load_json(path or tables.bundled("compiled/systems.json"))["systems"]
    row = systems.get(identifier)
    if row is None:
        question = meant(identifier, sorted(systems))
        hint = None if question else f"use host, none, {', '.join(sorted(systems))}"
        raise InputError(f"--system: unknown system {shortened(identifier)!r}{question}", hint=hint)
    libraries = {
        name: Library(item.get("version", ""), tuple(item.get("packages", ())), item.get("note", ""))
        for name, item in row.get("library", {}).items()
    }
    platforms = tuple(row.get("platforms", ()))
    texts = (row["title"], row.get("libc", ""), row.get("install", ""))
    return System(identifier, *texts, libraries, platforms, row.get("python", ""))


def of_host() -> str | Unknown:
    """The identifier of this machine's system, from os-release."""
    import re
    import sys
    from pathlib import Path

    if sys.platform == "darwin":
        return "macos-homebrew"
    if sys.platform == "win32":
        return "windows"
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Unknown(f"/etc/os-release cannot be read ({getattr(error, 'strerror', '') or error})")
    return identified(dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M)))


def identified(release: Mapping[str, str]) -> str | Unknown:
    """The distribution release that an os-release file names, or the one that it is based on."""
    import re

    version = release.get("VERSION_ID", "")
    likely = [release, {"ID": "debian", "VERSION_CODENAME": release.get("DEBIAN_CODENAME", "")}]
    if found := re.fullmatch(r"platform:el(\d+)", release.get("PLATFORM_ID", "")):
        likely.append({"ID": "rhel", "VERSION_ID": found[1]})
    likely += [{"ID": name, "VERSION_ID": version} for name in release.get("ID_LIKE", "").split()[:10]]
    known = next(filter(None, map(_named, likely)), None)
    if known is not None:
        return known
    said = f"{release.get('ID', '')} {version}".strip()
    return Unknown(f"the table of systems has no {said}" if said else "no os-release file names the system")


def _named(release: Mapping[str, str]) -> str | None:
    name, version = release.get("ID", ""), release.get("VERSION_ID", "")
    known = tables.load_json(tables.bundled("compiled/systems.json"))["systems"]
    candidates = [f"{name}-{version}", f"{name}-{version.partition('.')[0]}", name]
    candidates.append(f"{name}-{version.rpartition('.')[0]}")
    if base := release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME"):
        candidates += [
            key for key, row in known.items() if base in row.get("title", "").lower() and name not in known
        ]
    return next((candidate for candidate in candidates if candidate in known), None)
