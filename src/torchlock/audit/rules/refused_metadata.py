"""TL511: releases that pip refuses because their metadata has an invalid requirement."""

from __future__ import annotations

from packaging.specifiers import SpecifierSet

from torchlock.audit.brought import brought
from torchlock.audit.install_sets import Demand, pinned
from torchlock.audit.phrasing import asked
from torchlock.audit.rules.declared_requirements import ignores_metadata
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.audit.brought import Brought
    from torchlock.audit.context import AuditContext
    from torchlock.audit.install_sets import InstallSet
    from torchlock.finding import Finding
    from torchlock.knowledge.rules import Statement
    from torchlock.manifests.document import Document, Entry

# Since this release pip refuses metadata that is not valid.
_STRICT = SpecifierSet(">=24.1")
_OLDEST_MINOR = 8
_STRICT_PIPS = ("24.1", "24.1.2", "24.2", "24.3.1", "25.0", "25.3", "26.0", "999")
# Lock formats that pip does not read.
_WITHOUT_PIP = frozenset({"uv.lock", "poetry.lock", "pdm.lock"})


@rule("TL511", on="document")
def refused(context: AuditContext) -> Iterator[Finding]:
    """Pins of releases of any package that pip refuses because of their metadata."""
    if _has_old_pip(context.document):
        return
    for entry in context.document.entries if context.document.kind not in _WITHOUT_PIP else ():
        version = pinned(entry.specifier)
        if version is None or entry.channel != "pip" or entry.url is not None:
            continue
        for statement in context.known.matrix.about(entry.name):
            if statement.refused and specifier_set(statement.when.specifier).contains(version):
                demand = Demand(entry, None, exact=True)
                declares = f"it declares {statement.refused!r}, which is not a valid requirement"
                message = f"pip 24.1 and later refuse {asked(demand)}: {declares}"
                finding = context.statement(statement, "warning", message, [demand])
                others = f"a release of {entry.name} that is not in {statement.when.specifier}"
                finding.remedy = Remedy(f"Before this, run: pip install 'pip<24.1'. Or use {others}.")
                yield finding


def _has_old_pip(document: Document) -> bool:
    """Whether pip is certainly one that accepts such metadata: the one of the image, or one that is asked for."""
    if document.pip:
        return document.pip not in _STRICT
    asked = [
        entry.specifier
        for entry in document.entries
        if entry.name == "pip" and (entry.step or entry.channel == "conda")
    ]
    return bool(asked) and not any(version in specifier_set(text) for text in asked for version in _STRICT_PIPS)


# Other installers repair such requirements, as uv does with ``>=5.1.*``.
# The pattern begins with letters, because notebooks have megabytes of other text.
_OF_UV = pattern(r"uv(?<!\wuv)(?:[ \t]{1,8}(?:pip|add|sync|run|lock)\b|x\b)")
_SETTINGS_OF_UV = "[tool.uv"


@rule("TL511")
def refused_for_others(context: AuditContext, install_set: InstallSet) -> Iterator[Finding]:
    """Packages whose metadata allows only releases of another package that pip refuses."""
    if install_set.locked or not context.once(_is_read_by_pip):
        return
    refused = _refused(context)
    if not any(_is_pinned(entry) for entry in context.sides.of_pip(install_set.scope)):
        return
    for one in brought(context, install_set, refused.keys()):
        statement = _of_all_releases(context, one, refused.get(one.entry.name, []))
        lead = next(entry for entry in context.sides.of_pip(install_set.scope) if entry.name == one.lead)
        certain = statement is not None and _is_pinned(lead) and _is_only_way(context, install_set, one)
        if statement is not None and certain and one.cells & _with_strict_pip(context):
            words = f"pip 24.1 and later refuse each of these releases ({statement.refused!r} in its metadata)"
            message = f"{one}: {words}"
            finding = context.statement(statement, "warning", message, [Demand(lead, None)])
            finding.remedy = Remedy("Before this, run: pip install 'pip<24.1'. Or use uv, which accepts them.")
            yield finding
            return


def _is_read_by_pip(document: Document) -> bool:
    """Whether a pip that refuses such metadata may read it, and no other installer."""
    if _has_old_pip(document) or ignores_metadata(document):
        return False
    return _SETTINGS_OF_UV not in document.text and _OF_UV.search(document.text) is None


def _is_pinned(entry: Entry) -> bool:
    return entry.name not in FAMILY and entry.url is None and pinned(entry.specifier) is not None


def _of_all_releases(context: AuditContext, one: Brought, statements: Sequence[Statement]) -> Statement | None:
    """A statement, if statements are about all releases that a package declares."""
    found = None
    for release in context.known.declared.allowed(one.entry.name, one.entry.specifier) if statements else ():
        about = (each for each in statements if specifier_set(each.when.specifier).contains(release.version))
        found = next(about, None)
        if found is None:
            return None
    return found


def _is_only_way(context: AuditContext, install_set: InstallSet, one: Brought) -> bool:
    """Whether an installer has no other release of the package that declares this."""
    name = one.chain[-1].partition(" ")[0]
    return len(one.chain) == 1 or any(
        len(context.known.declared.allowed(name, other.entry.specifier)) == 1
        for other in brought(context, install_set, {name})
        if other.entry.name == name and other.chain == one.chain[:-1]
    )


def _with_strict_pip(context: AuditContext) -> int:
    """The cells with a Python that such a pip supports."""
    stack = context.stack
    return stack.on_pythons(index for index, minor in enumerate(stack.pythons) if minor >= _OLDEST_MINOR)


def _refused(context: AuditContext) -> dict[str, list[Statement]]:
    """The statements on refused releases, by package."""
    found: dict[str, list[Statement]] = {}
    for each in context.known.matrix.all_refusing:
        found.setdefault(each.when.name, []).append(each)
    return found
