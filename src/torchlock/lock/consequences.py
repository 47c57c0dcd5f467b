"""What other releases of the torch family mean for machines: builds, NVIDIA drivers, GPUs and Pythons.

Only what the tables know is stated. A fact that they lack before or after has no consequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.knowledge.accelerators import serves
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.knowledge.drivers import driver_floor
from torchlock.knowledge.gpus import Gpu, architectures, title_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.pin_sets import PinSet
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


class Consequence(NamedTuple):
    """One consequence of other releases: ``text`` says it, for some ``platforms``.

    ``kind`` is build (another CUDA version, or none), driver (another oldest NVIDIA driver), gpus (GPUs for which
    torch has no code any more, or has code now) or pythons (Pythons without a wheel of ``package`` any more, or
    with one now). ``lost`` and ``gained`` are architectures or Pythons.
    """

    kind: str
    package: str
    text: str
    platforms: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()


def consequences_of(
    old: PinSet, new: PinSet, platforms: Sequence[str] = (), pythons: Sequence[int] = ()
) -> list[Consequence]:
    """The consequences of changes between two locks, each with the platforms that it holds on.

    ``platforms`` and ``pythons`` (minor versions) limit the targets, and the Pythons with another wheel; empty for
    all.
    """
    table = CompatibilityTable()
    found: dict[Consequence, list[str]] = {}
    for place in platforms or table.platforms:
        if place not in table.platforms:
            continue
        for before, after in _pairs(old, new, place, pythons or table.pythons):
            for each in _on_platform(before, after, place, table, pythons or table.pythons):
                places = found.setdefault(each, [])
                if place not in places:
                    places.append(place)
    return [each._replace(platforms=tuple(places)) for each, places in found.items()]


def _pairs(
    old: PinSet, new: PinSet, platform: str, pythons: Collection[int]
) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """The versions of the torch family on one platform, before and after; most often the same for all Pythons."""
    before, after = (PinSet(pin for pin in pins.pins if pin.name in FAMILY) for pins in (old, new))
    seen = []
    for minor in pythons:
        target = Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(platform))
        pair = before.versions_on(target), after.versions_on(target)
        if pair[0] != pair[1] and pair not in seen:
            seen.append(pair)
            yield pair


def _on_platform(
    before: Mapping[str, str],
    after: Mapping[str, str],
    platform: str,
    table: CompatibilityTable,
    pythons: Collection[int],
) -> Iterator[Consequence]:
    if "torch" in before and "torch" in after:
        torches = _Torch(before["torch"], platform, table), _Torch(after["torch"], platform, table)
        if all(torch.exists for torch in torches):
            yield from _of_build(*torches)
            yield from _of_gpus(*torches)
    for name in sorted(before.keys() & after.keys(), key=lambda name: (name != "torch", name)):
        yield from _of_pythons(name, before[name], after[name], platform, table, pythons)


class _Torch:
    """A release of torch on a platform: its public version, and the label of its build ("": unknown)."""

    def __init__(self, version: str, platform: str, table: CompatibilityTable) -> None:
        self.version, _, label = version.partition("+")
        self.exists = not label or build_table().published("torch", self.version, label, platform) is not False
        """Whether the build may exist for the platform."""
        self.platform = platform
        self.system = platform.partition("-")[0]
        if not label:
            index = _index(table, "torch", version)
            build = (
                None if index is None else table.packages["torch"].build(index, table.platforms.index(platform))
            )
            label = "" if build is None or isinstance(build, Unknown) else build
        self.label = label if kind_of(label) else ""

    @property
    def kind(self) -> str | None:
        return kind_of(self.label)

    def driver(self) -> str:
        """The oldest driver that certainly runs it; "" if it needs none, or that is unknown."""
        floor = driver_floor(self.label, self.system)
        return "" if isinstance(floor, Unknown) else floor

    def serves(self, arch: str) -> bool | Unknown:
        return serves("torch", self.version, self.label, self.platform, Gpu(arch, arch)).answer


def _of_build(old: _Torch, new: _Torch) -> Iterator[Consequence]:
    if not old.label or not new.label:
        return
    if old.label != new.label:
        words = describe_build(new.label), describe_build(old.label)
        what = "is a CPU build, and uses no GPU" if new.kind == "cpu" else f"is built for {words[0]}"
        yield Consequence("build", "torch", f"torch {new.version} {what} (before: {words[1]})")
    floors = old.driver(), new.driver()
    if floors[1] and floors[0] != floors[1]:
        text = f"torch {new.version} needs NVIDIA driver {floors[1]} or newer"
        yield Consequence("driver", "torch", f"{text} (before: {floors[0] or 'none'})")


def _of_gpus(old: _Torch, new: _Torch) -> Iterator[Consequence]:
    """The GPUs that only one of two builds of the same kind has code for."""
    if old.kind != new.kind or new.kind in (None, "cpu"):
        return
    lost, gained = [], []
    for arch in architectures():
        if Gpu(arch, arch).kind == new.kind:
            answers = old.serves(arch), new.serves(arch)
            lost += [arch] if answers == (True, False) else []
            gained += [arch] if answers == (False, True) else []
    for word, arches in (("no longer has code for", lost), ("now has code for", gained)):
        if arches:
            named = ", ".join(f"{arch} ({title_of(arch)})" if title_of(arch) != arch else arch for arch in arches)
            ends = (tuple(arches), ()) if arches is lost else ((), tuple(arches))
            yield Consequence("gpus", "torch", f"torch {new.version} {word} {named}", (), *ends)


def _of_pythons(
    name: str, old: str, new: str, platform: str, table: CompatibilityTable, pythons: Collection[int]
) -> Iterator[Consequence]:
    """The Pythons for which only one of two releases of the public index has a wheel."""
    before, after = (_pythons(name, version, platform, table) for version in (old, new))
    if before is None or after is None:
        return
    differing = (before - after) & {*pythons}, (after - before) & {*pythons}
    lost, gained = (tuple(f"3.{minor}" for minor in sorted(minors)) for minors in differing)
    if lost:
        text = f"{name} {new} no longer has a wheel for Python {', '.join(lost)}"
        yield Consequence("pythons", name, text, (), lost)
    if gained:
        text = f"{name} {new} now has a wheel for Python {', '.join(gained)}"
        yield Consequence("pythons", name, text, (), (), gained)


def _pythons(name: str, version: str, platform: str, table: CompatibilityTable) -> set[int] | None:
    """The minor versions of Python with a wheel; None if the table does not have the release."""
    index = _index(table, name, version)
    if index is None:
        return None
    cells = table.packages[name].cells[index] & table.on_platform(table.platforms.index(platform))
    return {table.pythons[table.coordinates(cell)[1]] for cell in bits(cells)}


def _index(table: CompatibilityTable, name: str, version: str) -> int | None:
    """The place of a release of the public index in the table."""
    if name not in table.packages or "+" in version:
        return None
    try:
        return next(bits(table.packages[name].mask(f"=={version}")), None)
    except ValueError:
        return None
