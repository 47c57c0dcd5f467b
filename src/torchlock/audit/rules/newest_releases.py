"""Judge what an installer chooses when it takes the newest releases from the public index and the named pages."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, product

from torchlock.answers import Unknown
from torchlock.audit.command_order import ONE_COMMAND, order_of
from torchlock.audit.index_builds import Offer
from torchlock.audit.other_limits import Limits, limits_on, unless_limited
from torchlock.audit.pair_loading import loads
from torchlock.audit.phrasing import as_of, asked, listed, platforms, where
from torchlock.audit.rules.replacing_companions import replacements
from torchlock.audit.rules.versions import LENIENT, RULES, UNBOUND, newest, why
from torchlock.audit.supplies import Supplies, Supply, all_supplies, build_of
from torchlock.knowledge.cuda_libraries import with_cuda
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY, PAIR_RULES
from torchlock.records import NamedTuple
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.audit.command_order import Order
    from torchlock.audit.context import AuditContext, Knowledge
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.compatibility import CompatibilityTable

# What an installer chooses: a companion, and the indices of its release and of torch's.
Pair = tuple[str, int, int]
# The limit on combinations with releases that may also be on a page.
_MOST = 64


class Outcome(NamedTuple):
    """The cells of each pair that does not load, and those of each unknown companion, with the reason.

    ``replaced`` are the cells where a later command takes a companion and replaces the pinned torch for it.
    """

    broken: dict[Pair, int]
    unclear: dict[tuple[str, str], int]
    installed: int
    replaced: dict[Pair, int]

    def on(self, cells: int) -> Outcome:
        """What happens on some of the cells."""
        broken = {pair: where & cells for pair, where in self.broken.items() if where & cells}
        unclear = {which: where & cells for which, where in self.unclear.items() if where & cells}
        replaced = {pair: where & cells for pair, where in self.replaced.items() if where & cells}
        return Outcome(broken, unclear, self.installed & cells, replaced)

    @property
    def judged(self) -> int:
        """The cells where all is installed, or where that depends on what is not known."""
        judged = self.installed
        for cells in self.unclear.values():
            judged |= cells
        return judged

    def loads(self, name: str) -> int:
        """The cells where a companion is installed and loads."""
        return self.installed & ~sum(cells for pair, cells in self.broken.items() if pair[0] == name)


@rule(*PAIR_RULES, "TL201", "TL902")
def choices(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Each companion that an installer chooses with a torch that it does not load with."""
    known = install_set.names()
    hidden = [name for name in known if unseen(context, install_set.first(name))]
    if hidden and not install_set.locked:
        yield _not_seen(context, install_set, hidden)
    names = [name for name in known if name not in hidden and not _has_alternatives(install_set, name)]
    if "torch" not in names or len(names) < 2:
        return
    found = _outcome(context, install_set, names)
    for name in dict.fromkeys(pair[0] for pair in found.broken):
        judged = [each for each in names if each == name or each not in UNBOUND]
        whole = context.widened(install_set, judged)
        limits = limits_on(context, whole, name) if name in LENIENT else Limits()
        whole = limits.applied(whole, name)
        result = found if whole is install_set else _outcome(context, whole, judged)
        mine = {pair: cells for pair, cells in result.broken.items() if pair[0] == name}
        if mine and _is_certain(context, sum(mine.values()), result.installed):
            pair = max(mine, key=lambda pair: (pair[2], pair[1]))
            finding = choice(context, whole, pair, result, all_supplies(context, whole, judged))
            yield unless_limited(finding, name, limits.unread)
    yield from replacements(context, install_set, found)
    reported = {pair[0] for pair in found.broken}
    for name, because in found.unclear:
        if name not in reported:
            reported.add(name)
            demands = [install_set.first(name), install_set.first("torch")]
            message = f"whether {asked(demands[0])} works with {asked(demands[1])} was not judged: {because}"
            yield context.finding("TL902", "note", message, demands)


def _outcome(context: AuditContext, install_set: InstallSet, names: list[str]) -> Outcome:
    """What an installer chooses of these packages on the targets that the file may be for."""
    supplies = all_supplies(context, install_set, names)
    found = outcome(context.known, supplies, install_set.target_grid, order_of(context, install_set, names))
    return found.on(context.likely(found.judged))


def _is_certain(context: AuditContext, broken: int, installed: int) -> bool:
    """Whether a choice is broken on every Python of one platform, if the file hides which Python it has."""
    stack = context.stack
    here = [stack.on_platform(place) & installed for place in range(len(stack.platforms))]
    return not context.document.hidden_python or any(cells and not cells & ~broken for cells in here)


def _has_alternatives(install_set: InstallSet, name: str) -> bool:
    """Whether a lock has several builds of a package for the same targets: an installer chooses by the extras."""
    demands = install_set.demands[name] if install_set.locked else ()
    return len({(demand.releases, demand.label, demand.entry.index) for demand in demands}) > 1


def unseen(context: AuditContext, demand: Demand) -> bool:
    """Whether the newest release is unknown because the content of the index is."""
    if demand.name not in FAMILY or demand.exact:
        return False
    offer = context.offer(demand.entry)
    return demand.entry.channel == "conda" or (offer.unknown and not offer.public and not offer.named)


def _not_seen(context: AuditContext, install_set: InstallSet, names: list[str]) -> Finding:
    demands = [install_set.first(name) for name in names]
    texts = listed([asked(demand) for demand in demands])
    where = "conda's channels" if demands[0].entry.channel == "conda" else "the index named here"
    were = "were" if len(demands) > 1 else "was"
    message = f"the content of {where} is unknown, so {texts} {were} not judged"
    return context.finding("TL902", "note", message, demands)


@lru_cache(maxsize=4096)
def outcome(known: Knowledge, supplies: Supplies, cells: int, order: Order = ONE_COMMAND) -> Outcome:
    """What an installer chooses on each of these cells, by whether it loads."""
    stack = known.stack
    broken: dict[Pair, int] = {}
    unclear: dict[tuple[str, str], int] = {}
    replaced: dict[Pair, int] = {}
    installed = 0
    for cell in bits(cells):
        here = dict(supplies[stack.coordinates(cell)[0]])
        replacing = _replacing(stack, here, cell, order)
        if replacing is not None:
            replaced[replacing] = replaced.get(replacing, 0) | 1 << cell
            installed |= 1 << cell
            continue
        chosen = _chosen(stack, here, cell, order)
        installed |= 1 << cell if chosen else 0
        for name in stack.partners:
            answer = (
                _answer(known, here, chosen, name, cell, stays=name in order.earlier) if name in here else True
            )
            if answer is False and _is_open(known, here, name, cell, order):
                continue
            if isinstance(answer, Unknown):
                unclear[name, str(answer)] = unclear.get((name, str(answer)), 0) | 1 << cell
            elif not answer:
                pair = name, chosen[name], chosen["torch"]
                broken[pair] = broken.get(pair, 0) | 1 << cell
    return Outcome(broken, unclear, installed, replaced)


def _is_open(known: Knowledge, here: Mapping[str, Supply], name: str, cell: int, order: Order) -> bool:
    """Whether an installer that chooses companions with an upper bound before torch takes another pair."""
    if not order.bounded & here.keys():
        return False
    first = order._replace(free=order.free | order.bounded, bounded=frozenset())
    chosen = _chosen(known.stack, here, cell, first)
    return not chosen or _answer(known, here, chosen, name, cell, stays=False) is not False


def _replacing(stack: CompatibilityTable, here: Mapping[str, Supply], cell: int, order: Order) -> Pair | None:
    """A companion that a later command takes, whose metadata excludes the torch that is there; None for none."""
    platform, torch = stack.coordinates(cell)[0], here["torch"].there
    for name in (each for each in here if each in order.later):
        latest = _latest(stack, name, here[name].there, cell)
        if latest < 0 or here[name].maybe or not torch & stack.packages["torch"].on(1 << cell):
            continue
        if not stack.declared(name, 1 << latest, platform) & torch:
            return name, latest, torch.bit_length() - 1
    return None


def _chosen(stack: CompatibilityTable, here: Mapping[str, Supply], cell: int, order: Order) -> dict[str, int]:
    """The releases that an installer chooses on a cell, of those that are certainly offered.

    Empty if it cannot choose.
    """
    platform = stack.coordinates(cell)[0]
    domains = {
        name: supply.there
        for name, supply in here.items()
        if name == "torch" or supply.there & stack.packages[name].on(1 << cell) or not supply.maybe
    }
    for name in order.free & domains.keys():
        alone = newest(
            stack, {"torch": domains["torch"], name: domains[name]}, 1 << cell, platform, torch_first=False
        )
        domains[name] = 1 << alone[name] if name in alone else domains[name]
    there = {name: _latest(stack, name, domains.pop(name), cell) for name in order.earlier & domains.keys()}
    # If no certain release works with torch, the installer needs one that may be on the page.
    sure = {
        name: there
        for name, there in domains.items()
        if not here[name].maybe or newest(stack, {name: there, "torch": domains["torch"]}, 1 << cell, platform)
    }
    chosen = newest(stack, domains, 1 << cell, platform) or newest(stack, sure, 1 << cell, platform)
    return chosen | {name: index for name, index in there.items() if index >= 0} if chosen else {}


def _latest(stack: CompatibilityTable, name: str, allowed: int, cell: int) -> int:
    """The release that an installer takes of a package alone; -1 if it has none for the cell."""
    package = stack.packages[name]
    here = allowed & package.on(1 << cell)
    return (here & ~package.prereleases & ~package.yanked or here).bit_length() - 1


def _answer(
    known: Knowledge,
    here: Mapping[str, Supply],
    chosen: Mapping[str, int],
    name: str,
    cell: int,
    *,
    stays: bool,
) -> bool | Unknown:
    """Whether the chosen companion loads; unknown if that depends on releases that a page may have.

    ``stays``: an earlier command installed it, so that its metadata does not limit torch.
    """
    pairs = islice(_alternatives(known.stack, here, chosen, name, cell, stays=stays), _MOST)
    answers = [loads(known, here, name, *pair, cell) for pair in pairs]
    if all(answer is True for answer in answers):
        return True  # All combinations load; or nothing can be installed, which other rules report.
    if name in chosen and all(answer is False for answer in answers):
        return False
    unknown = [answer for answer in answers if isinstance(answer, Unknown)]
    return unknown[0] if unknown else Unknown("the releases on the page named here are unknown", known.builds.date)


def _alternatives(
    stack: CompatibilityTable,
    here: Mapping[str, Supply],
    chosen: Mapping[str, int],
    name: str,
    cell: int,
    *,
    stays: bool,
) -> Iterator[tuple[int, int]]:
    """The pairs that may be chosen: the newest certain release, and all newer ones that may be on the page."""

    def candidates(package: str) -> Iterator[int]:
        least, table = chosen.get(package, -1), stack.packages[package]
        maybe = here[package].maybe & ~table.prereleases & ~table.yanked & table.on(1 << cell)
        if least >= 0:
            yield least
        yield from (index for index in bits(maybe) if index > least)

    platform = stack.coordinates(cell)[0]
    for torch, index in product(candidates("torch"), candidates(name)):
        if stays or stack.declared_beside(name, torch, platform) & 1 << index:
            yield index, torch


def choice(
    context: AuditContext,
    install_set: InstallSet,
    pair: Pair,
    found: Outcome,
    supplies: Supplies,
) -> Finding:
    """The finding about a pair that an installer chooses on some cells."""
    name, release, torch = pair
    stack, packages, cells = context.stack, context.stack.packages, found.broken[pair]
    everywhere = cells == found.installed
    platform, cell = stack.coordinates((cells & -cells).bit_length() - 1)[0], (cells & -cells).bit_length() - 1
    here = dict(supplies[platform])
    both = f"torch {packages['torch'].versions[torch]} and {name} {packages[name].versions[release]}"
    pinned = install_set.first("torch").exact and install_set.first(name).exact
    whole = everywhere and install_set.target_grid == context.target_grid
    place = "" if whole else _where(stack, cells, found.loads(name))
    demands = [install_set.first(name), install_set.first("torch")]
    verb = "work" if name in LENIENT else "load"
    if pinned:
        message = f"{both} do not {verb} together{place}"
    else:
        took = "" if here[name].offer.only_public else _from(here[name].offer)
        date = as_of(context.known.builds.date if took else context.known.date)
        message = f"an installer takes {both}{took}{place} ({date}), which do not {verb} together"
    usual = context.declares_platforms or bool(cells & context.mainstream)
    severity = severity_of(fails=pinned and everywhere and name not in LENIENT, partly=usual)
    made = {
        each: build_of(context.known, each, index, platform, here[each]) if each in FAMILY else Unknown("none")
        for each, index in (("torch", torch), (name, release))
    }
    texts = {each: None if isinstance(build, Unknown) else build for each, build in made.items()}
    chosen = {"torch": torch, name: release}
    violation = why(context, chosen, cell) or why(context, chosen, cell, builds=texts)
    statement = None if violation is None else violation.statement
    if statement is None:
        return context.finding(RULES[name], severity, message, demands)
    if statement.without:
        message += f" without {with_cuda(statement.without)}"
    if statement.rule == "TL201":
        message += f": {listed([f'{each} is built for {build}' for each, build in texts.items()])}"
    return context.statement(statement, severity, message, demands)


def _where(stack: CompatibilityTable, cells: int, loads: int) -> str:
    """The platforms of some cells, with the Pythons if the package loads with others of the platform."""
    whole, some = 0, dict[int, int]()
    for platform in range(len(stack.platforms)):
        here = cells & stack.on_platform(platform)
        if not loads & stack.on_platform(platform):
            whole |= here
        elif here:
            alike = here >> platform * len(stack.pythons)
            some[alike] = some.get(alike, 0) | here
    texts = [*([platforms(stack, whole)] if whole else []), *(where(stack, part) for part in some.values())]
    return "" if texts == ["every platform"] else f" on {listed(texts)}"


def _from(offer: Offer) -> str:
    """The page that a package certainly comes from, in words."""
    return f" from the page of {offer.only_label} builds" if offer.only_label else ""
