"""Dispatch, and the price of every kind of failure, fixed in one place."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from torchlock.cli.codes import BUG, FOUND, INTERRUPTED, OK, UNUSABLE
from torchlock.errors import Undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchlock.cli.streams import Voice


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code of the contract.

    0 done; 1 no solution, or a finding of severity error; 2 wrong use or unreadable input; 3 a bug of ours;
    130 interrupted.
    """
    _ready_streams()
    from torchlock.cli.parser import parse
    from torchlock.cli.streams import Voice
    from torchlock.errors import TorchlockError

    voice = Voice()
    try:
        if list(argv) in (["--version"], ["-V"]):
            from torchlock import __version__

            print(f"torchlock {__version__}", flush=True)
            return OK
        arguments = parse(argv)
        voice = Voice(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose)
        for name, near in arguments.idle_variables.items():
            if near:
                voice.say(
                    "warning", f"{name} in the environment is not an option of torchlock; did you mean {near}?"
                )
            elif arguments.verbose:
                voice.say("note", f"{name} in the environment is not an option of torchlock")
        code: int = arguments.run(arguments, voice)
        sys.stdout.flush()
    except TorchlockError as error:
        return _unusable(error, voice)
    except KeyboardInterrupt:
        voice.clear()
        voice.say("error", "interrupted; nothing was changed")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        voice.say("error", f"{error.filename or 'standard output'}: {error.strerror or error}")
        return UNUSABLE
    except Exception as error:
        return _bug(error, voice)
    return code


def _ready_streams() -> None:
    """Streams that take any text: what their encoding lacks is escaped, a closed one swallows all."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _unusable(error: Exception, voice: Voice) -> int:
    voice.say("error", str(error))
    hint = getattr(error, "hint", None)
    if hint:
        voice.say("hint", hint)
    return FOUND if isinstance(error, Undecided) else UNUSABLE


def _bug(error: Exception, voice: Voice) -> int:
    """Apologise, and keep the traceback where it can be sent from."""
    from torchlock.cli import crash
    from torchlock.fence import breakage

    path = crash.kept([breakage(error)])
    voice.say("error", "this is a bug of torchlock; sorry. Nothing was written")
    voice.say("hint", crash.request(path))
    return BUG
