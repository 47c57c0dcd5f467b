"""The wheel files of the PyTorch wheel index: which file is in which folder, with which hash, and who states it.

A hash belongs to a file in a folder, never to a name: unlabelled wheels have one name in several folders. The
folder shows the build; the label does not have to. ``compat_data/builds/files/<folder>/<package>.json`` has the
format of a release file, so a folder is read as a ``Catalogue``.
"""

from __future__ import annotations

from functools import cache

from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import kind_of
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torchlock.knowledge.releases import Catalogue

# How well a hash is known, best first: two or more repositories state it; one does; only a text that quotes it
# does; nobody does.
GRADES = ("locks", "lock", "excerpt", "name")
EXCERPT = "excerpt: "
# The folder of files on the root page.
_ROOT_PAGE = "root"


class FileEvidence(NamedTuple):
    """How a file is known.

    ``grade`` is one of ``GRADES``. ``sources`` are texts like ``owner/repository uv.lock 63faea87c3a9
    2025-11-10``. ``others`` are different hashes of the same file that were stated elsewhere, with their sources;
    ``why`` says why they are not used.
    """

    grade: str
    sources: tuple[str, ...]
    others: tuple[tuple[str, tuple[str, ...]], ...] = ()
    why: str = ""


def grade_of(sha256: str | None, sources: Sequence[str]) -> str:
    """The grade of a hash (None: unknown) that these sources state."""
    if sha256 is None:
        return "name"
    repositories = {text.split(" ")[0] for text in sources if not text.startswith(EXCERPT)}
    return ("excerpt", "lock")[len(repositories)] if len(repositories) < 2 else "locks"


def folders() -> tuple[str, ...]:
    """The folders of one build each with bundled files, sorted: ``cpu``, ``cu128``, ``rocm6.4``.

    Folders of repacked builds (``cpu-cxx11-abi``, ``cu117_pypi_cudnn``) are none of them.
    """
    return _folders(_root())


def build_catalogue(folder: str) -> Catalogue:
    """The releases in one of ``folders()``, under their versions with labels: ``2.8.0+cu128``.

    Raises:
        DataError: there is no such folder.
    """
    if folder not in folders():
        raise DataError("there is no table of this folder", path=str(_root() / "files" / folder))
    return _catalogue(_root(), folder)


def triton_catalogue() -> Catalogue:
    """The releases on the root page: the tritons that ROCm and XPU builds require, and old releases of torch."""
    return _catalogue(_root(), _ROOT_PAGE)


def evidence_of(folder: str, filename: str) -> FileEvidence | None:
    """How a file in a folder (``root``: the root page) is known; None if it is not in the table.

    Raises:
        DataError: a table is missing or damaged.
    """
    from torchlock.standards.filenames import parse

    named = parse(filename)
    if named is None or not (_root() / "files" / folder / f"{named[0]}.json").exists():
        return None
    rows = _catalogue(_root(), folder).rows(named[0], filename.split("-")[1])
    row = next((row for row in rows if row[0] == filename), None)
    if row is None:
        return None
    sources = _texts(row[5])
    return FileEvidence(grade_of(row[1], sources), sources, *_others(folder, filename))


def _others(folder: str, filename: str) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], str]:
    conflict = _conflicts(_root()).get((folder, filename))
    if conflict is None:
        return (), ""
    values = tuple((sha256, _texts(ids)) for sha256, ids in conflict["values"] if sha256 != conflict["used"])
    return values, conflict["why"]


def _texts(ids: Sequence[int]) -> tuple[str, ...]:
    texts = _sources(_root())
    return tuple(texts[str(number)] for number in ids)


def index_address() -> str:
    """The address of the PyTorch wheel index. With ``/`` and a folder after it, it is the page of a build."""
    address: str = tables.load_compiled("index.json")["address"]
    return address


def _root() -> Path:
    return tables.ROOT / "builds"


@cache
def _folders(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (root / "files").iterdir() if kind_of(path.name)))


@cache
def _catalogue(root: Path, folder: str) -> Catalogue:
    from torchlock.knowledge.releases import Catalogue

    return Catalogue(root / "files" / folder, date=root / "DATE")


@cache
def _sources(root: Path) -> dict[str, str]:
    sources: dict[str, str] = tables.load_json(root / "sources.json")
    return sources


@cache
def _conflicts(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    path = root / "conflicts.json"
    try:
        return {(row["folder"], row["file"]): row for row in tables.load_json(path)}
    except (KeyError, TypeError) as error:
        raise DataError(f"damaged ({error})", path=str(path)) from error
