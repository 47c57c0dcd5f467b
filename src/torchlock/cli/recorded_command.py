"""The options in the first lines of a lock, for a command that makes it again.

Anybody can write these lines. So only options are taken that choose what is locked for which target: never an
index, a program to run, or a file outside of the project.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.runtime.project_folder import is_outside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_HEADER = 4000
_COMMAND = re.compile(r"^#[ \t]{1,20}torchlock lock (.{1,4000})$", re.MULTILINE)
_VERSION = re.compile(r"[0-9][\w.-]*")
# Options that are taken as they are, by the name of their value.
_TAKEN = frozenset(
    {
        *("python", "platform", "accelerator", "gpu", "system", "system_lib", "base_image"),
        *("universal", "targets", "fork", "partial"),
        *("extras", "all_extras", "groups", "prefer", "exclude_newer", "pre", "unproven"),
        *("format", "builds_by", "no_hashes", "no_annotate"),
    }
)
_FILES = ("files", "constraints", "overrides")
# Options that choose where packages come from, or that run something.
_REFUSED = {
    "index_url": "--index-url",
    "extra_index_urls": "--extra-index-url",
    "builds_url": "--builds-url",
    "constraint_from": "--constraint-from",
    "build": "--build",
}


class Recorded(NamedTuple):
    """What a lock says about the command that made it.

    ``words`` are those of the command, empty if the lock states none; ``missing`` are its options that are not
    taken from a file.
    """

    arguments: argparse.Namespace
    words: list[str]
    missing: tuple[str, ...] = ()


def recorded(text: str, path: str, arguments: argparse.Namespace) -> Recorded:
    """The arguments of a command, with the options that it does not state from the first lines of a lock.

    ``path`` is that of the lock. Its requirements on the command line are added, if they name no address.
    """
    match = _COMMAND.search(text[:_HEADER])
    found = _parsed(match[1]) if match else None
    if match is None or found is None:
        return Recorded(arguments, [])
    words, options = ["lock", *shlex.split(match[1])], _options_of(found[1])
    values, given = dict(vars(arguments)), {word.partition("=")[0] for word in arguments.argv}
    missing = []
    for name, value in vars(found[0]).items():
        repeated = name in _FILES
        if value == found[1].get_default(name) or not (repeated or given.isdisjoint(options.get(name, ()))):
            continue
        if name in _REFUSED:
            missing.append(_REFUSED[name])
        elif name in _TAKEN and not _is_path(name, value):
            values[name] = value
        elif name in _TAKEN:
            missing.append(f"--{name}")
        elif repeated:
            more = [each for each in value if each not in values[name] and not is_outside(each, path)]
            values[name] = [*values[name], *more]
    values["requirements"] = [each for each in found[0].requirements if "@" not in each and "/" not in each]
    return Recorded(argparse.Namespace(**values), words, tuple(missing))


def _parsed(command: str) -> tuple[argparse.Namespace, argparse.ArgumentParser] | None:
    """The arguments of a command of the lock, and their parser; None if it cannot be read."""
    from torchlock.cli.parser import parser_of

    parser, _ = parser_of("lock")
    try:
        return parser.parse_intermixed_args(shlex.split(command)), parser_of("lock")[0]
    except (InputError, ValueError, SystemExit):
        return None


def _options_of(parser: argparse.ArgumentParser) -> dict[str, Collection[str]]:
    """The spellings of each option, by the name of its value."""
    return {action.dest: action.option_strings for action in parser._actions if action.option_strings}


def _is_path(name: str, value: object) -> bool:
    """Whether a value names an interpreter, which would be run."""
    values: Iterable[object] = value if isinstance(value, list) else [value]
    return name == "python" and not all(isinstance(each, str) and _VERSION.fullmatch(each) for each in values)
