"""From keywords to the arguments of a job, by the table of options that the command line has."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from torchlock.api.values import Message
from torchlock.cli.parser import arguments_of, blamed
from torchlock.errors import InputError, TorchlockError
from torchlock.jobs.config_files import Choice, Finder
from torchlock.jobs.listener import Recorder
from torchlock.redaction import Apart, learn, learn_variables, masked

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SEARCH = "search"
# What public functions take and commands have no option for.
_NO_OPTIONS = frozenset(
    {"paths", "content", "name", "requirements", "log_text", "settings", "on_message", "on_progress"}
)


def request(
    command: str, operands: Sequence[str | Path], options: Mapping[str, Any], settings: str | Path | None
) -> argparse.Namespace:
    """The arguments of a command. ``options`` are by the names of its options, with ``_`` for ``-``.

    None, False and an empty sequence leave an option out; True sets a switch; a sequence gives each of its values.
    ``settings`` is the configuration file; ``"search"`` for those that the command finds, and for ``TORCHLOCK_*``
    variables; None for neither.

    Raises:
        InputError: a value cannot be used.
    """
    words = [*_words(options), "--json", *map(_operand, operands)]
    learn(*words)
    learn_variables(os.environ)
    is_found = settings == SEARCH
    choice = Choice() if is_found else Choice(forbidden=True) if settings is None else Choice(os.fspath(settings))
    environ = os.environ if is_found else {}
    return arguments_of(command, words, Finder(choice, environ), environ)


def options_of(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The options among the keywords of a public function, which are its ``locals()`` where it begins."""
    return {name: value for name, value in keywords.items() if name not in _NO_OPTIONS}


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """A block that shares nothing with other calls, and raises no error but ``TorchlockError``.

    Raises:
        InputError: a file or folder cannot be read.
    """
    with Apart():
        try:
            yield
        except OSError as error:
            raise InputError(masked(error.strerror or str(error)), path=_path(error)) from error
        except TorchlockError as error:
            error.message, error.hint = masked(error.message), None if error.hint is None else masked(error.hint)
            error.args = (error.message,)
            raise


@contextlib.contextmanager
def call(
    command: str, operands: Sequence[str | Path], options: Mapping[str, Any], settings: str | Path | None
) -> Iterator[argparse.Namespace]:
    """A block that does the job of a command with the arguments of a request.

    Raises:
        TorchlockError: the block raised one, or a value cannot be used.
    """
    with apart():
        arguments = request(command, operands, options, settings)
        with blamed(arguments):
            yield arguments


class Ear(Recorder):
    """Keeps what a job says, without secrets."""

    def __init__(
        self, on_message: Callable[[Message], None] | None, on_progress: Callable[[str], None] | None
    ) -> None:
        heard = None if on_message is None else lambda kind, text: on_message(Message(kind, text))
        step = None if on_progress is None else lambda text: on_progress(masked(text))
        super().__init__(heard, step)

    def say(self, kind: str, text: str) -> None:
        """Keep a message."""
        super().say(kind, masked(text))


def refuse_standard_input(*values: str | Path | None) -> None:
    """Refuse the name of standard input, which belongs to the program that calls.

    Raises:
        InputError: a value is ``-``.
    """
    if "-" in map(str, values):
        raise InputError("standard input is not read here", hint="name a file, or pass a text")


def several(values: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    """One value or several as a list."""
    if values is None:
        return []
    return list(values) if not isinstance(values, (str, os.PathLike)) else [values]


def _words(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        elif value is not None and value is not False:
            values = [value] if isinstance(value, (int, float)) else several(value)
            yield from (f"{flag}={each}" for each in values)


def _operand(value: str | Path) -> str:
    """An operand that is not read as an option."""
    text = str(value)
    return f"./{text}" if text.startswith("-") else text


def _path(error: OSError) -> str | None:
    return None if error.filename is None else os.fsdecode(error.filename)
