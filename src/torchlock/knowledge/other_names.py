"""What projects outside the stack define, by release: from wheels, and by hand (``compat_data/modules.toml``).

Of each project only what some releases have and others lack is known (``compat_data/names/others/``), and what the
main module of all has.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.version import Version

from torchlock.knowledge import tables
from torchlock.knowledge.names import release_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_SOURCES = ("other-names-in-wheels",)
_FOLDER = tables.ROOT / "names" / "others"
# A function with a name like this is in many programs.
_COMMON = re.compile(r"[a-z]{1,9}|__init__")

# A shorter name is a part of many.
_SHORT = 2


class Lack(NamedTuple):
    """What some releases of a project lack: the first release with it, if earlier ones lack it, and without it.

    ``instead`` completes "use …". With neither release, all known ones have it. ``part`` is the module that is
    gone, of which the name was a part; "" if the name itself is known. ``gap``: the first release between others
    that lacks it, and the first one with it again.
    """

    project: str
    name: str
    added: str = ""
    removed: str = ""
    instead: str = ""
    sources: tuple[str, ...] = _SOURCES
    part: str = ""
    gap: tuple[str, ...] = ()

    @property
    def specifier(self) -> str:
        """The releases that have it, as a specifier; with a gap, those before it."""
        end = self.gap[0] if self.gap else self.removed
        return ",".join(filter(None, (self.added and f">={self.added}", end and f"<{end}")))

    def is_there(self, version: Version) -> bool:
        """Whether a release has it."""
        is_late = not self.added or version >= Version(self.added)
        is_in_gap = bool(self.gap) and Version(self.gap[0]) <= version < Version(self.gap[1])
        return is_late and not is_in_gap and not (self.removed and version >= Version(self.removed))


class Mistaken(NamedTuple):
    """A project that people install instead of another one with the same module: ``text`` says what it is."""

    wanted: str
    wrong: str
    text: str
    sources: tuple[str, ...]


class Built(NamedTuple):
    """A module that needs more than the name of its project: what it is, what to do, and the command."""

    text: str
    fix: str
    command: str
    sources: tuple[str, ...]


class Host(NamedTuple):
    """A program that loads plugins from one folder, with its modules and classes."""

    program: str
    modules: tuple[str, ...]
    classes: tuple[str, ...]
    folder: str
    update: str
    sources: tuple[str, ...]


def hosts() -> list[Host]:
    """The programs whose plugins use their modules.

    Raises:
        DataError: the bundled table is damaged.
    """
    return [
        Host(program, tuple(modules), tuple(classes), folder, update, tuple(sources))
        for program, modules, classes, folder, update, sources in _rows()["hosts"]
    ]


def project_of(module: str) -> str:
    """The project that has a module; "" if it is unknown. The longest part of the name decides.

    Raises:
        DataError: the bundled table is damaged.
    """
    rows: dict[str, str] = _rows()["projects"]
    parts = module.split(".")
    return next((rows[part] for end in range(len(parts), 0, -1) if (part := ".".join(parts[:end])) in rows), "")


def known_projects() -> frozenset[str]:
    """The projects of which a module is known.

    Raises:
        DataError: the bundled table is damaged.
    """
    return frozenset(_rows()["projects"].values())


def lack_of(dotted: str) -> Lack | None:
    """What is known of a name of a module, or of a module; None if nothing is.

    Raises:
        DataError: a bundled table is damaged.
    """
    project = project_of(dotted)
    parts = dotted.split(".")
    rows: dict[str, Any] = _rows()["changed"]
    name = next((part for end in range(len(parts), 1, -1) if (part := ".".join(parts[:end])) in rows), "")
    if name:
        return _by_hand(dotted, rows[name])
    table = _table(project)
    if not table:
        return None
    name = next(
        (part for end in range(len(parts), 1, -1) if (part := ".".join(parts[:end])) in table["names"]), ""
    )
    if name:
        parent = name.rpartition(".")[0]
        hidden = _indexes(table["hidden"].get(parent, ()))
        having = _indexes(table["names"][name])
        found = _lack(project, dotted, table, having, set(range(len(table["releases"]))) - having - hidden)
        return found and found._replace(part="" if name == dotted else name)
    return Lack(project, dotted) if dotted in table["always"] else _gone_above(project, table, parts)


def _gone_above(project: str, table: dict[str, Any], parts: Sequence[str]) -> Lack | None:
    """A name of a module that the table does not have, if a module above it had the name and lost it for good.

    The tables do not reach the deepest modules: their names are known by the modules that take them from there.
    """
    last = len(table["releases"]) - 1
    for end in range(len(parts) - 2, 1, -1):
        having = _indexes(table["names"].get(".".join((*parts[:end], parts[-1])), ()))
        if having and last not in having:
            lacking = set(range(max(having) + 1, last + 1))
            return _lack(project, ".".join(parts), table, having, lacking)
    return None


def lacks_by_hand() -> list[Lack]:
    """The names that are known by hand, which not every release of their project has.

    Raises:
        DataError: the bundled table is damaged.
    """
    return [_by_hand(name, row) for name, row in _rows()["changed"].items()]


def _by_hand(name: str, row: Sequence[Any]) -> Lack:
    project, since, until, instead, gap, sources = row
    return Lack(project, name, since, until, instead, tuple(sources), gap=tuple(gap))


def never_in(dotted: str) -> tuple[str, str, str]:
    """The project of a module, its first and its last known release, if none of all has this name; else "".

    Raises:
        DataError: a bundled table is damaged.
    """
    project = project_of(dotted)
    module, _, name = dotted.partition(".")
    table = _table(project)
    if not table or "." in name or name.startswith("_") or project in dict(_hand()):
        return "", "", ""
    is_known = any(dotted in table[part] for part in ("names", "always", "modules"))
    if is_known or module in table["hidden"]:
        return "", "", ""
    return project, release_of(table["releases"][0]), release_of(table["releases"][-1])


def span_of(project: str) -> tuple[str, str]:
    """The first and the last release of a project that its table knows; "" without a table.

    Raises:
        DataError: a bundled table is damaged.
    """
    releases = _table(project).get("releases", ())
    return (release_of(releases[0]), release_of(releases[-1])) if releases else ("", "")


def _hand() -> list[tuple[str, str]]:
    """The projects of which only single names are known, with these."""
    return [(row[0], name) for name, row in _rows()["changed"].items() if not _table(row[0])]


def lacks_of_member(owner: str, member: str) -> list[Lack]:
    """What is known of a member of a class, by the name of the class: one row for each project that has it.

    Raises:
        DataError: a bundled table is damaged.
    """
    by_hand = [
        lack
        for name in _rows()["changed"]
        if name.endswith(f".{owner}.{member}") and (lack := lack_of(name)) is not None
    ]
    return [*_parts("members", owner, member, f"{owner}.{member}"), *by_hand]


def lacks_of_argument(function: str, argument: str, code: str = "") -> list[Lack]:
    """What is known of an argument of a function, by its name as Python prints it: ``Trainer.__init__``, ``load``.

    ``code`` is the line that called it; a function with a common name counts only if the line names its project.

    Raises:
        DataError: a bundled table is damaged.
    """
    is_common = bool(_COMMON.fullmatch(function))
    names = [function]
    if function == "__init__":
        names = [f"{match[1]}.__init__" for match in re.finditer(r"\b([A-Z]\w{1,60})\(", code)]
    found = [each for name in names for each in _parts("arguments", name, argument, f"{name}({argument})")]
    if not found and function == "__init__" and not code:
        found = _of_any_class(argument)
    found = [each._replace(instead=_renamed(each.project, function, argument)) for each in found]
    return [each for each in found if not is_common or function == "__init__" or _is_named(each.project, code)]


def module_of_class(name: str) -> str:
    """The main module of the one project whose main module has a class; "" if none or several have.

    Raises:
        DataError: a bundled table is damaged.
    """
    mains = [(module, _table(project)) for module, project in _rows()["projects"].items() if _table(project)]
    found = [
        module for module, table in mains if any(f"{module}.{name}" in table[part] for part in ("always", "names"))
    ]
    return found[0] if len(found) == 1 else ""


def mistaken(dotted: str) -> Mistaken | None:
    """The project that a name shows to be another one than the code was written for; None for none.

    Raises:
        DataError: the bundled table is damaged.
    """
    module, _, name = dotted.rpartition(".")
    for of, names, wanted, wrong, text, sources in _rows()["mistaken"]:
        if of == module and re.fullmatch(names, name):
            return Mistaken(wanted, wrong, text, tuple(sources))
    return None


def sharing(module: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The projects that each have a module, of which only one may be installed, and the sources; empty if none.

    Raises:
        DataError: the bundled table is damaged.
    """
    projects, sources = _rows()["shared"].get(module, ((), ()))
    return tuple(projects), tuple(sources)


def built(module: str) -> Built | None:
    """What is known of a module that is compiled beside the code; None if nothing is.

    Raises:
        DataError: the bundled table is damaged.
    """
    row = _rows()["built"].get(module)
    return None if row is None else Built(row[0], row[1], row[2], tuple(row[3]))


def _of_any_class(argument: str) -> list[Lack]:
    """The one class of all projects whose creation lost an argument of this name."""
    found = [
        each
        for project in _projects()
        for name, row in _table(project)["arguments"].items()
        if name.endswith(".__init__") and argument in row
        for each in _parts("arguments", name, argument, f"{name}({argument})")
    ]
    return found if len({(each.project, each.removed) for each in found}) == 1 else []


def _renamed(project: str, function: str, argument: str) -> str:
    """What to write instead of an argument: one of the other releases, whose name has it, or is a part of it."""
    row = _table(project)["arguments"].get(function, {})
    having, lacking = row.get(argument, ((), ()))
    names = [name for name, spans in row.items() if tuple(spans) == (lacking, having) and len(name) > _SHORT]
    alike = [each for each in names if each in argument or argument in each]
    return f"write {alike[0]} instead of {argument}" if len(alike) == 1 and len(argument) > _SHORT else ""


def _is_named(project: str, code: str) -> bool:
    modules = [module for module, of in _rows()["projects"].items() if of == project]
    return any(re.search(rf"\b{re.escape(module)}\.", code) for module in modules)


def _parts(kind: str, name: str, part: str, dotted: str) -> list[Lack]:
    found = []
    for project in _projects():
        table = _table(project)
        row = table[kind].get(name, {}).get(part)
        if row is not None:
            found.append(_lack(project, dotted, table, _indexes(row[0]), _indexes(row[1])))
    return [each for each in found if each is not None]


def _lack(project: str, name: str, table: dict[str, Any], having: set[int], lacking: set[int]) -> Lack | None:
    """The first release with something, if earlier ones lack it, and the first one after the last with it."""
    releases = [release_of(each) for each in table["releases"]]
    before = [index for index in lacking if having and index < min(having)]
    after = [index for index in lacking if having and index > max(having)]
    if not before and not after:
        return None
    added = releases[min(having)] if before else ""
    return Lack(project, name, added, releases[min(after)] if after else "")


def _indexes(spans: Any) -> set[int]:
    return {index for first, last in spans for index in range(first, last + 1)}


def _rows() -> dict[str, Any]:
    return tables.load_compiled("modules.json")


@cache
def _projects() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


@cache
def _table(project: str) -> dict[str, Any]:
    path = _FOLDER / f"{project}.json"
    table: dict[str, Any] = tables.load_json(path) if project and path.is_file() else {}
    return table
