"""Run a command, and turn every kind of failure into its exit code. Only this module decides exit codes."""

from __future__ import annotations

import gc
import os
import sys

from torchlock.cli.exit_codes import BUG, FOUND, INTERRUPTED, OK, UNUSABLE
from torchlock.errors import Undecided
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Console, SafeStream
    from torchlock.report.ledger import Ledger


# How many objects are made between two searches for unused cycles. A run makes few cycles; with the 700 of Python,
# these searches take a twentieth of the instructions of a lock.
_OBJECTS = 50_000


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code of the contract.

    0 done; 1 no solution, or a finding of severity error; 2 wrong use or unreadable input; 3 a bug in torchlock;
    130 interrupted; 143 and 129 ended by SIGTERM and SIGHUP. The code describes the result, also if the reader of
    standard output exits early; if standard output fails in another way (a full disk), it is 2.
    """
    from torchlock.cli.streams import Console, safe_streams
    from torchlock.report.ledger import opened
    from torchlock.runtime.interrupts import handled

    gc.set_threshold(_OBJECTS)
    with safe_streams() as output, handled():
        written, voices = opened(), [Console()]
        try:
            return _delivered(_result(argv, voices), output, voices[-1], written)
        except KeyboardInterrupt as stop:
            voices[-1].clear()
            voices[-1].say("error", f"interrupted; {written.sentence()}")
            return getattr(stop, "code", INTERRUPTED)
        except Exception as error:
            return _bug(error, voices[-1], written)


def _result(argv: Sequence[str], voices: list[Console]) -> int:
    """The exit code of the command; adds the Console that its options ask for to ``voices``."""
    from torchlock.cli.streams import Console
    from torchlock.errors import TorchlockError
    from torchlock.redaction import forget, learn, learn_variables

    forget()
    learn(*argv)
    learn_variables(os.environ)
    try:
        if list(argv) in (["--version"], ["-V"]):
            from torchlock import __version__

            print(f"torchlock {__version__}")
            return OK
        import torchlock.cli.english  # noqa: F401 (before argparse)
        from torchlock.cli.parser import parse

        arguments = parse(argv)
        voices.append(Console(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose))
        _warn_of_unused_variables(arguments, voices[-1])
        for note in arguments.finder.notes:
            voices[-1].say("warning", note)
        code: int = arguments.run(arguments, voices[-1])
        return code
    except SystemExit as leave:  # --help
        return leave.code if isinstance(leave.code, int) else OK
    except TorchlockError as error:
        return _unusable(error, voices[-1])
    except OSError as error:
        message = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        voices[-1].say("error", message)
        return UNUSABLE


def _delivered(code: int, output: SafeStream, console: Console, written: Ledger) -> int:
    """The exit code after all output is written: 2 if standard output failed, unless its reader exited."""
    output.flush()
    if code in (OK, FOUND) and output.fault is not None and not output.left:
        console.say("error", f"standard output: {output.fault.strerror or output.fault}")
        code = UNUSABLE
    if code not in (OK, FOUND) and (written.written or written.unfinished):
        console.say("error", written.sentence())
    return code


def _warn_of_unused_variables(arguments: argparse.Namespace, console: Console) -> None:
    """Report environment variables that name no option."""
    for name, near in arguments.unused_variables.items():
        meant = f"; did you mean {near}?" if near else ""
        console.say("warning", f"unknown environment variable {name}{meant}")


def _unusable(error: Exception, console: Console) -> int:
    console.say("error", str(error))
    hint = getattr(error, "hint", None)
    if hint:
        console.say("hint", hint)
    return FOUND if isinstance(error, Undecided) else UNUSABLE


def _bug(error: Exception, console: Console, written: Ledger) -> int:
    """Report a bug, and write its traceback to a file that the user can send."""
    from torchlock.cli import crash
    from torchlock.runtime.fence import breakage

    path = crash.write_crash_report([breakage(error)])
    is_memory = isinstance(error, MemoryError)
    what = "torchlock ran out of memory" if is_memory else "this is a bug in torchlock"
    try:
        console.say("error", f"{what}; sorry; {written.sentence()}")
        console.say("hint", crash.what_to_send(path))
    except Exception:  # a bug in the code that writes messages
        sys.stderr.write("error: this is a bug in torchlock, and its message could not be written; sorry\n")

    return BUG
