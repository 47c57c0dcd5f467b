"""Which releases of the stack have a name: read from wheels (``compat_data/names/``), of torch, documents too.

A release is named by its first two numbers: ``2.8``. Names rarely change within one.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from packaging.version import Version

from torchlock.knowledge import tables, torch_names
from torchlock.spelling import similar

# The packages whose names were read from wheels.
MEASURED = ("torchaudio", "torchvision", "torchcodec", "torchtext", "soundfile")
_SOURCES = ("names-in-wheels",)
# How much two names must be alike, as difflib counts it, for one to be a slip for the other.
_LIKE = 0.75


class History(NamedTuple):
    """The releases with and without a name (``2.8``), in their order; of the others this is unknown."""

    package: str
    having: tuple[str, ...]
    lacking: tuple[str, ...]
    sources: tuple[str, ...]

    def has(self, version: str) -> bool | None:
        """Whether a release has it; None if this is unknown."""
        release = release_of(version)
        if release in self.having or release in self.lacking:
            return release in self.having
        return None

    @property
    def last(self) -> str:
        """The last release with it."""
        return self.having[-1] if self.having else ""

    def removed_in(self, version: str) -> str:
        """The first release without it, between the last one with it and ``version``; "" if it is newer."""
        here = Version(release_of(version))
        before = [each for each in self.having if Version(each) < here]
        if not before:
            return ""
        return next((each for each in self.lacking if Version(before[-1]) < Version(each) <= here), "")

    def added_in(self, version: str) -> str:
        """The first release after ``version`` that has it; "" if there is none."""
        here = Version(release_of(version))
        return next((each for each in self.having if Version(each) > here), "")


def release_of(version: str) -> str:
    """``2.8`` for ``2.8.0+cu128``."""
    parsed = Version(version).release
    return f"{parsed[0]}.{parsed[1] if len(parsed) > 1 else 0}"


def history(dotted: str) -> History | None:
    """What is known of a name; None if nothing is.

    Raises:
        DataError: a bundled table is damaged.
    """
    package = dotted.partition(".")[0]
    if package == "torch":
        spans = torch_names.spans_of(dotted)
        return None if spans is None else History(package, *spans)
    return _measured(package, dotted) if package in MEASURED else None


def is_module(dotted: str) -> bool:
    """Whether a name is a module of some release that may have to be imported before it is used.

    Raises:
        DataError: a bundled table is damaged.
    """
    package = dotted.partition(".")[0]
    if package == "torch":
        return torch_names.is_unloaded(dotted)
    return package in MEASURED and dotted in _table(package)["modules"]


def is_loaded(dotted: str) -> bool:
    """Whether it is a module that the import of its package itself imports, in all releases that have it.

    Raises:
        DataError: the bundled table is damaged.
    """
    return dotted in tables.load_compiled("names.json")["loaded"]


def instead_of(dotted: str) -> str:
    """What to write instead of a name, in words; "" if that is unknown. The longest part of the name decides.

    Raises:
        DataError: the bundled table is damaged.
    """
    rows: dict[str, str] = tables.load_compiled("names.json")["instead"]
    parts = dotted.split(".")
    return next((rows[part] for end in range(len(parts), 1, -1) if (part := ".".join(parts[:end])) in rows), "")


def refused_calls() -> list[tuple[str, str, str]]:
    """Calls that later releases refuse: a part of the error, the name of the old behaviour, what the code does.

    Raises:
        DataError: the bundled table is damaged.
    """
    return [tuple(row) for row in tables.load_compiled("names.json")["refused"]]


class Changed(NamedTuple):
    """A call of which a release changed the arguments or the result.

    ``error`` and ``line`` are patterns of what Python prints and of the line of code; the call fails ``since`` a
    release of ``package``, or before one (``until``). ``text`` says what the code does, ``instead`` what to write.
    """

    error: str
    line: str
    package: str
    since: str
    until: str
    text: str
    instead: str
    sources: tuple[str, ...]


def changed_calls() -> list[Changed]:
    """The calls that changed, in the order in which an error is compared with them.

    Raises:
        DataError: the bundled table is damaged.
    """
    rows = tables.load_compiled("names.json")["changed"]
    return [Changed._make([*texts, tuple(sources)]) for *texts, sources in rows]


def numpy_with(name: str, version: Version) -> str:
    """The releases of NumPy with a name that ``version`` lacks: ``<1.24``, ``>=1.15``; "" for none.

    Raises:
        DataError: the bundled table is damaged.
    """
    until, since = tables.load_compiled("names.json")["numpy"].get(name, ("", ""))
    if since and version >= Version(since):
        return ""
    if until:
        return f"<{until}" if version >= Version(until) else ""
    return f">={since}" if since else ""


def numpy_without(name: str) -> str:
    """The first NumPy without a name that earlier ones have: ``1.24``; "" if there is none, or it is unknown.

    Raises:
        DataError: the bundled table is damaged.
    """
    return str(tables.load_compiled("names.json")["numpy"].get(name, ("", ""))[0])


def numpy_since(name: str) -> str:
    """The NumPy that brought a name which no earlier one has: ``1.15``; "" if all had it, or it is unknown.

    Raises:
        DataError: the bundled table is damaged.
    """
    until, since = tables.load_compiled("names.json")["numpy"].get(name, ("", ""))
    return "" if until else str(since)


def numpy_of_interface(version: int) -> str:
    """The first NumPy with a version of the C interface (16 → ``1.23``); "" if it is unknown.

    Raises:
        DataError: the bundled table is damaged.
    """
    return str(tables.load_compiled("names.json")["numpy_api"].get(str(version), ""))


def near(dotted: str, version: str) -> str:
    """The name of the same module in a release that is spelled most like one that no release has; "" if none is.

    Raises:
        DataError: a bundled table is damaged.
    """
    module, _, name = dotted.rpartition(".")
    package = dotted.partition(".")[0]
    row = _table(package)["modules"].get(module) if package in MEASURED else None
    known = [each for each in row["names"] if not each.startswith("_")] if row is not None else []
    for each in similar(name, known, 3, _LIKE):
        found = history(f"{module}.{each}")
        if found is not None and found.has(version):
            return f"{module}.{each}"
    return ""


def _measured(package: str, dotted: str) -> History | None:
    table = _table(package)
    releases = [release_of(each) for each in table["releases"]]
    there, hidden = set(range(len(releases))), set()
    module = package
    for part in dotted.split(".")[1:]:
        row = table["modules"].get(module)
        if row is None:
            return None  # A part of a class or a function.
        hidden |= _indexes(row.get("hidden", ()))
        spans = row["names"].get(part, ())
        there &= _indexes(row["spans"] if spans == 0 else spans)
        module = f"{module}.{part}"
    unsure = hidden - there
    having = tuple(release for index, release in enumerate(releases) if index in there)
    lacking = tuple(release for index, release in enumerate(releases) if index not in there | unsure)
    return History(package, having, lacking, _SOURCES)


def _indexes(spans: Any) -> set[int]:
    return {index for first, last in spans for index in range(first, last + 1)}


@cache
def _table(package: str) -> dict[str, Any]:
    table: dict[str, Any] = tables.load_json(tables.ROOT / "names" / f"{package}.json")
    return table
