"""Converts entries of a document to the requirements that the solver takes."""

from __future__ import annotations

from torchlock.errors import InputError
from torchlock.manifests.paths import near
from torchlock.manifests.syntax.pip_options import expand, parse_options
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.records import replace
from torchlock.redaction import shortened
from torchlock.standards.names import normalise
from torchlock.standards.plain_requirement import text_of_specifier
from torchlock.terms import Origin, ParsedRequirement, Source
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from torchlock.manifests.document import Entry


def parsed_requirement(
    entry: Entry, sources: Mapping[str, list[Source]], variables: Mapping[str, str]
) -> ParsedRequirement:
    """An entry as a parsed requirement, with the sources of its package.

    A PEP 508 text is parsed; in other formats the fields of the entry are used.

    Raises:
        InputError: it is not a requirement.
    """
    origin = Origin(entry.path, entry.place.line or None, entry.text)
    found = _from_text(entry, origin, variables) or _from_fields(entry, origin)
    if entry.index is not None and entry.channel == "pip":
        return found._replace(sources=(Source(origin, index_url=expand(entry.index, variables)),))
    scope = entry.home or entry.scope
    fitting = tuple(source for source in sources.get(entry.name, ()) if source.scope in ("", scope))
    if not fitting:
        return found
    if found.url is not None and entry.name:
        found = _from_fields(replace(entry, url=None, specifier=""), origin)
    return found._replace(sources=fitting)


def _from_text(entry: Entry, origin: Origin, variables: Mapping[str, str]) -> ParsedRequirement | None:
    """The requirement in the text of an entry; None if the text says less than the entry."""
    as_option = entry.text.startswith("-")
    if entry.style != "pep440" or entry.channel != "pip" or entry.editable != as_option:
        return None
    try:
        found = _parsed(entry, origin, variables)
    except InputError:
        if not entry.name:
            raise
        return None
    requirement = found.requirement
    if requirement is None:
        return None if entry.name else found
    if not _says_the_same(requirement, entry, found.url):
        return None
    if entry.marker and entry.marker not in entry.text:
        from packaging.markers import Marker

        requirement.marker = Marker(entry.marker)
    return found


def _parsed(entry: Entry, origin: Origin, variables: Mapping[str, str]) -> ParsedRequirement:
    text = entry.text
    if entry.editable:
        options, _ = parse_options(text)
        text = next(option.value for option in options if option.name == "--editable")
    return parse_requirement(expand(text, variables), origin, hashes=entry.hashes, editable=entry.editable)


def _says_the_same(requirement: Requirement, entry: Entry, url: str | None) -> bool:
    extras = {normalise(extra) for extra in requirement.extras}
    told = normalise(requirement.name), extras, url or ""
    if told != (entry.name, set(entry.extras), entry.url or ""):
        return False
    if url is not None or text_of_specifier(requirement) == entry.specifier:
        return True
    from packaging.specifiers import SpecifierSet

    return bool(requirement.specifier == SpecifierSet(entry.specifier))


def _from_fields(entry: Entry, origin: Origin) -> ParsedRequirement:
    """The requirement of an entry whose format has its own spelling."""
    from packaging.requirements import InvalidRequirement, Requirement

    extras = f"[{','.join(entry.extras)}]" if entry.extras else ""
    marker = f" ; {entry.marker}" if entry.marker else ""
    try:
        requirement = Requirement(f"{entry.name}{extras}{entry.specifier}{marker}")
    except InvalidRequirement:
        message = f"{shortened(entry.text)!r} is not a requirement"
        raise InputError(message, path=origin.path, line=origin.line) from None
    sources = (Source(origin, url=near(entry.path, entry.url), editable=entry.editable),) if entry.url else ()
    return ParsedRequirement(requirement, origin, hashes=entry.hashes, sources=sources)
