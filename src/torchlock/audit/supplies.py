"""What the indexes of a file supply of each package: releases by platform, and their builds."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.index_builds import Offer
from torchlock.knowledge.masks import bits
from torchlock.knowledge.stack import FAMILY
from torchlock.records import NamedTuple
from torchlock.standards.filenames import tags_of
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.audit.context import AuditContext, Knowledge
    from torchlock.audit.install_sets import Demand, InstallSet

_PUBLIC = Offer(frozenset(), every=False, public=True, unknown=False)


class Supply(NamedTuple):
    """The releases of one package that an installer can choose on one platform (as masks), and their build.

    ``there`` are certainly offered, ``maybe`` are not known to be. ``label`` is the build that the file pins, ""
    for none; without one, ``offer`` says which builds the indexes offer.
    """

    there: int
    maybe: int
    label: str
    offer: Offer


# By platform: package → its supply.
Supplies = tuple[tuple[tuple[str, Supply], ...], ...]


def all_supplies(context: AuditContext, install_set: InstallSet, names: Sequence[str]) -> Supplies:
    """The supplies of some packages on each platform."""
    by_name = [[(name, supply) for supply in supplies_of(context, install_set, name)] for name in names]
    return tuple(zip(*by_name, strict=True))


def supplies_of(context: AuditContext, install_set: InstallSet, name: str) -> list[Supply]:
    """The supply of a package on each platform."""
    demand, mask = install_set.first(name), install_set.releases(name) or 0
    offer = context.offer(demand.entry) if name in FAMILY else _PUBLIC
    places = range(len(context.stack.platforms))
    if demand.entry.url is not None:
        return [Supply(mask & _for(demand.entry.url, context, place), 0, demand.label, offer) for place in places]
    if not demand.exact and not offer.public:
        return [Supply(*on_pages(context, name, mask, offer, place), demand.label, offer) for place in places]
    if demand.entry.channel == "conda":
        return [Supply(mask, 0, "", _PUBLIC._replace(public=False, unknown=True))] * len(places)
    if offer.only_public and not demand.label and _labels_from_elsewhere(context, install_set):
        offer = offer._replace(unknown=True)
    if offer.only_label:
        return [
            Supply(_kept(context, demand, mask, offer.only_label, place), 0, demand.label, offer)
            for place in places
        ]
    return [Supply(mask, 0, demand.label, offer)] * len(places)


def _kept(context: AuditContext, demand: Demand, mask: int, page: str, platform: int) -> int:
    """The pinned releases that the only named page has, or may have, for a platform."""
    builds, place = context.known.builds, context.stack.platforms[platform]
    text = context.stack.packages[demand.name].versions[mask.bit_length() - 1]
    if demand.label:
        there = builds.published(demand.name, text, demand.label, place)
    else:
        there = builds.serves(demand.name, text, page, place)
    return 0 if there is False else mask


def _for(address: str, context: AuditContext, platform: int) -> int:
    """All releases if the wheel at this address fits the platform, or if it is not a wheel; else none."""
    from urllib.parse import unquote

    name = unquote(address.partition("#")[0].partition("?")[0].rpartition("/")[2])
    cells, tags = context.stack.on_platform(platform), tags_of(name)
    if not name.endswith(".whl") or any(context.stack.target(cell).rank(tags) is not None for cell in bits(cells)):
        return -1
    return 0


def _labels_from_elsewhere(context: AuditContext, install_set: InstallSet) -> bool:
    """Whether a build is pinned that the file names no index for. Then an index that it does not name has it."""
    return any(
        demand.label and context.offer(demand.entry).carries(demand.label) is not True
        for name in FAMILY
        for demand in install_set.demands.get(name, ())
    )


def on_pages(context: AuditContext, name: str, mask: int, offer: Offer, platform: int) -> tuple[int, int]:
    """The releases that the named pages have for a platform, and those that the table of builds does not cover."""
    there = maybe = 0
    package, place = context.stack.packages[name], context.stack.platforms[platform]
    for index in bits(mask):
        answers = [
            context.known.builds.serves(name, package.versions[index], label, place)
            for label in sorted(offer.labels)
        ]
        if any(answer is True for answer in answers):
            there |= 1 << index
        elif offer.every or offer.unknown or any(isinstance(answer, Unknown) for answer in answers):
            maybe |= 1 << index
    return there, maybe


def build_of(known: Knowledge, name: str, index: int, platform: int, supply: Supply) -> str | Unknown:
    """The build of a release that an installer gets from a supply."""
    if supply.label:
        return supply.label
    offer, text = supply.offer, known.stack.packages[name].versions[index]
    if offer.unknown or offer.every:
        return Unknown(f"the build of {name} {text} on the index named here is unknown")
    served = []
    for label in sorted(offer.labels):
        answer = known.builds.serves(name, text, label, known.stack.platforms[platform])
        if isinstance(answer, Unknown) and known.builds.published(name, text, label) is True:
            answer = True  # It exists for another platform, and no list excludes this platform.
        if isinstance(answer, Unknown):
            return answer
        served += [label] if answer else []
    if len(served) == 1:
        return served[0]
    if served:
        return Unknown(f"several pages named here have {name} {text}")
    if not offer.public:
        return Unknown(f"the page named here has no {name} {text}")
    own = known.stack.packages[name].build(index, platform)
    return Unknown(f"{name} {text} has no build on the public index") if own is None else own


def is_from_elsewhere(context: AuditContext, install_set: InstallSet, name: str) -> bool:
    """Whether a package may come from an index that the catalogue does not cover."""
    for demand in install_set.demands[name]:
        offer = context.offer(demand.entry)
        if demand.label or demand.entry.url or demand.entry.channel == "conda" or offer.unknown or offer.every:
            return True
        if offer.labels and not _is_on_none(context, demand, offer):
            return True
    return False


def _is_on_none(context: AuditContext, demand: Demand, offer: Offer) -> bool:
    """Whether the pages of an offer certainly do not have the release that a demand pins."""
    if not demand.exact or not demand.releases:
        return False
    text = context.stack.packages[demand.name].versions[demand.releases.bit_length() - 1]
    return all(context.known.builds.serves(demand.name, text, label) is False for label in offer.labels)


def lacks_wheels(context: AuditContext, install_set: InstallSet, name: str) -> bool:
    """Whether a lock has a package on targets for which the public index has no wheel of it.

    Nobody chose that release there, so that this is the fault, and not which torch the lock has there.
    """
    package, releases = context.stack.packages[name], install_set.releases(name) or 0
    if not install_set.locked or releases & package.on(install_set.target_grid):
        return False
    return not is_from_elsewhere(context, install_set, name)
