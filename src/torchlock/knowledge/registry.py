"""The registry of rules: what each rule is about, how it ranks among causes, and the functions that find it.

The facts come from ``compat_data/rules`` (compiled). A function is registered where it is written::

    @rule("TL606", "TL604")
    def shadows(context: CheckContext) -> Iterator[Finding]: ...

``functions`` imports the modules of one package of rules and orders what they register: causes first. So a job
loads its own rules only, and no list has to name them. A module ``…_in_log`` is imported only if there is a log.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module

from torchlock.knowledge import tables
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    _Function = TypeVar("_Function", bound="Callable[..., Any]")


class Rule(NamedTuple):
    """The facts about a rule that its findings do not carry.

    ``severity`` is the worst severity of its findings. A rule with a low ``rank`` is closer to the root cause.
    ``explains`` are the rules whose findings are consequences of this one if both are about the same package.
    ``by`` names the commands that report it. ``whole_file``: a comment on a line cannot ignore it.
    ``hidden_by_error``: its warning adds nothing to an error on the same lines.
    """

    id: str
    severity: str
    rank: int
    by: tuple[str, ...]
    group: str
    explains: frozenset[str]
    whole_file: bool
    hidden_by_error: bool


class Meaning(NamedTuple):
    """What a line of a log means by itself, if its environment is not there.

    ``line`` is a pattern of the line, ``near`` one of the lines around it; ``system`` is the only operating system
    that it is about, "" for all; ``demands`` is a pattern that the log has somewhere. ``absent`` is the package
    that the line shows to be missing, or ``*`` if the line proves all that the meaning says: it holds in one
    without that package, too. ``says``, ``because``, ``fix`` and ``command`` are texts with ``{names}`` of the
    facts; a part in brackets is left out if a fact in it is not known, and so is a whole command.
    """

    rule: str
    line: str
    near: str
    system: str
    absent: str
    says: str
    because: str
    fix: str
    command: str
    demands: str = ""


class Registered(NamedTuple):
    """A function that finds violations of ``rules``; ``on`` says when it runs, "" for always."""

    rules: tuple[str, ...]
    function: Callable[..., Any]
    on: str

    @property
    def name(self) -> str:
        """The module and the function, like ``records.duplicate_records``."""
        return f"{self.function.__module__.rpartition('.')[2]}.{self.function.__name__}"


_registered: list[Registered] = []


def rule(*identifiers: str, on: str = "") -> Callable[[_Function], _Function]:
    """Register a function for all rules that it can report; the main rule comes first.

    ``on`` is "" for a function that always runs. In the audit, ``document`` runs it once for a file, not once for
    each set of requirements. In the check, ``log`` runs it only if there is a log, ``unexplained`` only if no
    finding explains the log.
    """

    def register(function: _Function) -> _Function:
        _registered.append(Registered(identifiers, function, on))
        return function

    return register


def functions(package: str, on: str = "") -> list[Registered]:
    """The functions of a package of rules, causes first; of two with one rank the more specific one first.

    Raises:
        DataError: the bundled registry is damaged.
    """
    _load(package, logs=on in ("log", "unexplained"))
    return list(_sorted(package, on, len(_registered), _registered[-1]))


@cache
def _sorted(package: str, on: str, count: int, _last: Registered) -> tuple[Registered, ...]:
    """The functions of a package, of so many registered ones, of which this is the last."""
    those = (each for each in _registered[:count] if each.on == on)
    mine = [each for each in those if each.function.__module__.startswith(f"{package}.")]
    return tuple(sorted(mine, key=lambda each: (get(each.rules[0]).rank, len(each.rules))))


@cache
def _load(package: str, *, logs: bool) -> None:
    """Import the modules of a package; they register their rules. pkgutil does the same in a longer time."""
    (folder,) = import_module(package).__path__
    names = {name.partition(".")[0] for name in os.listdir(folder) if name.endswith((".py", ".pyc"))}
    for name in sorted(names - {"__init__"}):
        if name.endswith("_in_log") and not logs:
            continue
        import_module(f"{package}.{name}")


@cache
def get(identifier: str) -> Rule:
    """The facts about a rule.

    Raises:
        KeyError: no rule has this identifier.
    """
    row = _table()["rules"][identifier]
    return Rule(
        identifier,
        row["severity"],
        row["rank"],
        tuple(row["by"]),
        row.get("group", ""),
        frozenset(row.get("explains", ())),
        row.get("whole_file", False),
        row.get("hidden_by_error", False),
    )


def is_known(identifier: str) -> bool:
    """Whether there is a rule with this identifier."""
    return identifier in _table()["rules"]


@cache
def group(*names: str) -> frozenset[str]:
    """The rules of some groups, such as ``versions``, ``builds``, ``loading`` or ``damage``."""
    return frozenset(identifier for identifier, row in _table()["rules"].items() if row.get("group") in names)


@cache
def fixed_by(remedy: str) -> frozenset[str]:
    """The rules with one kind of remedy: ``reinstall``, ``versions``, ``dependent`` or ``partner``."""
    return frozenset(identifier for identifier, row in _table()["rules"].items() if row.get("remedy") == remedy)


@cache
def changed_by(*changes: str) -> frozenset[str]:
    """The rules of which audit changes another thing than releases of the stack (``change`` in their tables)."""
    return frozenset(identifier for identifier, row in _table()["rules"].items() if row.get("change") in changes)


@cache
def shown_by(step: str) -> frozenset[str]:
    """The rules whose failure a step of the smoke test shows: ``import``, or loading and saving ``files``."""
    return frozenset(identifier for identifier, row in _table()["rules"].items() if step in row.get("steps", ()))


@cache
def hidden_by_error() -> frozenset[str]:
    """The rules whose warnings add nothing to an error on the same lines."""
    return frozenset(each for each in _table()["rules"] if get(each).hidden_by_error)


def prints() -> list[tuple[str, str, str, list[str]]]:
    """What failures print, in the order in which a line is compared.

    Each is two patterns that a line matches (the second may be ""), a weight, and the causes, likeliest first.
    """
    return [tuple(row) for row in _table()["prints"]]


@cache
def meanings() -> tuple[Meaning, ...]:
    """What lines of a log mean by themselves; of those about one line the first that fits counts."""
    return tuple(Meaning(*row) for row in _table()["meanings"])


@cache
def _table() -> dict[str, Any]:
    return tables.load_compiled("registry.json")
