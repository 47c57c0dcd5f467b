"""Where a table that others publish and the matrix say different things."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.masks import bits, lowest
from torchlock.matrix.judging import Pair
from torchlock.matrix.selection import PUBLIC
from torchlock.matrix.table import Table
from torchlock.matrix.values import FAILS, LOADS
from torchlock.report.matrix_text import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from comparing.tables import Published, Row

# The kinds of differences, in the order of the page: what each says of the other table and of ours.
KINDS = {
    "absent": "it names a release or a build that does not exist",
    "denied": "it lists the pair, and it does not load",
    "partly": "it lists the pair, and it loads on some platforms only",
    "unknown": "it lists the pair, and the matrix does not know it",
    "unlisted": "it does not list the pair, and it loads",
    "refused": "it does not list the pair; the libraries load, and pip refuses the pair",
    "pythons-more": "it names a Python for which there are no wheels",
    "pythons-fewer": "it leaves out a Python for which there are wheels",
    "newer": "it does not have the release yet",
}


class Difference(NamedTuple):
    """One difference: its kind, the label of the row, and the releases, builds or Pythons in question."""

    kind: str
    row: str
    what: str


class Comparison:
    """Compares tables with the matrix of the bundled data."""

    def __init__(self) -> None:
        self.table = Table()
        self._stack = self.table.stack

    def differences(self, published: Published) -> list[Difference]:
        """All differences of one table, in the order of its rows."""
        found = [each for row in published.rows for each in self._of_row(row)]
        return [*found, *self._newer(published)]

    def _of_row(self, row: Row) -> Iterator[Difference]:
        torches = self._stack.packages["torch"].mask(row.torch)
        for name, specifier in row.companions.items():
            mine = self._stack.packages[name].mask(specifier)
            if not mine or not torches:
                yield Difference("absent", row.label, f"{name} {specifier.removeprefix('==')}")
                continue
            yield from self._pairs(row, name, mine, torches)
            if not row.builds:
                yield from self._unlisted(row, name, mine, torches)
        yield from self._pythons(row, torches)

    def _pairs(self, row: Row, name: str, mine: int, torches: int) -> Iterator[Difference]:
        """Pairs that the row lists, and that do not load, load on some platforms only, or are not known."""
        for build in row.builds or (PUBLIC,):
            if build != PUBLIC and (lacking := self._lacking(row, name, mine, torches, build)):
                yield Difference("absent", row.label, lacking)
                continue
            for torch in bits(torches):
                by_kind: dict[tuple[str, str], list[int]] = {}
                for release in bits(mine):
                    key = self._fault(self._verdicts(name, release, torch, build))
                    by_kind.setdefault(key, []).append(release)
                for (kind, where), releases in by_kind.items():
                    if kind:
                        what = self._said(name, releases, torch, build)
                        yield Difference(kind, row.label, f"{what} on {where}" if where else what)

    def _fault(self, verdicts: dict[str, str]) -> tuple[str, str]:
        """The kind of difference of a pair that is listed, and the platforms on which it does not load."""
        if not verdicts or LOADS not in verdicts.values():
            return ("denied" if FAILS in verdicts.values() else "unknown" if verdicts else ""), ""
        failing = [platform for platform, verdict in verdicts.items() if verdict == FAILS]
        return ("partly", ", ".join(failing)) if failing else ("", "")

    def _lacking(self, row: Row, name: str, mine: int, torches: int, build: str) -> str:
        """The release of a row that the PyTorch index does not have in a build; "" if it has both."""
        for package, mask in ((name, mine), ("torch", torches)):
            for release in bits(mask):
                version = self._stack.packages[package].versions[release]
                if not self._is_there(package, version, build):
                    return f"{package} {version} in the build {build}"
        return ""

    def _unlisted(self, row: Row, name: str, mine: int, torches: int) -> Iterator[Difference]:
        """Releases of torch that the row leaves out, and that load with its releases."""
        everything = self._stack.packages["torch"].everything
        versions = self._stack.packages["torch"].versions
        for release in bits(mine):
            found: dict[str, list[str]] = {}
            for torch in bits(everything & ~torches):
                places = [
                    platform
                    for platform, verdict in self._verdicts(name, release, torch).items()
                    if verdict == LOADS
                ]
                if places:
                    allowed = any(self._allows(name, release, torch, platform) for platform in places)
                    found.setdefault("unlisted" if allowed else "refused", []).append(versions[torch])
            for kind, others in found.items():
                subject = f"{name} {self._stack.packages[name].versions[release]}"
                yield Difference(kind, row.label, f"{subject} with torch {', '.join(spans(others, versions))}")

    def _allows(self, name: str, release: int, torch: int, platform: str) -> bool:
        allowed = self._stack.declared(name, 1 << release, self._stack.platforms.index(platform))
        return bool(allowed >> torch & 1)

    def _pythons(self, row: Row, torches: int) -> Iterator[Difference]:
        """The Pythons of a row beside those for which torch and each companion have wheels on some platform."""
        names = [name for name, specifier in row.companions.items() if self._stack.packages[name].mask(specifier)]
        if not row.pythons or not names or not torches:
            return
        cells = self._stack.packages["torch"].cells_of(torches)
        if row.builds:
            cells &= self._stack.on_platform(0)
        for name in names:
            cells &= self._stack.packages[name].cells_of(self._stack.packages[name].mask(row.companions[name]))
        ours = {self._stack.pythons[self._stack.coordinates(cell)[1]] for cell in bits(cells)}
        oldest = min(row.pythons)
        for kind, minors in (
            ("pythons-more", set(row.pythons) - ours),
            ("pythons-fewer", {minor for minor in ours - set(row.pythons) if minor > oldest or not row.builds}),
        ):
            if minors:
                yield Difference(kind, row.label, "Python " + ", ".join(f"3.{minor}" for minor in sorted(minors)))

    def _newer(self, published: Published) -> Iterator[Difference]:
        """Releases that are newer than all that the table has."""
        for name in dict.fromkeys(name for row in published.rows for name in row.companions):
            package = self._stack.packages[name]
            known = 0
            for row in published.rows:
                known |= package.mask(row.companions.get(name, "<0"))
            newer = [each for each in bits(package.everything) if known and each > known.bit_length() - 1]
            if newer:
                versions = package.versions
                yield Difference("newer", name, ", ".join(spans((versions[each] for each in newer), versions)))

    def _verdicts(self, name: str, release: int, torch: int, build: str = PUBLIC) -> dict[str, str]:
        """The verdict on each platform on which both install; for a build, on Linux for x86_64 alone."""
        table, stack, found = self.table, self._stack, dict[str, str]()
        versions = stack.packages[name].versions[release], stack.packages["torch"].versions[torch]
        for number, platform in enumerate(stack.platforms[: 1 if build != PUBLIC else None]):
            cells = stack.packages["torch"].cells[torch] & stack.packages[name].cells[release]
            cells &= stack.on_platform(number)
            if not cells:
                continue
            public = table.public_build(name, release, number), table.public_build("torch", torch, number)
            builds = public if build == PUBLIC else (build, build)
            pair = Pair(name, versions[0], builds[0], versions[1], builds[1], public=builds == public)
            found[platform] = table.judged(pair, lowest(cells)).verdict
        return found

    def _is_there(self, name: str, version: str, label: str) -> bool:
        """Whether a build is known to exist for Linux on x86_64, or is not known to be absent."""
        published = self.table.builds.serves(name, version, label, "linux-x86_64")
        return True if isinstance(published, Unknown) else published

    def _said(self, name: str, releases: Iterable[int], torch: int, build: str) -> str:
        versions = self._stack.packages[name].versions
        listed = ", ".join(spans((versions[each] for each in releases), versions))
        suffix = f" ({build})" if build != PUBLIC else ""
        return f"{name} {listed} with torch {self._stack.packages['torch'].versions[torch]}{suffix}"
