"""The rules: facts that wheel metadata omits. *When X is installed, Y must hold, because Z; the source is S.*"""

from __future__ import annotations

from functools import cached_property

from torchlock.answers import Unknown
from torchlock.errors import DataError
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import parse_label
from torchlock.records import NamedTuple
from torchlock.standards.dependency import Dependency
from torchlock.standards.ordering import admits, key_of
from torchlock.standards.ordering import specifier_set as specifier_set
from torchlock.standards.versions import without_trailing_zeros
from torchlock.typed import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from packaging.version import Version

    from torchlock.finding import DataUpdate, Evidence
    from torchlock.target import Target

# Virtual packages, in addition to the real ones. Each has one version, which the target sets.
BUILD_CUDA = "build-cuda"
HOST_PREFIX = "host-"
# The global interpreter lock of the target's Python.
GIL = "host-gil"
# The prefix of the virtual package for "not both of these". A project name cannot have it.
EXCLUSION = "!"


def is_virtual(name: str) -> bool:
    """Whether this name is a virtual package: a part of the machine, the build of torch, or an exclusion."""
    return name.startswith((HOST_PREFIX, EXCLUSION)) or name == BUILD_CUDA


def cuda_version(build: str | Unknown | None) -> str | Unknown:
    """``cu130`` → 13.0; 0 for a build without CUDA (``cpu``, ``rocm…``, ``xpu``)."""
    if isinstance(build, Unknown):
        return build
    if not build:
        return Unknown("its build is unknown")
    label = parse_label(build)
    if label is None:
        return Unknown(f"+{build} is not a known build label")
    return label.dotted if label.kind == "cuda" else "0"


def substitute_cuda(dependency: Dependency, build: str | Unknown | None) -> Dependency:
    """Replace ``{cuda}`` and ``{cuda_major}`` in a requirement by the CUDA version of a build.

    If that version is unknown, the braces stay, and no release satisfies them.
    """
    if "{" not in dependency.specifier:
        return dependency
    cuda = cuda_version(build)
    if isinstance(cuda, Unknown):
        return dependency
    text = dependency.specifier.replace("{cuda}", cuda).replace("{cuda_major}", cuda.partition(".")[0])
    return dependency._replace(specifier=text)


class Pinned(Protocol):
    """A package at one version, as it is or would be installed. Statements are about such packages.

    ``text`` is the version in normal form, ``tags`` the tag part of the chosen wheel's name. ``build`` is ``cpu``,
    ``cu130``, …, unknown, or None if the build does not matter.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> Version: ...
    @property
    def text(self) -> str: ...
    @property
    def unversioned(self) -> bool: ...
    @property
    def tags(self) -> str: ...
    @property
    def build(self) -> str | Unknown | None: ...


class Statement(NamedTuple):
    """One fact of a rule, with its own evidence or that of the rule. The fields are those of the table.

    ``refused`` is an invalid requirement in the metadata, because of which pip refuses the release. ``instead`` is
    the name of the project that people mean when they write this name. ``never``: the release does not load,
    or not ``without`` a library that nothing installs with it and that a machine may have. ``effect`` is
    ``import`` if a violation makes the import of the package fail, ``use`` if only some calls fail. ``refuse``: a
    lock never violates it.
    """

    rule: str
    when: Dependency
    because: str
    kind: str
    sources: tuple[str, ...]
    checked: str
    needs: tuple[Dependency, ...] = ()
    forbids: tuple[Dependency, ...] = ()
    wants: tuple[Dependency, ...] = ()
    bundles: tuple[str, ...] = ()
    never: bool = False
    without: str = ""
    optional: bool = False
    wheel: str = ""
    build: str = ""
    refused: str = ""
    instead: str = ""
    effect: str = "import"
    refuse: bool = True
    unless: tuple[str, ...] = ()

    @property
    def does_not_load(self) -> str:
        """What ``never`` says of the release: ``does not load``, or ``does not load without libx.so.1``."""
        if not self.without:
            return "does not load"
        from torchlock.knowledge.cuda_libraries import with_cuda

        return f"does not load without {with_cuda(self.without)}"


def _fits(tags: str, stated: str) -> bool:
    """Whether the tags of a wheel fit a text in which ``*`` stands for anything.

    ``fnmatch`` compiles an expression for each text: in a lock, that takes more than the texts of all rules.
    """
    first, *parts = stated.split("*")
    if not parts:
        return tags == stated
    at, last = len(first), parts.pop()
    if not tags.startswith(first):
        return False
    for part in parts:
        at = tags.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return tags.endswith(last) and len(tags) - len(last) >= at


def _specifier(row: dict[str, Any]) -> str:
    """The releases that the row of a statement is about."""
    when: list[str] = row["when"]
    return when[1] if len(when) > 1 else ""


def is_about_build(stated: str, build: str | Unknown | None) -> bool:
    """Whether a statement about ``cuda`` or ``cpu`` builds, or about one (``cu130``), is about this build."""
    if build is None or isinstance(build, Unknown):
        return False
    return build[:2] == stated[:2] if stated in ("cuda", "cpu") else build == stated


class Matrix:
    """All statements, by the package that they are about. A package's statements are parsed at the first look-up.

    Raises:
        DataError: the table is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = str(path or tables.place("compiled/rules.json"))
        table = tables.load_json(path) if path else tables.load_compiled("rules.json")
        try:
            self.date: str = table["date"]
            self._updated: dict[str, str] | None = table.get("updated")
            self._rules: dict[str, dict[str, Any]] = table["rules"]
            self._sources: dict[str, dict[str, str]] = table["sources"]
            self._rows: dict[str, list[dict[str, Any]]] = table["statements"]
        except (KeyError, TypeError) as error:
            raise DataError(f"damaged ({error})", path=self._path) from error
        self._statements: dict[str, list[Statement | None]] = {}
        self._whole: dict[str, list[Statement]] = {}
        self._about: dict[tuple[str, str, str], tuple[Statement, ...]] = {}
        self._nevers: dict[str, list[str]] = {}
        self._by_version: dict[str, tuple[dict[str, list[int]], list[int]]] = {}

    @property
    def update(self) -> DataUpdate | None:
        """The update on this machine that the table is from; None for the bundled table."""
        if self._updated is None:
            return None
        from torchlock.finding import DataUpdate

        return DataUpdate(self._updated["date"], self._updated["from"])

    def about(self, name: str) -> list[Statement]:
        """The statements whose ``when`` names this package."""
        if name not in self._whole:
            rows = self._rows.get(name, ())
            self._whole[name] = [self._numbered(name, number) for number in range(len(rows))]
        return self._whole[name].copy()

    def says(self, key: str, name: str) -> bool:
        """Whether any statement about this package has this field."""
        return any(row.get(key) for row in self._rows.get(name, ()))

    def _numbered(self, name: str, number: int) -> Statement:
        """The statement in this row about a package: one object, made when it is first asked for."""
        rows = self._rows[name]
        known = self._statements.setdefault(name, [None] * len(rows))
        found = known[number]
        if found is None:
            found = known[number] = self._statement(rows[number])
        return found

    def forbidden_beside(self, names: Iterable[str]) -> set[str]:
        """The packages that statements about these packages forbid, if a lock never violates them."""
        return {
            item[0]
            for name in names
            for row in self._rows.get(name, ())
            for item in row.get("forbids", ())
            if self._refuses(row)
        }

    def statements_for(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        """The statements about this release, as installed on this target."""
        for statement in self.about_release(pinned, target):
            if not statement.build or is_about_build(statement.build, pinned.build):
                yield statement

    def never_loading(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        """The statements that this release does not load, as installed on this target."""
        if any(admits(specifier, pinned.text) for specifier in self._never(pinned.name)):
            yield from (statement for statement in self.statements_for(pinned, target) if statement.never)

    def _never(self, name: str) -> list[str]:
        """The specifiers of the statements that some releases of this package do not load."""
        if name not in self._nevers:
            self._nevers[name] = [_specifier(row) for row in self._rows.get(name, ()) if row.get("never")]
        return self._nevers[name]

    def possible_statements_for(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        """The statements about one kind of build that may apply to this release, if its build is unknown."""
        if isinstance(pinned.build, Unknown):
            yield from (statement for statement in self.about_release(pinned, target) if statement.build)

    def about_release(self, pinned: Pinned, target: Target) -> Iterator[Statement]:
        """The statements about this release on this target, whatever its build is."""
        if pinned.unversioned or pinned.name not in self._rows:
            return
        for statement in self._about_wheel(pinned.name, pinned.text, pinned.tags):
            if target.holds(statement.when.marker):
                yield statement

    def _about_wheel(self, name: str, version: str, tags: str) -> tuple[Statement, ...]:
        """The statements about a wheel, on whatever target."""
        key = name, version, tags
        if key not in self._about:
            exact, ranges = self._sorted(name)
            rows = self._rows[name]
            self._about[key] = tuple(
                self._numbered(name, number)
                for number in (*exact.get(without_trailing_zeros(version.partition("+")[0]), ()), *ranges)
                if admits(_specifier(rows[number]), version)
                and (not (wheel := rows[number].get("wheel")) or _fits(tags, wheel))
            )
        return self._about[key]

    def _sorted(self, name: str) -> tuple[dict[str, list[int]], list[int]]:
        """The numbers of the statements about a package: by version for those on one version, and all others."""
        if name not in self._by_version:
            exact: dict[str, list[int]] = {}
            ranges: list[int] = []
            for number, row in enumerate(self._rows[name]):
                operator, pin = (text := _specifier(row))[:2], text[2:]
                is_exact = operator == "==" and pin.replace(".", "").isdecimal() and key_of(pin) is not None
                (exact.setdefault(without_trailing_zeros(pin), []) if is_exact else ranges).append(number)
            self._by_version[name] = exact, ranges
        return self._by_version[name]

    def forbidding(self) -> list[Statement]:
        """The statements that forbid another package; always the same objects.

        Statements about calls that fail are left out, because a lock may violate them.
        """
        return [statement for statement in self.all_forbidding if statement.refuse]

    @cached_property
    def all_refusing(self) -> tuple[Statement, ...]:
        """The statements on releases that pip refuses because of their metadata."""
        return tuple(
            self._numbered(name, number)
            for name, rows in self._rows.items()
            for number, row in enumerate(rows)
            if row.get("refused")
        )

    @cached_property
    def all_forbidding(self) -> tuple[Statement, ...]:
        """The statements that forbid another package, with those about calls that fail."""
        return tuple(
            self._numbered(name, number)
            for name, rows in self._rows.items()
            for number, row in enumerate(rows)
            if row.get("forbids")
        )

    def _refuses(self, row: dict[str, Any]) -> bool:
        rule = self._rules[row["rule"]]
        return bool(self._effect(row) == "import" or rule.get("refuse"))

    def _effect(self, row: dict[str, Any]) -> str:
        """The effect of a statement, else that of its rule."""
        return str(row.get("effect") or self._rules[row["rule"]].get("effect", "import"))

    def rules(self) -> list[str]:
        """The identifiers of all rules, in order."""
        return sorted(self._rules)

    def statements_of(self, rule: str) -> list[Statement]:
        """All statements of a rule, in the order of the table."""
        names = [name for name, rows in self._rows.items() if any(row["rule"] == rule for row in rows)]
        return [statement for name in names for statement in self.about(name) if statement.rule == rule]

    def has(self, rule: str) -> bool:
        """Whether there is a rule with this identifier."""
        return rule in self._rules

    def title(self, rule: str) -> str:
        """The one-line title of a rule."""
        return str(self._rules[rule]["title"])

    def because(self, rule: str) -> str:
        """The reason for the rule, as a clause; empty for an unknown rule."""
        return str(self._rules.get(rule, {}).get("because", ""))

    def kind(self, rule: str) -> str:
        """The kind of the evidence for a rule; that of a statement may differ."""
        return str(self._rules[rule]["kind"])

    def sources_of(self, rule: str) -> tuple[str, ...]:
        """The identifiers of the sources of a rule."""
        return tuple(self._rules.get(rule, {}).get("sources", ()))

    def has_source(self, source: str) -> bool:
        """Whether there is a source with this identifier."""
        return source in self._sources

    def source(self, source: str) -> Evidence:
        """The source with this identifier."""
        from torchlock.finding import Evidence

        return Evidence.from_row(source, self._sources[source])

    def _statement(self, row: dict[str, Any]) -> Statement:
        rule = self._rules[row["rule"]]
        return Statement(
            rule=row["rule"],
            when=Dependency.from_row(row["when"]),
            because=row.get("because", rule["because"]),
            kind=row.get("kind", rule["kind"]),
            sources=tuple(row.get("sources", rule["sources"])),
            checked=row.get("checked", rule["checked"]),
            needs=tuple(Dependency.from_row(item) for item in row.get("needs", ())),
            forbids=tuple(Dependency.from_row(item) for item in row.get("forbids", ())),
            wants=tuple(Dependency.from_row(item) for item in row.get("wants", ())),
            bundles=tuple(row.get("bundles", ())),
            unless=tuple(row.get("unless", ())),
            never=bool(row.get("never")),
            without=row.get("without", ""),
            optional=bool(row.get("optional")),
            wheel=row.get("wheel", ""),
            build=row.get("build", ""),
            refused=row.get("refused", ""),
            instead=row.get("instead", ""),
            effect=self._effect(row),
            refuse=self._refuses(row),
        )
