"""Read the metadata that the wheel of a source distribution would have, as far as it is known.

The result is a METADATA text like any other, so that all callers read one format. It has one of two headers of our
own: the file that states the requirements, or why they are known only after a build.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from torchlock.answers import Unknown
from torchlock.index.archives import ArchiveError
from torchlock.index.sdist.archive import read_files
from torchlock.index.sdist.statement import Stated, stated_requirements
from torchlock.standards.filenames import parse
from torchlock.standards.headers import read_headers, unfolded
from torchlock.standards.names import project_name

if TYPE_CHECKING:
    from torchlock.index.metadata import Builder
    from torchlock.index.sdist.archive import Files

_ORIGIN = "X-Torchlock-Requirements-From"
# How the origin begins if a build backend computed the requirements.
COMPUTED_HERE = "a build on this machine"
_REASON = "X-Torchlock-Requirements-Unknown"


class Reader:
    """Reads source distributions (implements ``index.metadata.Sdists``); ``builder`` asks build backends."""

    def __init__(self, builder: Builder | None = None) -> None:
        self.builder = builder

    @staticmethod
    def read(content: IO[bytes], filename: str) -> str:
        """The METADATA text; its Requires-Dist is dynamic if only a build gives it.

        Raises:
            ArchiveError: it is not an archive of a known kind, or is for another project or version.
        """
        files = read_files(content, filename)
        if not files:
            raise ArchiveError("has neither metadata nor project files")
        name, version = _identity(filename)
        found = stated_requirements(files)
        claimed = _claimed(files)
        if claimed[0] and project_name(claimed[0]) not in (name, "unknown"):
            raise ArchiveError(f"is an archive of {claimed[0]}, not of {name}")
        if claimed[1] and not _same(claimed[1], version):
            if isinstance(found, Stated) and found.origin == "PKG-INFO":
                raise ArchiveError(f"is an archive of {name} {claimed[1]}, not of {version}")
            found = Unknown(f"its PKG-INFO is for version {claimed[1]}")
        return _text(name, version, found)

    @staticmethod
    def reason(text: str) -> str:
        """Why the requirements are known only after a build; empty if they are known."""
        return _header(text, _REASON)

    @staticmethod
    def origin(text: str) -> str:
        """The file that states the requirements; empty for a text that is not from a source distribution."""
        return _header(text, _ORIGIN)


def metadata_of_tree(files: Files, name: str, version: str) -> str | Unknown:
    """The METADATA text of a source tree in a folder, or why it is known only after a build."""
    found = stated_requirements(files, archived=False)
    return found if isinstance(found, Unknown) else _text(name, version, found)


def built_text(text: str, backend: str) -> str:
    """A text from a build, marked as such."""
    return f"{_ORIGIN}: {backend}\n{text.lstrip(chr(0xFEFF))}"


def _header(text: str, name: str) -> str:
    return read_headers(text).first(name.lower())


def _identity(filename: str) -> tuple[str, str]:
    parsed = parse(filename)
    return (filename, "0") if parsed is None else (parsed[0], str(parsed[1]))


def _claimed(files: Files) -> tuple[str, str]:
    """Name and version in PKG-INFO, empty if it has none."""
    headers = read_headers(files.get("PKG-INFO", b"").decode("utf-8", "replace"))
    return headers.first("name"), headers.first("version")


def _same(one: str, other: str) -> bool:
    from packaging.version import Version

    try:
        return Version(one) == Version(other)
    except ValueError:
        return False


def _text(name: str, version: str, found: Stated | Unknown) -> str:
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if isinstance(found, Unknown):
        lines += ["Dynamic: Requires-Dist", f"{_REASON}: {unfolded(found.because)}"]
    else:
        lines += [f"Requires-Python: {unfolded(found.python)}"] if found.python else []
        lines += [f"Provides-Extra: {unfolded(extra)}" for extra in found.extras]
        lines += [f"Requires-Dist: {unfolded(item)}" for item in found.requirements]
        lines.append(f"{_ORIGIN}: {unfolded(found.origin)}")
    return "\n".join([*lines, "", ""])
