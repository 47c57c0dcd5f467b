"""Draft the statements about a new release: what its wheels show, as rows for the rules.

A row says only what was read. Where the evidence does not decide, there is no row, and the draft says why: the
release stays unproven on that platform.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from packaging.version import Version

from torchlock.knowledge.rules import BUILD_CUDA, specifier_set
from torchlock.knowledge.stack import MEMBERS
from torchlock.proving.deciding import decide, is_stable, is_torchs, plain
from torchlock.proving.evidence import cuda_of
from torchlock.proving.history import Exported
from torchlock.redaction import one_line, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchlock.knowledge.rules import Matrix
    from torchlock.proving.deciding import Decision
    from torchlock.proving.evidence import CompanionWheel, TorchWheel
    from torchlock.proving.rendering import Facts
    from torchlock.proving.tables import Store

# The markers of the platforms on which wheels are read.
_MARKERS: Final = {
    "linux-x86_64": 'sys_platform == "linux" and platform_machine == "x86_64"',
    "linux-aarch64": 'sys_platform == "linux" and platform_machine == "aarch64"',
    "macos-arm64": 'sys_platform == "darwin" and platform_machine == "arm64"',
    "macos-x86_64": 'sys_platform == "darwin" and platform_machine == "x86_64"',
    "windows-amd64": 'sys_platform == "win32" and platform_machine == "AMD64"',
}
# The libraries of CUDA whose names have its major version, and those of torch that only its CUDA builds have.
_CUDA_LIBRARY: Final = re.compile(
    r"(?:lib)?(?:cudart|cublas(?:Lt)?|nvrtc)(?:64_|\.so\.)\d.*|lib(?:torch|c10)_cuda\b.*"
)
_RULE_OF_BUILDS: Final = "TL201"
# The longest reason: some names of C++ have thousands of characters.
_LONGEST: Final = 300


class Draft(NamedTuple):
    """Rows of ``compiled/rules.json`` by the package that they are about; and why there are none, by platform."""

    rows: tuple[tuple[str, dict[str, Any]], ...]
    lacks: Mapping[str, str]


class Drafter:
    """Drafts statements from a store that has the new wheels.

    ``source`` is the identifier of their source, ``day`` the day on which the wheels were read. ``fresh`` are the
    hashes of wheels of torch of which every symbol is known.
    """

    def __init__(
        self, store: Store, facts: Facts, matrix: Matrix, source: str, day: str, fresh: Collection[str]
    ) -> None:
        self._store = store
        self._fresh = fresh
        self._facts = facts
        self._matrix = matrix
        self._evidence = {"kind": "measured", "sources": [source], "checked": day}
        self._histories = {place: Exported(rows) for place, rows in store.torches.items()}

    def of_companion(self, name: str, version: str) -> Draft:
        """What the wheels of a companion show of the torch that it needs."""
        rows: list[tuple[str, dict[str, Any]]] = []
        lacks: dict[str, str] = {}
        for place in _MARKERS:
            for wheel in self._store.companions.get((name, place), ()):
                if wheel.wheel.version != version:
                    continue
                if (why := self._undecided(wheel)) is not None:
                    lacks[place] = why
                else:
                    rows += [(name, row) for row in (*self._of_release(wheel), *self._of_build(wheel))]
        return _draft(rows, lacks)

    def of_torch(self, version: str) -> Draft:
        """What the wheels of a torch show of the companions that the rules admit with it.

        The rules are right about later torches, unless the wheels show the contrary. But of each companion, the
        newest release that they admit must be decided.
        """
        rows: list[tuple[str, dict[str, Any]]] = []
        lacks: dict[str, str] = {}
        for (name, place), wheels in self._store.companions.items():
            for torch in self._store.torches.get(place, ()):
                admitted = wheels if torch.wheel.version == version else ()
                admitted = [each for each in admitted if self._are_admitted(each, torch)]
                newest = max((Version(each.wheel.version) for each in admitted), default=None)
                for wheel in admitted:
                    found = self._linked(wheel, torch)
                    if found.verdict == "fails":
                        because = f"its libraries use {found.symbol}, which torch {version} lacks"
                        row = self._row(wheel, MEMBERS[name].rule, "", because if found.symbol else found.reason)
                        rows.append((name, {**row, "forbids": [["torch", f"=={version}"]]}))
                    elif found.verdict == "unknown" and Version(wheel.wheel.version) == newest:
                        lacks[place] = f"it is not known whether {name} {newest} works with it"
        return _draft(rows, lacks)

    def _undecided(self, wheel: CompanionWheel) -> str | None:
        """Why it is not known with which of the torches that its metadata allow a wheel loads; None if it is."""
        if all(each.role == "optional" for each in wheel.libraries):
            return "its wheel has none of the libraries that the import of earlier releases opens"
        asked = self._facts.torch_asked(wheel.wheel)
        found = {each: found for each, found in self._verdicts(wheel).items() if _allows(asked, each)}
        for version in self._facts.torches_beside(wheel.wheel):
            if _allows(asked, Version(version)) and Version(version) not in found:
                return f"torch {version}, which it allows, was not read"
        if not found:
            return f"no torch that was read can be installed with it ({', '.join(asked) or 'it declares none'})"
        loads = [each for each, decision in found.items() if decision.verdict == "loads"]
        if not loads:
            return found[max(found)].reason
        odd = [each for each, decision in found.items() if decision.verdict == "unknown"]
        odd += [each for each, decision in found.items() if decision.verdict == "fails" and each > min(loads)]
        return f"with torch {odd[0]}: {found[odd[0]].reason}" if odd else self._of_libraries(wheel, asked)

    def _verdicts(self, wheel: CompanionWheel) -> dict[Version, Decision]:
        """The verdict by symbols about each torch that some Python can install with a wheel."""
        found: dict[Version, Decision] = {}
        for each in self._store.torches.get(wheel.wheel.platform, ()):
            if self._facts.together(wheel.wheel, each.wheel):
                release, decision = Version(each.wheel.version), self._linked(wheel, each)
                found[release] = _agreed(found.get(release, decision), decision)
        return found

    def _of_release(self, wheel: CompanionWheel) -> Iterator[dict[str, Any]]:
        """What a wheel needs of the release of torch, beyond what its metadata say."""
        used = [name for each in wheel.libraries if each.role != "optional" for name in each.symbols]
        rule = MEMBERS[wheel.wheel.package].rule
        if any(is_torchs(name) and not is_stable(name) for name in used):
            because = "its libraries use C++ functions of the torch that it declares, which other ones may change"
            row = self._row(wheel, rule, f"torch{','.join(self._facts.torch_asked(wheel.wheel))}", because)
            yield {**row, "kind": "declared"}
            return
        verdicts = self._verdicts(wheel)
        first = None
        for release in sorted(verdicts, reverse=True):
            if verdicts[release].verdict == "loads":
                first = release
            elif verdicts[release].verdict == "fails" and first is not None:
                because = f"its libraries use {verdicts[release].symbol}, which torch has from {first} on"
                yield self._row(wheel, rule, f"torch>={first}", because)
                return
            else:
                return

    def _of_libraries(self, wheel: CompanionWheel, asked: Sequence[str]) -> str | None:
        """Why the wheel does not load beside a torch of its own build, although each symbol is there."""
        same = [
            each
            for each in self._store.torches.get(wheel.wheel.platform, ())
            if each.wheel.build == wheel.wheel.build
            and self._facts.together(wheel.wheel, each.wheel)
            and _allows(asked, Version(each.wheel.version))
        ]
        decisions = [self._decided(wheel, each) for each in same if self._linked(wheel, each).verdict == "loads"]
        if not decisions or any(decision.verdict == "loads" for decision in decisions):
            return None
        return decisions[-1].reason

    def _of_build(self, wheel: CompanionWheel) -> Iterator[dict[str, Any]]:
        """What a wheel for CUDA needs of the build of torch."""
        if not cuda_of(wheel.wheel.build):
            return
        linked = any(_CUDA_LIBRARY.fullmatch(name) for each in wheel.libraries for name in each.needed)
        if wheel.compares or linked:
            version = "{cuda}" if wheel.compares == "minor" else "{cuda_major}.*"
            because = "its libraries ask for the libraries of the CUDA that it was built for"
            if wheel.compares:
                what = "CUDA version" if wheel.compares == "minor" else "CUDA major version"
                because = f"its import refuses a torch of another {what}"
            yield self._row(wheel, _RULE_OF_BUILDS, f"{BUILD_CUDA}=={version}", because)

    def _row(self, wheel: CompanionWheel, rule: str, needs: str, because: str) -> dict[str, Any]:
        """A row about the wheel; about its kind of build, for the index may have others."""
        row: dict[str, Any] = {
            "rule": rule,
            "when": [wheel.wheel.package, f"=={wheel.wheel.version}", _MARKERS[wheel.wheel.platform]],
            "because": _shown(because),
            **self._evidence,
        }
        if match := re.match(r"([\w-]+)(.*)", needs):
            row["needs"] = [[match[1], match[2]]]
        if wheel.wheel.build:
            row["build"] = "cuda" if cuda_of(wheel.wheel.build) else "cpu"
        return row

    def _are_admitted(self, wheel: CompanionWheel, torch: TorchWheel) -> bool:
        """Whether metadata and rules let an installer, or torchlock, take both."""
        if not self._facts.together(wheel.wheel, torch.wheel):
            return False
        limits = self._facts.torch_asked(wheel.wheel)
        for statement in self._matrix.about(wheel.wheel.package):
            if specifier_set(statement.when.specifier).contains(wheel.wheel.version):
                limits += [need.specifier for need in statement.needs if need.name == "torch"]
        return _allows(limits, Version(torch.wheel.version))

    def _linked(self, wheel: CompanionWheel, torch: TorchWheel) -> Decision:
        """The verdict by symbols alone, whatever the builds of both are."""
        unread = () if torch.wheel.sha256 in self._fresh else self._store.unread(wheel)
        bare = (
            each._replace(needed=(), symbols=tuple(name for name in each.symbols if name not in unread))
            for each in wheel.libraries
        )
        found = self._decided(wheel._replace(libraries=tuple(bare), compares=""), torch)
        if not unread or found.verdict == "fails":
            return found
        why = f"it was not read whether torch {torch.wheel.version} has {plain(min(unread))}"
        return found._replace(verdict="unknown", reason=why)

    def _decided(self, wheel: CompanionWheel, torch: TorchWheel) -> Decision:
        place = wheel.wheel.platform
        return decide(wheel, torch, self._facts.series(wheel.wheel), self._histories[place])


def _allows(specifiers: Sequence[str], version: Version) -> bool:
    return all(specifier_set(text).contains(version) for text in specifiers)


def _agreed(first: Decision, second: Decision) -> Decision:
    """The verdict about two wheels of one release of torch: unknown if they differ."""
    if first.verdict == second.verdict:
        return first
    return first._replace(verdict="unknown", reason="the wheels of this torch differ")


def _draft(rows: Sequence[tuple[str, dict[str, Any]]], lacks: Mapping[str, str]) -> Draft:
    return Draft(_joined(rows), {place: _shown(why) for place, why in lacks.items()})


def _shown(text: str) -> str:
    """A reason for a message: names of symbols are what somebody wrote into a wheel."""
    return one_line(shortened(text, _LONGEST))


def _joined(rows: Sequence[tuple[str, dict[str, Any]]]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Rows that say the same on several platforms, as one with a marker for all of them."""
    markers: dict[str, list[str]] = {}
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, row in rows:
        key = repr([name, {**row, "when": row["when"][:2]}])
        first.setdefault(key, (name, row))
        if row["when"][2] not in markers.setdefault(key, []):
            markers[key].append(row["when"][2])
    joined = {key: " or ".join(some) for key, some in markers.items()}
    return tuple((name, {**row, "when": [*row["when"][:2], joined[key]]}) for key, (name, row) in first.items())
