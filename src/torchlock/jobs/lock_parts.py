"""Extras and groups that a project declares as conflicting: locked apart, or as the parts of one pylock.toml.

With ``{extra}`` in the name of the output, each choice has a lock. A pylock.toml without that field has all of
them, with markers that say which packages belong to which extras.
"""

from __future__ import annotations

import argparse
from itertools import product

from torchlock.errors import InputError
from torchlock.jobs.lock_inputs import inputs_of, is_pylock
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.jobs.cells import Part

_FIELD = "{extra}"


def parted(arguments: argparse.Namespace) -> list[argparse.Namespace]:
    """The arguments for each largest choice of extras and groups that do not conflict; one without the field.

    Raises:
        InputError: nothing that is chosen conflicts, or the input cannot be read.
    """
    output = arguments.output
    if output is None or _FIELD not in output:
        return [arguments]
    from pathlib import Path

    if _FIELD not in Path(output).name:
        return [arguments]
    selected, conflicts = _declared(arguments)
    apart = [[scope for scope in each if scope in selected] for each in conflicts]
    apart = [each for each in apart if len(each) > 1]
    if not apart:
        raise InputError(
            f"-o {output}: {{extra}} has no value, because no extras or groups that are chosen conflict",
            hint="leave the field out",
        )
    if arguments.json:
        raise InputError(f"--json describes one lock, and -o {output} makes several", hint="leave one of them out")
    choices = dict.fromkeys(tuple(sorted(set(choice))) for choice in product(*apart))
    return [
        _with_choice(arguments, selected, apart, choice)
        for choice in choices
        if all(len({*choice}.intersection(each)) <= 1 for each in apart)
    ]


def parts_of(arguments: argparse.Namespace) -> list[Part]:
    """The parts of one pylock.toml, the fullest first; empty if nothing that is chosen conflicts.

    Raises:
        InputError: the input cannot be read, or does not declare what was asked for.
    """
    asked = arguments.extras or arguments.groups or arguments.all_extras or arguments.all_groups
    if not asked or not is_pylock(arguments):
        return []
    from torchlock.jobs.cells import Part
    from torchlock.lock.scope_conditions import choices

    selected, conflicts = _declared(arguments)
    return [
        Part(choice, inputs_of(_only(arguments, selected, choice.sets, choice.scopes)), tuple(selected))
        for choice in choices(selected, conflicts)
    ]


def _only(
    arguments: argparse.Namespace,
    selected: Sequence[str],
    sets: Sequence[Sequence[str]],
    chosen: Sequence[str],
) -> argparse.Namespace:
    """The arguments with these of the exclusive extras and groups, and all others that were asked for."""
    apart = {scope for each in sets for scope in each}
    scopes = [scope for scope in selected if scope not in apart or scope in chosen]
    return argparse.Namespace(
        **{
            **vars(arguments),
            "extras": [*_named("extra", scopes)],
            "groups": [*_named("group", scopes)],
            "all_extras": False,
            "all_groups": False,
        }
    )


def _with_choice(
    arguments: argparse.Namespace, selected: Sequence[str], apart: Sequence[Sequence[str]], choice: Sequence[str]
) -> argparse.Namespace:
    from pathlib import Path

    path = Path(arguments.output)
    name = path.name
    value = "-".join(scope.partition(":")[2] for scope in choice)
    value = value.replace(".", "_") if name.startswith("pylock.") else value
    output = str(path.with_name(name.replace(_FIELD, value)))
    return argparse.Namespace(**{**vars(_only(arguments, selected, apart, choice)), "output": output})


def _named(kind: str, scopes: Sequence[str]) -> Iterator[str]:
    return (name for each, _, name in (scope.partition(":") for scope in scopes) if each == kind)


def _declared(arguments: argparse.Namespace) -> tuple[list[str], list[tuple[str, ...]]]:
    """The chosen extras and groups as scopes, and the sets of scopes that the input declares as conflicting."""
    from torchlock.jobs.declared_conflicts import declared_conflicts
    from torchlock.manifests.lockable import document_to_lock, lock_kind

    selected = [f"extra:{normalise(name)}" for name in arguments.extras]
    selected += [f"group:{normalise(name)}" for name in arguments.groups]
    conflicts = [each.scopes for each in declared_conflicts(arguments.config_files)]
    for file in arguments.files or ["pyproject.toml"]:
        document = document_to_lock(file) if file != "-" and not lock_kind(file) else None
        if document is None:
            continue
        conflicts += [each.scopes for each in document.conflicts]
        selected += [each.scope for each in document.extras.values()] if arguments.all_extras else []
        selected += [each.scope for each in document.groups.values()] if arguments.all_groups else []
    return list(dict.fromkeys(selected)), conflicts
