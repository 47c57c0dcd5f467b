"""The build of the PyTorch index that the user's own lines name for the torch family.

Installers take each member from wherever its line says, or from the first index that has it. A lock takes all
members from one folder. So the lines decide if those that name a place all name the same build. Otherwise nothing
is chosen, and the indexes are asked as they are named.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from torchlock.knowledge.build_labels import is_published
from torchlock.knowledge.indexes import PUBLIC, channel_of, classify_index, is_own_host
from torchlock.knowledge.stack import FAMILY
from torchlock.lock.build_inputs import build_of_page, name_of, official_address
from torchlock.lock.package_sources import source_for
from torchlock.records import NamedTuple
from torchlock.redaction import redact
from torchlock.standards import filenames
from torchlock.standards.names import normalise
from torchlock.terms import Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchlock.manifests.document import Entry
    from torchlock.target import Target
    from torchlock.terms import Inputs, ParsedRequirement

_COMMAND_LINE = Origin(None, None, "")


class Place(NamedTuple):
    """Where a line takes members of the torch family from.

    ``label`` is the build, or "" for a place that is not one build of the PyTorch index. ``what`` is the line in
    words. ``fixed``: the requirement itself names it, by a label or by a file.
    """

    label: str
    what: str
    origin: Origin
    fixed: bool = False

    def __str__(self) -> str:
        return f"{self.what} ({self.origin})"


class NamedBuild(NamedTuple):
    """What the lines name: one build, ``label``, which ``place`` names first; or ``several`` places.

    Both are empty if no line names a build. ``others`` are the requested members for which no line names a place.
    ``any_build``: a page with all builds is named.
    """

    label: str = ""
    place: Place | None = None
    several: tuple[Place, ...] = ()
    others: tuple[str, ...] = ()
    any_build: bool = False


def named_build(inputs: Inputs, target: Target, root: str) -> NamedBuild:
    """The build that the lines name on the target; ``root`` is the address of the PyTorch index or of a mirror."""
    if inputs.no_index:
        return NamedBuild()
    lines = _lines_by_member(inputs, target)
    requested = {_name(written) for written in inputs.requirements}
    common = _Common(inputs, root)
    found: list[Place] = []
    others: list[str] = []
    for name in dict.fromkeys([*lines, "torch"]):
        own = [*_routed(name, lines.get(name, ()), inputs, target, root)]
        pinned = [place for written in lines.get(name, ()) for place in _pinned(name, written, target, root)]
        places = [*own, *pinned] if own else [*pinned, *common.places(pinned=bool(pinned))]
        found += places
        if not places and name in requested:
            others.append(name)
    return _decided(found, others, any_build=common.any_build)


def build_of_lock(entries: Iterable[Entry], scopes: Iterable[str], target: Target, root: str) -> NamedBuild:
    """The build that the entries of an existing lock name, for these scopes of its project."""
    from torchlock.knowledge.build_labels import parse_label

    found: list[Place] = []
    others: list[str] = []
    for entry in entries:
        if entry.name not in FAMILY or entry.scope not in ("", *scopes) or not target.holds(entry.marker):
            continue
        origin = Origin(entry.path, entry.place.line or None, entry.text)
        version = entry.specifier.removeprefix("==")
        page = entry.url.rpartition("/")[0] if entry.url else entry.index
        there = _build_at(page, root) if page else ""
        label = "" if there is None else there or version.partition("+")[2]
        if parse_label(label) and is_published(label):
            found.append(Place(label, f"{entry.name} {version}", origin))
        else:
            others.append(entry.name)
    taken = _decided(found, others)
    return taken if taken.label else NamedBuild()


def _decided(places: Sequence[Place], others: Iterable[str], *, any_build: bool = False) -> NamedBuild:
    first = {place.label: place for place in reversed(places)}
    if not any(first):
        return NamedBuild(any_build=any_build)
    if len(first) > 1:
        return NamedBuild(several=tuple(dict.fromkeys(place for place in places if first[place.label] == place)))
    ((label, place),) = first.items()
    return NamedBuild(label, place, others=tuple(dict.fromkeys(others)))


def _name(written: ParsedRequirement) -> str:
    return normalise(written.requirement.name) if written.requirement else name_of(written.url or "")


def _lines_by_member(inputs: Inputs, target: Target) -> dict[str, list[ParsedRequirement]]:
    """The lines that hold on the target, by member; an override replaces all other lines on its package."""
    found: dict[str, list[ParsedRequirement]] = {}
    overridden = {_name(written) for written in inputs.overrides}
    for lines in (inputs.requirements, inputs.constraints, inputs.overrides):
        for written in lines:
            name = _name(written)
            marker = written.marker if written.requirement is None else str(written.requirement.marker or "")
            replaced = name in overridden and lines is not inputs.overrides
            if name in FAMILY and not replaced and target.holds(marker):
                found.setdefault(name, []).append(written)
    return found


# Where one member comes from.


def _routed(
    name: str, lines: Sequence[ParsedRequirement], inputs: Inputs, target: Target, root: str
) -> Iterable[Place]:
    """The places that lines name for one member: the index of its source, and the addresses of files.

    A source that is the main index does not count: pipenv takes from there every package that names no source.
    """
    for pattern, url in inputs.routes.items():
        if fnmatchcase(name, pattern) and url != inputs.index_url:
            sources = (source_for(written, target) for written in lines)
            origins = [source.origin for source in sources if source is not None and source.index_url == url]
            origin = next(iter(origins), inputs.index_origins.get(url, _COMMAND_LINE))
            yield Place(_build_at(url, root) or "", f"the index {redact(url)} for {name}", origin)
    for written in lines:
        if written.url is not None:
            yield Place(_build_of_file(written.url, root), written.origin.text.strip(), written.origin, fixed=True)


def _build_of_file(url: str, root: str) -> str:
    """The build of a wheel of the PyTorch index; "" for any other file."""
    address = url.partition("#")[0]
    parsed = filenames.parse(filenames.file_name(address))
    folder = _build_at(address.rpartition("/")[0], root)
    if parsed is None or folder is None:
        return ""
    label = folder or parsed[1].local or ""
    return label if is_published(label) else ""


def _pinned(name: str, written: ParsedRequirement, target: Target, root: str) -> Iterable[Place]:
    """The labels in the versions of a line; that a build was never published is left for the solver to say."""
    if written.url is not None or written.requirement is None or "+" not in str(written.requirement):
        return
    from torchlock.knowledge.builds import Builds

    for clause in written.requirement.specifier:
        version, _, label = clause.version.partition("+")
        if clause.operator in ("==", "===") and label:
            there = Builds().published(name, version, label, str(target.platform), str(target.python))
            known = is_published(label) and there is not False
            yield Place(label if known else "", written.origin.text.strip(), written.origin, fixed=True)


def _build_at(address: str, root: str) -> str | None:
    """The build of a page of the PyTorch index, or of the mirror that the user names.

    "" for a page with all builds; None for other hosts, and for pages of nightlies and release candidates.
    """
    own = official_address(address, root)
    return None if channel_of(own) or not is_own_host(own) else build_of_page(address, root)


class _Common:
    """The indexes that are asked for every package.

    A private index that comes before the pages of the PyTorch index is asked first, and may have the family.
    """

    def __init__(self, inputs: Inputs, root: str) -> None:
        self.any_build = False
        self._builds: list[Place] = []
        self._first: list[Place] = []
        self._changing: list[Place] = []
        main = [inputs.index_url] if inputs.index_url else []
        for address in (*inputs.extra_index_urls, *main, *inputs.find_links):
            self._add(address, inputs.index_origins.get(address, _COMMAND_LINE), root)

    def _add(self, address: str, origin: Origin, root: str) -> None:
        place = Place("", f"the index {redact(address)}", origin)
        label = _build_at(address, root)
        if channel_of(official_address(address, root)):
            self._changing.append(place)
        elif label:
            self._builds.append(place._replace(label=label))
        elif label == "":
            self.any_build = True
        elif not (self._builds or self.any_build or classify_index(address).kind == PUBLIC):
            self._first.append(place)

    def places(self, *, pinned: bool) -> list[Place]:
        """The places of a member; of one whose version has a label (``pinned``), what may have that build."""
        if pinned:
            return [*self._changing, *self._first]
        return [*self._changing, *(self._first if self._builds else ()), *self._builds]
