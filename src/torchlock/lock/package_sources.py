"""The sources of a project that apply to the target: indexes for single packages, addresses for names."""

from __future__ import annotations

from torchlock.errors import InputError, WrongTarget
from torchlock.records import replace
from torchlock.standards.names import normalise
from torchlock.terms import Origin
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from torchlock.target import Target
    from torchlock.terms import Inputs, ParsedRequirement, Source


def settled(inputs: Inputs, target: Target) -> Inputs:
    """The inputs with the sources that hold on the target: as ``routes``, and as requirements by address.

    Of a package by address the version that was asked for stays as a constraint.

    Raises:
        InputError: the project leaves the target out, names two indexes for one package, or an address for an
            override.
    """
    if inputs.environments and not any(target.holds(each.text) for each in inputs.environments):
        path, line, _ = inputs.environments[0]
        allowed = "; ".join(each.text for each in inputs.environments)
        raise WrongTarget(f"the project is locked for {allowed} only, not for {target}", path=path, line=line)
    found = replace(inputs, requirements=[], constraints=[*inputs.constraints], routes=dict(inputs.routes))
    for written in [*inputs.constraints, *inputs.overrides]:
        source = source_for(written, target)
        if source is not None and source.index_url:
            _route(found, written, source)
        elif source is not None:
            _refuse_address(written, inputs)
    for written in inputs.requirements:
        source = source_for(written, target)
        if source is None or written.requirement is None:
            found.requirements.append(written)
        elif source.index_url:
            _route(found, written, source)
            found.requirements.append(written)
        else:
            found.requirements.append(_by_address(written, source))
            if written.requirement.specifier:
                found.constraints.append(_versions(written))
    return found


def source_for(written: ParsedRequirement, target: Target) -> Source | None:
    """The source of a line that holds on the target; None for the common indexes."""
    if written.requirement is None or written.url is not None:
        return None
    if not target.holds(str(written.requirement.marker or "")):
        return None
    return next((source for source in written.sources if target.holds(source.marker)), None)


def _route(inputs: Inputs, written: ParsedRequirement, source: Source) -> None:
    name = normalise(written.requirement.name) if written.requirement else ""
    if inputs.routes.setdefault(name, source.index_url) != source.index_url:
        path, line, _ = source.origin
        raise InputError(
            f"{name} has another index besides this one", path=path, line=line, hint="keep one of them"
        )


def _refuse_address(written: ParsedRequirement, inputs: Inputs) -> None:
    """Refuse an address of an override, and of a constraint on a package that no requirement takes from there."""
    required = {normalise(one.requirement.name) for one in inputs.requirements if one.requirement}
    name = normalise(written.requirement.name) if written.requirement else ""
    if name not in required or any(written is override for override in inputs.overrides):
        path, line, text = written.origin
        message = f"{text}: a URL is supported in a requirement only, not in a constraint or an override"
        raise InputError(message, path=path, line=line)


def _by_address(written: ParsedRequirement, source: Source) -> ParsedRequirement:
    """The requirement by address, spelled as pip takes it."""
    from packaging.requirements import Requirement

    requirement = Requirement(str(written.requirement))
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    is_path = "://" not in source.url
    text = f"{source.url}{extras}{marker}" if is_path else f"{requirement.name}{extras} @ {source.url}{marker}"
    text = f"-e {text}" if source.editable else text
    named = Requirement(f"{requirement.name}{extras}{marker}")
    origin = Origin(source.origin.path, source.origin.line, text)
    return written._replace(requirement=named, origin=origin, url=source.url, editable=source.editable, sources=())


def _versions(written: ParsedRequirement) -> ParsedRequirement:
    """The requirement without its extras, as a constraint."""
    from packaging.requirements import Requirement

    constraint = Requirement(str(written.requirement))
    constraint.extras = set()
    return written._replace(requirement=constraint, sources=())
