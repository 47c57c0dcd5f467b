"""What is installed already and stays: the packages of a base image or of an environment.

A lock for a base does not contain these packages. Each is the only candidate of its project, so that a requirement
that would replace it is a conflict; and what it requires limits the versions of the packages that are installed
besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torchlock.answers import Unknown
from torchlock.errors import InputError, NotForThisTorch
from torchlock.knowledge.build_files import build_catalogue, folders
from torchlock.knowledge.releases import Provenance
from torchlock.knowledge.stack import FAMILY
from torchlock.solve.kept import KeptPackage, KeptRelease
from torchlock.solve.lines import UserRequirement
from torchlock.solve.source import DelegatingSource
from torchlock.standards.markers import extra_of
from torchlock.terms import Origin, ParsedRequirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torchlock.knowledge.images import Image
    from torchlock.knowledge.releases import Release
    from torchlock.lock.inputs import DirectRequirements
    from torchlock.lock.model import Pin
    from torchlock.solve.source import ReleaseSource
    from torchlock.solve.universe import Universe
    from torchlock.standards.dependency import Dependency
    from torchlock.target import Target


class Base(NamedTuple):
    """What a lock is installed into.

    ``kind`` and ``name`` are like ``base image`` and ``pytorch/pytorch:…``. ``packages`` maps normalised names to
    what is installed. ``vendor`` is who built its torch, "" if the PyTorch index may have that build; ``build`` is
    the label of its torch, "" if it has none or the label is unknown. ``unknown`` is a clause that says why its
    packages are unknown; ``gaps`` are sentences on what else is.
    """

    kind: str
    name: str
    packages: Mapping[str, KeptPackage]
    vendor: str = ""
    build: str = ""
    unknown: str = ""
    gaps: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def family(self) -> list[KeptPackage]:
        """The members of the torch family that it has, torch first."""
        names = sorted(FAMILY & self.packages.keys(), key=lambda name: (name != "torch", name))
        return [self.packages[name] for name in names]

    def kept_in(self, source: ReleaseSource, target: Target) -> ReleaseSource:
        """A source that answers for the installed packages, and with another source for all others."""
        return KeptSource(source, self, target)

    def limits(self, universe: Universe, source: ReleaseSource) -> Iterator[UserRequirement]:
        """The limits that the requirements of the installed packages set to all others.

        A project that only an index knows is not asked for.
        """
        for package in self.packages.values():
            for dependency in _requirements(package, universe.target):
                name = dependency.name
                if name in self.packages or not dependency.specifier or dependency.address:
                    continue
                if not universe.target.holds(dependency.marker) or extra_of(dependency.marker):
                    continue
                if universe.overrides_on(name) is None and source.is_local(name):
                    mask = universe.mask(name, dependency.specifier)
                    yield UserRequirement(_written(package, dependency), limits=((name, mask),), fixed=True)

    def refuse_replaced(self, direct: DirectRequirements) -> None:
        """Refuse a requirement that names another file of an installed package.

        Raises:
            InputError: there is one.
        """
        for name, written in direct.written.items():
            if name in self.packages:
                path, line, text = written.origin
                raise InputError(
                    f"{text.strip()}: {self.title} has {self.packages[name]}, which is not replaced",
                    path=path,
                    line=line,
                    hint=f"leave this requirement out, or write {name} without its URL",
                )

    def refuse_unknown(self, pins: Iterable[Pin]) -> None:
        """Refuse a lock with members of the torch family for a base that may have others.

        Raises:
            InputError: it is unknown what the base contains.
        """
        family = [f"{pin.name} {pin.version}" for pin in pins if pin.name in FAMILY]
        if self.unknown and family:
            raise InputError(
                f"the contents of {self.title} are unknown: {self.unknown}; the lock would install "
                f"{', '.join(family)}, and may replace installed packages",
                hint="copy the site-packages folder out of the image and name it with --constraint-from FOLDER; "
                "or leave --base-image out, to lock everything",
            )

    def replaced_notes(self, target: Target, pins: Iterable[Pin]) -> Iterator[str]:
        """A note on the packages of the lock that are in the base too, in a version that is unknown."""
        there = {
            dependency.name
            for package in self.packages.values()
            for dependency in _requirements(package, target)
            if dependency.name not in self.packages and not extra_of(dependency.marker)
        }
        names = sorted(there.intersection(pin.name for pin in pins))
        if names:
            said = f"{self.title} has {', '.join(names)} too, in an unknown version"
            yield f"{said}; the lock replaces any other version"


def base_of_image(image: Image) -> Base:
    """The packages of an image, as far as its name says."""
    title = f"base image {image.name}"
    gaps = []
    if may := sorted(name for name, version in image.held.items() if not version):
        gaps.append(f"whether {title} has {' and '.join(may)} is unknown")
    packages = {
        name: KeptPackage(name, _labelled(name, version, image), title, _build(name, image), sources=image.sources)
        for name, version in image.held.items()
        if version
    }
    if image.vendor or image.torch:
        packages["torch"] = KeptPackage(
            "torch", image.torch_version, title, _build("torch", image), sources=image.sources
        )
    return Base("base image", image.name, packages, image.vendor, image.build, image.unknown, tuple(gaps))


def _labelled(name: str, version: str, image: Image) -> str:
    """The version of a package of an image: pip installed the family with the label of the build."""
    label = name in FAMILY and image.build and image.channel == "pip" and "+" not in version
    return f"{version}+{image.build}" if label else version


def _build(name: str, image: Image) -> str | Unknown | None:
    if name not in FAMILY:
        return None
    return image.build or Unknown(f"{image.vendor or 'the image'} states no build of this torch")


class KeptSource(DelegatingSource):
    """A source that answers for the installed packages; a vendor's torch has no companions on any index."""

    def __init__(self, source: ReleaseSource, base: Base, target: Target) -> None:
        super().__init__(source)
        self._base = base
        self._target = target

    def releases(self, name: str) -> Sequence[Release]:
        kept = self._base.packages.get(name)
        if kept is not None:
            return [KeptRelease(kept._replace(requires=tuple(_requirements(kept, self._target))))]
        if self._base.vendor and name in FAMILY:
            torch = self._base.packages.get("torch")
            what = f" ({torch.version})" if torch and torch.version else ""
            raise NotForThisTorch(
                name,
                f"no {name} on an index is built for the torch{what} that {self._base.vendor} built for "
                f"{self._base.title}",
                hint=f"build {name} from source against that torch (--no-build-isolation), or get it from "
                f"{self._base.vendor}",
            )
        return self.source.releases(name)

    def is_local(self, name: str) -> bool:
        return name in self._base.packages or self.source.is_local(name)

    def expect(self, names: Iterable[str]) -> None:
        self.source.expect(name for name in names if name not in self._base.packages)

    def renew(self, names: Iterable[str]) -> bool:
        return self.source.renew(name for name in names if name not in self._base.packages)

    def provenance(self, name: str) -> Provenance:
        return Provenance() if name in self._base.packages else self.source.provenance(name)


def _written(package: KeptPackage, dependency: Dependency) -> ParsedRequirement:
    """A requirement of an installed package as a line, for the explanation of conflicts."""
    from packaging.requirements import Requirement

    text = f"{dependency.name}{dependency.specifier}"
    origin = Origin(package.owner, None, f"{package} declares {text}")
    return ParsedRequirement(Requirement(text), origin)


def _requirements(package: KeptPackage, target: Target) -> Iterable[Dependency]:
    """What an installed package requires: what was read of it, or the bundled table of its build."""
    if package.requires or not isinstance(package.build, str) or package.build not in folders():
        return package.requires
    for release in build_catalogue(package.build).releases(package.name) or ():
        # conda writes no label; what torch requires of others is the same.
        if package.version in (release.version, release.version.partition("+")[0]):
            ranks = release.ranks(target.rank)
            fitting = [(rank, index) for index, rank in enumerate(ranks) if rank is not None]
            declared = release.dependencies(min(fitting)[1]) if fitting else Unknown("no wheel for the target")
            if not isinstance(declared, Unknown):
                return declared
    return ()
