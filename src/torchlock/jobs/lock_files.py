"""The files of a lock for many targets: which targets a file holds, by the fields of its name."""

from __future__ import annotations

import argparse
import re

from torchlock.errors import InputError
from torchlock.patterns import pattern
from torchlock.records import NamedTuple
from torchlock.spelling import meant
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.jobs.cells import Cell

FIELDS = ("python", "platform", "accelerator", "target")
_FIELD = pattern(r"\{([^{}]*)\}")


class LockFile(NamedTuple):
    """One output: its arguments, with the name of the file in ``output``, and the indexes of its targets."""

    arguments: argparse.Namespace
    cells: tuple[int, ...]


def with_fields(arguments: argparse.Namespace, cell: Cell) -> argparse.Namespace:
    """The arguments with the name of the output file for one target.

    Raises:
        InputError: the name has an unknown field, or one that is empty for this target.
    """
    if arguments.output is None or not ("{" in arguments.output or "}" in arguments.output):
        return arguments
    from pathlib import Path

    name = Path(arguments.output).name
    pylock = name.startswith("pylock.") and name.endswith(".toml")

    if re.search(r"[{}]", _FIELD.sub("", name)):
        hint = "write a field like {accelerator}"
        raise InputError(f"-o {arguments.output}: a brace has no partner", hint=hint)

    def value(match: re.Match[str]) -> str:
        field = match[1]
        if field not in FIELDS:
            known = ", ".join(f"{{{each}}}" for each in (*FIELDS, "extra"))
            said = f"-o {arguments.output}: unknown field {{{field}}}{meant(field, (*FIELDS, 'extra'))}"
            raise InputError(said, hint=f"the fields are {known}")
        if not cell.values[field]:
            why = "the targets have no names" if field == "target" else f"no --{field} is given"
            hint = "name targets in [[tool.torchlock.target]]" if field == "target" else f"use --{field}"
            raise InputError(f"-o {arguments.output}: {{{field}}} has no value, because {why}", hint=hint)
        text = re.sub(r"[^\w.+-]", "-", cell.values[field])
        return text.replace(".", "_") if pylock else text  # pylock.NAME.toml: NAME has no dot (PEP 751)

    return argparse.Namespace(**{**vars(arguments), "output": _FIELD.sub(value, arguments.output)})


def files_of(arguments: argparse.Namespace, cells: Sequence[Cell]) -> list[LockFile]:
    """The output files, each with its targets; one file without a name for standard output.

    Raises:
        InputError: as ``with_fields``.
    """
    by_name: dict[str | None, list[int]] = {}
    for index, cell in enumerate(cells):
        named = with_fields(argparse.Namespace(**{**vars(cell.arguments), "output": arguments.output}), cell)
        by_name.setdefault(named.output, []).append(index)
    return [
        LockFile(argparse.Namespace(**{**vars(arguments), "output": name}), tuple(found))
        for name, found in by_name.items()
    ]


def separating_field(first: Cell, second: Cell) -> str:
    """The field of a file name that separates two targets that no marker separates; "" if none does."""
    for field in ("accelerator", "target", "platform", "python"):
        if first.values[field] != second.values[field] and first.values[field] and second.values[field]:
            return field
    return ""


def with_another_field(output: str | None, field: str, *, pylock: bool) -> str:
    """A name for the output that also has this field."""
    name = output or ("pylock.toml" if pylock else "requirements.txt")
    from pathlib import Path

    path = Path(name)
    separator = "." if pylock and path.stem == "pylock" else "-"
    return str(path.with_name(f"{path.stem}{separator}{{{field}}}{path.suffix}"))
