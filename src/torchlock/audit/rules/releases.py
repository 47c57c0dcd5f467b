"""TL5xx: requirements on one package that an installer cannot follow, or follows in an unexpected way."""

from __future__ import annotations

from torchlock.answers import Unknown
from torchlock.audit.install_sets import Demand, pinned
from torchlock.audit.phrasing import as_of, asked, listed
from torchlock.finding import Remedy
from torchlock.knowledge import tables
from torchlock.knowledge.images import image_of
from torchlock.knowledge.masks import bits
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding


@rule("TL502", "TL902", "TL903")
def never_published(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Versions that were never published, and versions that are unknown."""
    for demands in install_set.demands.values():
        for demand in demands:
            if demand.releases is None and not demand.entry.constraint:
                found = (
                    _absent(context, install_set, demand)
                    if demand.why == "absent"
                    else _of_source_build(context, install_set, demand) or _unjudged(context, demand)
                )
                if found is not None:
                    yield found


# Versions of builds from source: ``0.7.0a0+a853dff``.
_SOURCE_BUILD = pattern(r"===?\s*(?P<release>\d[\d.]*)a0\+(?:git)?(?P<commit>[0-9a-f]{7,12})")


def _of_source_build(context: AuditContext, install_set: InstallSet, demand: Demand) -> Finding | None:
    """A pin on somebody's build from source, which pip looks for on the public index alone."""
    match = _SOURCE_BUILD.fullmatch(demand.entry.specifier.strip())
    if match is None or install_set.locked:
        return None
    alone = context.offer(demand.entry).only_public and demand.entry.channel == "pip" and demand.entry.url is None
    beside_vendor = any(each.why == "vendor" for each in install_set.demands.get("torch", ()))
    if not alone or beside_vendor:
        return None  # The image of a vendor has it, beside a torch of that vendor.
    made = f"is a build from source, of commit {match['commit']}"
    message = f"{asked(demand)} {made}: the public index does not have it"
    finding = context.finding("TL502", "warning", message, [demand])
    release = match["release"]
    known = release in context.stack.packages[demand.name].versions
    text = f"Write {demand.name}=={release}, the release of that source." if known else "Write a release."
    finding.remedy = Remedy(text)
    return finding


def _unjudged(context: AuditContext, demand: Demand) -> Finding | None:
    """A note on a version that the table does not have."""
    if demand.why == "image":
        image = (demand.entry.url or "").removeprefix("image:")
        why = image_of(image).unknown
        unknown = f"the {demand.name} version in {image}, if any, is unknown" + (f" ({why})" if why else "")
        message = f"{unknown}: packages that must match it were not judged"
        return context.finding("TL902", "note", message, [demand])
    package = context.stack.packages[demand.name]
    if demand.why == "newer" and (lack := _lack(demand)):
        return context.finding("TL902", "note", f"{asked(demand)} was not judged: {lack}", [demand])
    rule, why = {
        "newer": ("TL902", f"newer than the data ({package.versions[-1]}, {as_of(context.known.date)})"),
        "vendor": ("TL903", "a third-party build"),
        "unfinished": ("TL903", "not a final release"),
        "url": ("TL903", "installed from a file, a folder or a repository"),
    }.get(demand.why, ("", ""))
    return context.finding(rule, "note", f"{asked(demand)} is {why}: not judged", [demand]) if rule else None


def _lack(demand: Demand) -> str:
    """Why the last update of the data does not say what this release works with; "" if it does not have it."""
    found, version = tables.overlay(), pinned(demand.entry.specifier)
    if found is None or version is None:
        return ""
    reasons = found.unproven.get(demand.name, {}).get(str(version.public), {})
    return "; ".join(f"{why} ({place})" if place else why for place, why in reasons.items())


def _absent(context: AuditContext, install_set: InstallSet, demand: Demand) -> Finding | None:
    offer = context.offer(demand.entry)
    version = demand.entry.specifier.partition("+")[0].lstrip("= ")
    date, package = as_of(context.known.date), context.stack.packages[demand.name]
    if not isinstance(context.known.builds.labels(demand.name, version), Unknown):
        # The PyTorch index has it, although the public index does not. Of torch before 1.0 the data knows neither.
        old = demand.name == "torch" and version.startswith("0.")
        alone = offer.only_public and demand.entry.channel == "pip" and not demand.label and "post" not in version
        if old or not alone or not demand.exact or install_set.locked:
            return None
        severity = severity_of(fails=not _elsewhere(context, install_set, demand))
        message = f"the public index has no {asked(demand)} ({date}), only the index of PyTorch has it"
        return context.finding("TL502", severity, message, [demand])
    if offer.unknown or demand.entry.channel != "pip":
        where = "the index named here" if demand.entry.channel == "pip" else "conda's channel"
        message = (
            f"the public index has no {asked(demand)} ({date}), and the content of {where} is unknown: not judged"
        )
        return context.finding("TL902", "note", message, [demand])
    near = _near(version, package.versions) if demand.exact else ""
    severity = severity_of(fails=offer.public and not _elsewhere(context, install_set, demand))
    return context.finding("TL502", severity, f"there is no {asked(demand)} ({date}){near}", [demand])


def _elsewhere(context: AuditContext, install_set: InstallSet, demand: Demand) -> bool:
    """Whether other targets take the same package from an index with unknown content."""
    return any(
        other is not install_set for other in context.from_unknown.get((demand.name, demand.entry.specifier), ())
    )


def _near(version: str, texts: list[str]) -> str:
    series = ".".join(version.split(".")[:2])
    found = [text for text in texts if text == series or text.startswith(f"{series}.")]
    return f": the releases of {series} are {listed(found)}" if found else ""


@rule("TL506")
def conflicting_lines(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """One package twice, with versions that no release satisfies together."""
    if install_set.locked:
        return
    for name, demands in install_set.demands.items():
        known = [demand for demand in demands if demand.releases]
        if len(known) > 1 and install_set.releases(name) == 0:
            shown = [f"{asked(demand)} ({_where(context, demand)})" for demand in known[: -_SHOWN - 1 : -1]]
            texts = listed(shown if len(known) <= _SHOWN else [*shown, f"{len(known) - _SHOWN} others"])
            yield context.finding("TL506", "error", f"no release satisfies {texts} together", known[::-1])


# The limit on the conflicting lines that a message names; it counts the others.
_SHOWN = 6


def _where(context: AuditContext, demand: Demand) -> str:
    line = f"line {demand.entry.place.line}" if demand.entry.place.line else ""
    elsewhere = demand.entry.path if demand.entry.path != context.document.path or not line else ""
    return " of ".join(filter(None, (line, elsewhere)))


@rule("TL508")
def yanked(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Pins of releases that were withdrawn (PEP 592)."""
    for name, demands in install_set.demands.items():
        package = context.stack.packages[name]
        for demand in demands:
            # A labelled build is of another index, which withdraws nothing.
            if demand.exact and not demand.label and demand.releases and demand.releases & package.yanked:
                index = next(bits(demand.releases))
                reason = context.reason_yanked(name, package.versions[index])
                message = f"{asked(demand)} was withdrawn{f': {reason}' if reason else ''}"
                yield context.finding("TL508", "warning", message, [demand])


@rule("TL902", on="document")
def left_out(context: AuditContext) -> Iterator[Finding]:
    """A note on the extras and groups that are not judged because there are too many."""
    if context.left_out:
        first = context.left_out[0].partition(":")[2] or context.left_out[0]
        count, sets = len(context.left_out), "set" if len(context.left_out) == 1 else "sets"
        message = (
            f"this file has too many requirements: {count} {sets} of them (extras, groups, "
            f"environments), from {first!r} on, {'was' if count == 1 else 'were'} not judged"
        )
        mine = [entry for entry in context.document.entries if entry.scope == context.left_out[0]]
        yield context.finding("TL902", "note", message, [Demand(entry, None) for entry in mine[:1]])


@rule("TL510")
def conda_and_pip(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """A file in which conda and pip both install torch."""
    if "torch" in install_set.demands and len(context.sides.channels("torch", install_set.scope)) > 1:
        message = "conda and pip both install torch here: the second replaces files of the first"
        finding = context.finding("TL510", "warning", message, [install_set.first("torch")])
        finding.remedy = Remedy("Install torch with conda or with pip, not with both.")
        yield finding
