"""TL2xx, and the labels of TL5xx: builds that conflict, were never published, or are not on the named indexes."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.index_advice import naming_page
from torchlock.audit.install_sets import demand_of, hides_label
from torchlock.audit.phrasing import as_of, asked, listed
from torchlock.audit.taken_build import given_build, version_of_pin
from torchlock.finding import Remedy
from torchlock.knowledge.build_labels import is_published, kind_of, label_order
from torchlock.knowledge.build_pairs import built_for, mismatch
from torchlock.knowledge.judge import NamedVersion, violations
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.knowledge.stack import FAMILY
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import Demand, InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.build_pairs import Mismatch
    from torchlock.knowledge.rules import Statement


@rule("TL201", "TL203")
def disagreements(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pinned builds of torch and its companions that are not for the same accelerator."""
    pinned = [
        demand._replace(label=label)
        for demand in (install_set.first(name) for name in install_set.demands if name in FAMILY)
        if (label := given_build(demand, context)) and is_published(label)
    ]
    if install_set.locked and any(len(install_set.demands[demand.name]) > 1 for demand in pinned):
        return  # The lock pins builds for several accelerators; the installer chooses one.
    torch = next((demand for demand in pinned if demand.name == "torch"), None)
    if torch is None:
        labels = {demand.label for demand in pinned}
        if len(labels) > 1:
            texts = [built_for(demand.name, demand.label) for demand in pinned]
            yield context.finding("TL203", "error", f"{listed(texts)}", pinned)
        return
    for demand in pinned:
        found = mismatch(asked(demand), demand.label, asked(torch), torch.label)
        if found is not None:
            yield _disagreement(context, install_set, found, demand, torch)


def _disagreement(
    context: AuditContext, install_set: InstallSet, found: Mismatch, demand: Demand, torch: Demand
) -> Finding:
    """TL201, if a rule compares the CUDA versions of these releases; else TL203."""
    statement = _cuda_rule(context, install_set, demand, torch) if demand.releases and torch.releases else None
    if statement is not None:
        return context.statement(statement, "error", found.message, [demand, torch])
    return context.finding("TL203", severity_of(fails=found.fails), found.message, [demand, torch])


def _cuda_rule(context: AuditContext, install_set: InstallSet, *demands: Demand) -> Statement | None:
    """The statement of TL201 that these two pins violate."""
    target = context.stack.target((install_set.target_grid & -install_set.target_grid).bit_length() - 1)
    pins = {
        one.name: NamedVersion(
            one.name,
            context.stack.packages[one.name].parsed_versions[(one.releases or 1).bit_length() - 1],
            build=one.label,
        )
        for one in demands
    }
    found = violations(pins, target, context.known.matrix, complete=False)
    statements = (each.statement for each in found)
    return next((each for each in statements if each is not None and each.rule == "TL201"), None)


@rule("TL204", "TL205", "TL507", "TL902")
def labels(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pinned builds that were never published, or that the named indexes do not have."""
    missing: dict[str, list[Demand]] = {}
    for name in install_set.demands:
        for demand in install_set.demands[name]:
            if not is_published(demand.label) or name not in FAMILY:
                continue
            if demand.entry.url is None and not demand.entry.constraint:
                found = _label(context, install_set, demand)
                if found is not None:
                    yield found
                if (found is None or found.severity == "note") and not _offered(context, demand):
                    missing.setdefault(demand.label, []).append(demand)
    for label, demands in missing.items():
        yield _without_index(context, label, demands)
    yield from _not_served(context, install_set)


def _not_served(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pins of releases that the only index of the file, a page of one build, never had."""
    for name in install_set.demands:
        demand = install_set.first(name)
        if demand.label or demand.entry.url or name not in FAMILY or demand.entry.channel == "conda":
            continue
        label, version = context.offer(demand.entry).only_label, version_of_pin(context, demand)
        if label and demand.releases and not demand.exact:
            texts = [context.stack.packages[name].versions[index] for index in bits(demand.releases)]
            if all(context.known.builds.serves(name, text, label) is False for text in texts):
                message = (
                    f"{asked(demand)}: the page of {label} builds, the only index named here, "
                    "does not have any of these releases"
                )
                yield context.finding(
                    "TL204", "error", f"{message} ({as_of(context.known.builds.date)})", [demand]
                )
            continue
        served = context.known.builds.serves(name, version, label) if label and version else True
        if isinstance(served, Unknown):
            message = f"whether the page of {label} builds has {asked(demand)} is not judged: {served}"
            yield context.finding("TL902", "note", message, [demand])
        elif not served and version and label:
            message = f"{asked(demand)}: the page of {label} builds, the only index named here, never had it"
            message += f"{_elsewhere(context, name, version)} ({as_of(context.known.builds.date)})"
            severity = severity_of(fails=_measured(context, name, version, label))
            yield context.finding("TL204", severity, message, [demand])


def _elsewhere(context: AuditContext, name: str, version: str) -> str:
    """The pages that have a release, as the end of a sentence; "" if none is known."""
    there = context.known.builds.labels(name, version)
    known = [] if isinstance(there, Unknown) else sorted(filter(None, there), key=label_order)
    return f"; it is on the pages of {listed(known)}" if known else ""


def _measured(context: AuditContext, name: str, version: str, label: str) -> bool:
    """Whether a complete list of the builds of a release was read. A list in a document may be incomplete."""
    return any(source.kind != "declared" for source in context.known.builds.source_of(name, version, label))


@rule("TL507", on="document")
def constrained(context: AuditContext) -> Iterator[Finding]:
    """Labels in a project's constraints. They count wherever the project requires the package."""
    if context.document.kind == "constraints":
        return
    entries = [entry for entry in context.document.entries if entry.constraint and entry.name in FAMILY]
    demands = [demand_of(entry, context.stack) for entry in entries if entry.path == context.document.path]
    for label in dict.fromkeys(demand.label for demand in demands if demand.label):
        mine = [demand for demand in demands if demand.label == label and not _offered(context, demand)]
        if mine:
            yield _without_index(context, label, mine)


def _offered(context: AuditContext, demand: Demand) -> bool:
    offer = context.offer(demand.entry)
    return (
        offer.named
        or offer.unknown
        or "conda" in (demand.entry.channel, demand.entry.style)  # pip cannot read a list of conda.
        or context.document.kind == "constraints"
    )


def _without_index(context: AuditContext, label: str, demands: list[Demand]) -> Finding:
    names = listed(list(dict.fromkeys(asked(demand) for demand in demands)))
    message = f"{names}: the public index has no labelled builds, and no index with +{label} is named"
    finding = context.finding("TL507", "warning", message, demands)
    packages = listed(list(dict.fromkeys(demand.name for demand in demands)))
    advice = naming_page(context.document, label, packages)
    if _was_never(context, label):
        advice = f"First pin builds that exist: a release that this file pins has no +{label}."
    finding.remedy = Remedy(advice)
    return finding


def _was_never(context: AuditContext, label: str) -> bool:
    """Whether a line of the file pins a release that has no such build: then no page helps with this label."""
    demands = (demand_of(entry, context.stack) for entry in context.document.entries if entry.name in FAMILY)
    pins = [(demand, version_of_pin(context, demand)) for demand in demands if demand.label == label]
    published = context.known.builds.published
    return any(version is not None and published(demand.name, version, label) is False for demand, version in pins)


def _label(context: AuditContext, install_set: InstallSet, demand: Demand) -> Finding | None:
    """The problem with one label: never published, or not on the named indexes."""
    builds, offer = context.known.builds, context.offer(demand.entry)
    if demand.entry.channel == "conda":
        return None
    carried = offer.carries(demand.label) if offer.named else None
    if carried is False:
        named = listed([f"+{label}" for label in sorted(offer.labels)], "and")
        message = f"{asked(demand)}: the named index has {named}, not +{demand.label}"
        return context.finding("TL205", "error", message, [demand])
    version = version_of_pin(context, demand)
    if version is None:
        return None
    published = builds.published(demand.name, version, demand.label)
    if isinstance(published, Unknown):
        message = f"whether {demand.name} {version} was published as +{demand.label} is not judged: {published}"
        return context.finding("TL902", "note", message, [demand])
    if published:
        return None
    there = builds.labels(demand.name, version)
    known = (
        [] if isinstance(there, Unknown) else [f"+{label}" for label in sorted(there, key=label_order) if label]
    )
    which = f"; it was published as {listed(known)} ({as_of(builds.date)})" if known else ""
    certain = carried is True and _measured(context, demand.name, version, demand.label)
    message = f"{demand.name} {version} was never published as +{demand.label}{which}"
    return context.finding("TL204", severity_of(fails=certain), message, [demand])


@rule("TL206", "TL902")
def pages(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A page of all builds and no pinned label: the highest label is rarely the build that the author wants.

    A companion counts beside a torch that has a label for CUDA or the CPU.
    """
    labelled = {kind_of(label) for label in install_set.labels("torch")} & {"cuda", "cpu"}
    for name in install_set.demands:
        demand = install_set.first(name)
        conda = demand.entry.channel == "conda"  # As in a base image; pip's pages do not replace it.
        judged = name == "torch" or (name in FAMILY and labelled)
        if not judged or demand.label or not demand.exact or demand.entry.url or conda:
            continue
        if hides_label(demand.entry):  # The reader says so.
            continue
        offer, version = context.offer(demand.entry), version_of_pin(context, demand)
        if not offer.every or version is None or not install_set.target_grid & _linux(context):
            continue
        published = context.known.builds.labels(name, version)
        if isinstance(published, Unknown):
            message = f"which build of {asked(demand)} the page named here serves is not judged: {published}"
            yield context.finding("TL902", "note", message, [demand])
            continue
        highest = max(published, key=label_order, default="")
        if kind_of(highest) in ("rocm", "xpu"):
            message = (
                f"{asked(demand)} has no label, and the page named here has every build: an installer takes "
                f"+{highest} on Linux ({as_of(context.known.builds.date)}), which sorts above all +cu and +cpu"
            )
            finding = context.finding("TL206", "warning", message, [demand])
            beside = [label for label in _usual(published) if name == "torch"]
            labels = beside or sorted(install_set.labels("torch") & published)
            pins = [f"{name}=={version}+{label}" for label in labels]
            finding.remedy = Remedy(f"Pin the build: {listed(pins, 'or')}.") if pins else None
            yield finding


def _linux(context: AuditContext) -> int:
    """The cells of Linux, for which pages have ROCm and XPU builds."""
    stack = context.stack
    return sum(stack.on_platform(at) for at, name in enumerate(stack.platforms) if name.startswith("linux"))


def _usual(labels: frozenset[str]) -> list[str]:
    """The highest CUDA build of these, and the CPU build."""
    cuda = [label for label in labels if kind_of(label) == "cuda"]
    return [*sorted(cuda, key=label_order)[-1:], *(label for label in labels if label == "cpu")]
