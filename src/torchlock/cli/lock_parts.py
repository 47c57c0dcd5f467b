"""Extras and groups that a project declares as conflicting, locked apart: ``{extra}`` in the output's name."""

from __future__ import annotations

import argparse
from itertools import product

from torchlock.errors import InputError
from torchlock.standards.names import normalise
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

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
    every = {scope for each in apart for scope in each}
    choices = dict.fromkeys(tuple(sorted(set(choice))) for choice in product(*apart))
    return [
        _with_choice(arguments, selected, every, choice)
        for choice in choices
        if all(len({*choice}.intersection(each)) <= 1 for each in apart)
    ]


def _with_choice(
    arguments: argparse.Namespace, selected: Sequence[str], apart: Collection[str], choice: Sequence[str]
) -> argparse.Namespace:
    from pathlib import Path

    path = Path(arguments.output)
    name = path.name
    value = "-".join(scope.partition(":")[2] for scope in choice)
    value = value.replace(".", "_") if name.startswith("pylock.") else value
    scopes = [scope for scope in selected if scope not in apart or scope in choice]
    return argparse.Namespace(
        **{
            **vars(arguments),
            "output": str(path.with_name(name.replace(_FIELD, value))),
            "extras": [*_named("extra", scopes)],
            "groups": [*_named("group", scopes)],
            "all_extras": False,
            "all_groups": False,
        }
    )


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
