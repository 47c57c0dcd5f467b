"""Packages that use the stack, beside releases and builds that they do not work with."""

from __future__ import annotations

import re
from functools import lru_cache

from torchlock.answers import Unknown
from torchlock.audit.install_sets import cells_of_marker
from torchlock.audit.other_limits import unless_limited
from torchlock.audit.supplies import Supply, build_of
from torchlock.audit.taken import Takes
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import BUILD_CUDA, is_about_build, specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.manifests.formats import BY_KIND
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.standards.ordering import admits
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.audit.taken import Taken
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Matrix, Statement
    from torchlock.standards.dependency import Dependency

_RULES = ("TL106", "TL207", "TL230", "TL239", "TL701", "TL702", "TL703", "TL704", "TL705", "TL710")
# What brings CUDA libraries: packages (those of NVIDIA with their CUDA version), and words in a file of commands.
_CUDA = pattern(r"(?:nvidia-[a-z-]{1,40}-cu(\d\d)|cudatoolkit|cudnn|cuda-[a-z-]{1,40})")
_CUDA_WORDS = ("nvidia/cuda", "cudnn", "cuda-toolkit", "cuda_toolkit")


class Pair(NamedTuple):
    """A release that a statement is about, and one that it forbids beside it, with the cells where both are."""

    statement: Statement
    forbidden: Dependency
    own: Taken
    other: Taken
    cells: int


@rule(*_RULES)
def dependents(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Packages beside a release that a statement forbids: pins, newest releases, and what packages bring."""
    about, wanted = _statements(context.known.matrix)
    takes = Takes(context, install_set, wanted)
    # Of findings about one line, the first is reported: that about the package of the line itself.
    for pair in sorted(_all_pairs(context, takes, about), key=_is_brought):
        yield _finding(context, pair)


def _all_pairs(context: AuditContext, takes: Takes, about: Mapping[str, list[Statement]]) -> Iterator[Pair]:
    """What is installed together although a statement forbids it."""
    for name, statements in about.items():
        alike: dict[tuple[str, Dependency], list[Pair]] = {}
        for statement in statements if takes.of(name) else ():
            if _is_met_by_system(context, statement):
                continue
            for forbidden in statement.forbids:
                # Statements for several Pythons may say together what happens on all of them.
                pairs = alike.setdefault((statement.rule, forbidden), [])
                pairs += _pairs(context, takes, statement, forbidden)
        for pairs in alike.values():
            yield from _certain(context, takes, pairs)


@lru_cache(maxsize=4)
def _statements(matrix: Matrix) -> tuple[dict[str, list[Statement]], frozenset[str]]:
    """The statements of these rules, by the package that they are about; and all packages that they name."""
    about: dict[str, list[Statement]] = {}
    for each in matrix.all_forbidding:
        if each.rule in _RULES:
            about.setdefault(each.when.name, []).append(each)
    forbidden = {item.name for statements in about.values() for each in statements for item in each.forbids}
    return about, frozenset(about) | forbidden


def _is_met_by_system(context: AuditContext, statement: Statement) -> bool:
    """Whether commands, or their image, install the library that one of the packages does not find otherwise."""
    if not statement.unless or BY_KIND[context.document.kind].role != "commands":
        return False
    text = context.document.text.lower()
    return any(part in text for part in statement.unless)


def _pairs(context: AuditContext, takes: Takes, statement: Statement, forbidden: Dependency) -> Iterator[Pair]:
    """The releases of one statement and one forbidden package that an installer takes together."""
    for own in takes.of(statement.when.name):
        if not admits(statement.when.specifier, str(own.version)):
            continue
        if forbidden.name == BUILD_CUDA and _has_own_cuda(context, statement, own):
            continue
        cells = _cells(context, statement, own)
        for other in takes.of(forbidden.name) if cells else ():
            both = cells & other.cells
            if both and admits(forbidden.specifier, str(other.version)):
                yield Pair(statement, forbidden, own, other, both)


def _certain(context: AuditContext, takes: Takes, pairs: list[Pair]) -> Iterator[Pair]:
    """A pair of pins; else the newest pair, if a platform has no other one on any likely Python."""
    pins = [pair for pair in pairs if not pair.own.allowed and not pair.other.allowed and not _is_brought(pair)]
    if pins or not pairs:
        yield from pins
        return
    first, bad = pairs[0], 0
    for pair in pairs:
        bad |= pair.cells
    there = context.likely(takes.present(first.statement.when.name) & takes.present(first.forbidden.name))
    places = (context.stack.on_platform(place) & there for place in range(len(context.stack.platforms)))
    if any(cells and not cells & ~bad for cells in places):
        yield first


def _is_brought(pair: Pair) -> bool:
    """Whether another package of the file brings one of the two."""
    return (pair.own.demand.name, pair.other.demand.name) != (pair.statement.when.name, pair.forbidden.name) and (
        pair.forbidden.name != BUILD_CUDA or pair.own.demand.name != pair.statement.when.name
    )


def _cells(context: AuditContext, statement: Statement, own: Taken) -> int:
    """The cells where a release is installed, in a build that a statement is about."""
    stack, name, entry = context.stack, statement.when.name, own.demand.entry
    cells = own.cells & cells_of_marker(statement.when.marker, stack)
    label = own.demand.label or entry.specifier.partition("+")[2]
    if not statement.build or not cells or entry.name != name:
        return cells
    if label:
        return cells if is_about_build(statement.build, label) else 0
    if name not in FAMILY:
        return cells
    supply = Supply(0, 0, entry.build, context.offer(entry))
    index = stack.packages[name].parsed_versions.index(own.version)
    for place in range(len(stack.platforms)):
        build = build_of(context.known, name, index, place, supply)
        if not isinstance(build, Unknown) and not is_about_build(statement.build, build):
            cells &= ~stack.on_platform(place)
    return cells


def _has_own_cuda(context: AuditContext, statement: Statement, own: Taken) -> bool:
    """Whether something may bring the CUDA libraries of a package: its extras, other packages, or a base image."""
    document = context.document
    of_commands = BY_KIND[document.kind].role == "commands"
    if own.demand.entry.extras or (of_commands and any(word in document.text for word in _CUDA_WORDS)):
        return True
    named = {match[1] for name in context.sides.names if (match := _CUDA.fullmatch(name))}
    refused = [
        specifier_set(item.specifier)
        for each in context.known.forbidding(statement.when.name)
        for item in each.forbids
        if item.name == BUILD_CUDA and admits(each.when.specifier, str(own.version))
    ]
    return any(not version or all(not wrong.contains(version) for wrong in refused) for version in named)


def _finding(context: AuditContext, pair: Pair) -> Finding:
    statement, forbidden = pair.statement, pair.forbidden
    verb = "does not work" if statement.effect == "import" else "only partly works"
    own = pair.own.said(statement.when.specifier)
    comma = "," if ", " in own else ""
    other = pair.other.said(forbidden.specifier)
    needs = (
        "" if forbidden.name == BUILD_CUDA else f": it needs {forbidden.name}{_complement(forbidden.specifier)}"
    )
    message = f"{own}{comma} {verb} with {other}{needs}"
    finding = context.statement(statement, "warning", message, [pair.own.demand, pair.other.demand])
    sides = ((statement.when.name, pair.own.unread), (forbidden.name, pair.other.unread))
    name, unread = max(sides, key=lambda each: len(each[1]))
    return unless_limited(finding, name, unread)


def _complement(specifier: str) -> str:
    """The releases that a rule does not forbid, as the end of ``it needs torchaudio``."""
    clauses = [clause.strip() for clause in specifier.split(",")]
    above = [clause[1:] for clause in clauses if re.match(r"<[^=]", clause)]
    # A lower bound without a minor version is the first release that was looked at: below it nothing is known.
    below = [clause[2:] for clause in clauses if clause.startswith(">=") and ("." in clause or not above)]
    if len(above) + len(below) < 1 or any(not re.match(r"<[^=]|>=", clause) for clause in clauses):
        return f" outside {specifier}"
    if not above:
        return f"<{below[0]}"
    return f" {above[0]} or later" + (f", or earlier than {below[0]}" if below else "")
