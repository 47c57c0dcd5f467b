"""The options in the first lines of a lock, for a command that makes it again.

Anybody can write these lines. So only options are taken that choose what is locked for which target, with values
that a project may set (``jobs/project.py``): no program to run, and no file outside of the project. An index is
not taken either: its credentials are masked there.
"""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, NamedTuple

from torchlock.errors import InputError
from torchlock.jobs.config_files import current_folder
from torchlock.jobs.project import objection, refusal
from torchlock.manifests.lock_comments import read_lock_comments

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = 4000
_COMMAND = re.compile(r"^#[ \t]{1,20}torchlock lock (.{1,4000})$", re.MULTILINE)
# Options that are taken, by the name of their value.
_TAKEN = frozenset(
    {
        *("python", "platform", "accelerator", "gpu", "system", "system_lib", "base_image"),
        *("universal", "targets", "fork", "partial"),
        *("extras", "all_extras", "groups", "all_groups", "prefer", "exclude_newer", "pre", "unproven"),
        *("format", "builds_by", "no_hashes", "no_annotate"),
    }
)
# Options that are taken in addition to those of the command line.
_FILES = ("files", "constraints", "overrides")
# Options that are not taken, and without which the lock may become another one.
_NEEDED = frozenset({"index_url", "extra_index_urls", "builds_url", "constraint_from", "build"})


class Recorded(NamedTuple):
    """What a lock says about the command that made it.

    ``words`` are those of the command, empty if the lock states none; ``missing`` are its options that are not
    taken from a file.
    """

    arguments: argparse.Namespace
    words: list[str]
    missing: tuple[str, ...] = ()


def recorded(text: str, arguments: argparse.Namespace) -> Recorded:
    """The arguments of a command, with the options that it does not state from the first lines of a lock.

    Requirements on its command line are added, if they name no address.
    """
    match = _COMMAND.search(text[:_HEADER])
    found = _parsed(match[1]) if match else None
    if match is None or found is None:
        return Recorded(arguments, [])
    words, options = ["lock", *shlex.split(match[1])], _options_of(found[1])
    values, given = dict(vars(arguments)), {word.partition("=")[0] for word in arguments.argv}
    missing = []
    for name, value in vars(found[0]).items():
        spellings = options.get(name, ())
        if not spellings or value == found[1].get_default(name):
            continue
        refused = _is_refused(spellings[-1][2:], value, text)
        if name in _FILES and not refused:
            values[name] = [*values[name], *(each for each in value if each not in values[name])]
        elif not given.isdisjoint(spellings):
            continue
        elif name in _TAKEN and not refused:
            values[name] = value
        elif name in (*_NEEDED, *_TAKEN, *_FILES):
            missing.append(spellings[-1])
    values["requirements"] = [each for each in found[0].requirements if "@" not in each and "/" not in each]
    return Recorded(argparse.Namespace(**values), words, tuple(missing))


def _is_refused(option: str, value: object, text: str) -> bool:
    """Whether a project may not set an option to this value.

    A lock for the GPU of some machine describes that machine, so its build is not chosen for this one.
    """
    if option in ("accelerator", "gpu") and read_lock_comments(text).machine:
        return False
    return refusal(option) is not None or bool(objection(option, value, current_folder()))


def _parsed(command: str) -> tuple[argparse.Namespace, argparse.ArgumentParser] | None:
    """The arguments of a command of the lock, and their parser; None if it cannot be read."""
    from torchlock.cli.parser import parser_of

    parser, _ = parser_of("lock")
    try:
        return parser.parse_intermixed_args(shlex.split(command)), parser_of("lock")[0]
    except (InputError, ValueError, SystemExit):
        return None


def _options_of(parser: argparse.ArgumentParser) -> dict[str, Sequence[str]]:
    """The spellings of each option, by the name of its value."""
    return {action.dest: action.option_strings for action in parser._actions if action.option_strings}


def merged_words(words: Sequence[str], own: Sequence[str]) -> list[str]:
    """The words of a recorded command, with the options of another command instead of its own.

    Files that both name are named once.
    """
    from torchlock.cli.parser import parser_of

    parser = parser_of("lock")[0]
    recorded_parts = _parts(parser, words[1:])
    own_parts = [part for part in _parts(parser, own[1:]) if part not in recorded_parts]
    replaced = {spelling for part in own_parts for spelling in _spellings(parser, part[0].partition("=")[0])}
    kept = [part for part in recorded_parts if part[0].partition("=")[0] not in replaced or _is_file(parser, part)]
    added = [part for part in own_parts if part not in kept and part[0].startswith("-")]
    return [words[0], *(word for part in (*kept, *added) for word in part)]


def _parts(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[tuple[str, ...]]:
    """Each option with its value, and each other word by itself."""
    found: list[tuple[str, ...]] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        action = parser._option_string_actions.get(word)
        takes = action is not None and action.nargs != 0 and bool(waiting)
        found.append((word, waiting.pop(0)) if takes else (word,))
    return found


def _spellings(parser: argparse.ArgumentParser, option: str) -> Sequence[str]:
    action = parser._option_string_actions.get(option)
    return () if action is None else action.option_strings


def _is_file(parser: argparse.ArgumentParser, part: tuple[str, ...]) -> bool:
    """Whether an option names an input: those of both commands count."""
    action = parser._option_string_actions.get(part[0].partition("=")[0])
    return action is not None and action.dest in _FILES
