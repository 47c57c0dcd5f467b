"""Without --accelerator: the build that the input itself names (``lock/named_build.py``)."""

from __future__ import annotations

from itertools import chain

from torchlock.errors import WrongTarget
from torchlock.jobs.sources import root_of_builds
from torchlock.records import NamedTuple, replace
from torchlock.redaction import masked
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from torchlock.jobs.listener import Listener
    from torchlock.lock.named_build import NamedBuild
    from torchlock.target import Target
    from torchlock.terms import Inputs

_AS_NAMED = "use --accelerator pypi, with which each index of the input is asked as it is named"


class Taken(NamedTuple):
    """The target with its build, and what to do if there is no lock for it ("" for nothing)."""

    target: Target
    advice: str = ""


def take_named_build(
    arguments: argparse.Namespace, inputs: Inputs, target: Target, console: Listener, files: Sequence[str] = ()
) -> Taken:
    """Set the build that the input names, unless --accelerator is given; a note says which line names it.

    ``files`` are the input files. Locks of other tools among them count if nothing else names a place.

    Raises:
        InputError: the target has no such build, or --builds-url is not an address.
    """
    if arguments.accelerator is not None:
        return Taken(target)
    arguments.accelerator = "pypi"
    extra = [*arguments.extra_index_urls, *inputs.extra_index_urls]
    asked = replace(inputs, index_url=arguments.index_url or inputs.index_url, extra_index_urls=extra)
    is_plain = not _names_places(asked)
    locks = _locks_of(files)
    if is_plain and not locks:
        return Taken(target)
    from torchlock.lock.named_build import NamedBuild, named_build

    found = NamedBuild() if is_plain else named_build(asked, target, root_of_builds(arguments))
    if not (found.label or found.several or inputs.no_index):
        found = next(_of_locks(arguments, locks, target), found)
    if found.place is not None:
        return _with_build(found, arguments, target, console)
    if found.several:
        places = "; ".join(map(str, found.several))
        said = f"the input names several places of the torch family, and each is asked as it is named: {places}"
        console.say("note", masked(said))
    return Taken(target, _advice(found))


def _names_places(inputs: Inputs) -> bool:
    """Whether a line may name a place of packages; False for plain requirements."""
    return bool(
        inputs.routes
        or inputs.index_url
        or inputs.extra_index_urls
        or inputs.find_links
        or any(
            written.url or "+" in str(written.requirement)
            for written in chain(inputs.requirements, inputs.constraints, inputs.overrides)
        )
    )


def _advice(found: NamedBuild) -> str:
    """How to choose a build that the input leaves open; "" if it names none."""
    fixed = [place.label for place in found.several if place.fixed]
    labels = fixed or [place.label for place in found.several if place.label]
    if len(fixed) > 1 or "" in fixed or not (labels or found.any_build):
        return ""
    said = "to take the whole torch family from one folder of the PyTorch index"
    return f"name the build, like --accelerator {labels[0] if labels else 'cpu'}, {said}"


def _with_build(found: NamedBuild, arguments: argparse.Namespace, target: Target, console: Listener) -> Taken:
    """The target with the one build that is named."""
    from torchlock.jobs.target import check_build

    label, place = found.label, found.place
    assert place is not None
    try:
        check_build(label, target.platform)
    except WrongTarget as error:
        path, line, _ = place.origin
        raise WrongTarget(
            f"{masked(place.what)}: {error.message}", path=path, line=line, hint=error.hint
        ) from None
    names = " and ".join(found.others)
    others = f"; this includes {names}, for which no line names an index" if names else ""
    said = f"{place.origin}: {place.what} names the build {label}, so the whole torch family comes from its folder"
    console.say("note", masked(f"{said} of the PyTorch index, as with --accelerator {label}{others}"))
    arguments.accelerator = label
    return Taken(replace(target, accelerator=label), _AS_NAMED)


def _locks_of(files: Sequence[str]) -> list[tuple[str, str]]:
    """The locks of other tools among the input files, with their formats."""
    if not files:
        return []
    from torchlock.manifests.lockable import lock_kind

    return [(file, kind) for file in files if (kind := lock_kind(file))]


def _of_locks(
    arguments: argparse.Namespace, locks: Sequence[tuple[str, str]], target: Target
) -> Iterator[NamedBuild]:
    """The builds that locks of other tools name."""
    if not locks:
        return
    from torchlock.lock.named_build import build_of_lock
    from torchlock.manifests.pins import read_lock

    for file, kind in locks:
        document = read_lock(file, kind)
        scopes = {entry.scope for entry in document.entries if _is_requested(entry.scope, arguments)}
        found = build_of_lock(document.entries, scopes, target, root_of_builds(arguments))
        if found.label:
            yield found


def _is_requested(scope: str, arguments: argparse.Namespace) -> bool:
    from torchlock.standards.names import normalise

    kind, _, name = scope.partition(":")
    asked = arguments.extras if kind == "extra" else arguments.groups
    every = arguments.all_extras if kind == "extra" else kind == "group" and arguments.all_groups
    return every or name in map(normalise, asked)
