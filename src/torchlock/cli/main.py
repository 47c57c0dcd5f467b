"""Dispatch, and the price of every kind of failure, fixed in one place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.cli.codes import BUG, FOUND, INTERRUPTED, OK, UNUSABLE
from torchlock.errors import Undecided

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from torchlock.cli.streams import Lasting, Voice
    from torchlock.write.ledger import Ledger


# Variables that this program and its libraries read.
_READ = ("TORCHLOCK_", "PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code of the contract.

    0 done; 1 no solution, or a finding of severity error; 2 wrong use or unreadable input; 3 a bug of ours;
    130 interrupted; 143 and 129 ended by SIGTERM and SIGHUP. The code is that of the result, also where nobody
    reads standard output to its end; where it fails otherwise (a full disk) it is 2.
    """
    from torchlock.cli.streams import Voice, lasting
    from torchlock.errors import TorchlockError
    from torchlock.interrupts import handled
    from torchlock.redaction import forget, learn
    from torchlock.write.ledger import opened

    forget()
    learn(*argv, *(value for name, value in os.environ.items() if name.upper().startswith(_READ)))
    with lasting() as output, handled():
        written = opened()
        voice = Voice()
        try:
            if list(argv) in (["--version"], ["-V"]):
                from torchlock import __version__

                print(f"torchlock {__version__}")
                return _delivered(OK, output, voice, written)
            from torchlock.cli.parser import parse

            arguments = parse(argv)
            voice = Voice(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose)
            _tell_idle(arguments, voice)
            code: int = arguments.run(arguments, voice)
        except SystemExit as leave:  # --help
            code = leave.code if isinstance(leave.code, int) else OK
        except TorchlockError as error:
            code = _unusable(error, voice)
        except KeyboardInterrupt as stop:
            voice.clear()
            voice.say("error", f"interrupted; {written.sentence()}")
            return getattr(stop, "code", INTERRUPTED)
        except OSError as error:
            voice.say("error", ": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
            code = UNUSABLE
        except Exception as error:
            return _bug(error, voice, written)
        return _delivered(code, output, voice, written)


def _delivered(code: int, output: Lasting, voice: Voice, written: Ledger) -> int:
    """The exit code, once all is said: 2 if standard output failed, not only lost its reader."""
    output.flush()
    if code in (OK, FOUND) and output.fault is not None and not output.left:
        voice.say("error", f"standard output: {output.fault.strerror or output.fault}")
        code = UNUSABLE
    if code not in (OK, FOUND) and (written.written or written.unfinished):
        voice.say("error", written.sentence())
    return code


def _tell_idle(arguments: argparse.Namespace, voice: Voice) -> None:
    """Report variables of the environment that name no option."""
    for name, near in arguments.idle_variables.items():
        if near:
            voice.say("warning", f"{name} in the environment is not an option of torchlock; did you mean {near}?")
        elif arguments.verbose:
            voice.say("note", f"{name} in the environment is not an option of torchlock")


def _unusable(error: Exception, voice: Voice) -> int:
    voice.say("error", str(error))
    hint = getattr(error, "hint", None)
    if hint:
        voice.say("hint", hint)
    return FOUND if isinstance(error, Undecided) else UNUSABLE


def _bug(error: Exception, voice: Voice, written: Ledger) -> int:
    """Apologise, and keep the traceback where it can be sent from."""
    from torchlock.cli import crash
    from torchlock.fence import breakage

    path = crash.kept([breakage(error)])
    voice.say("error", f"this is a bug of torchlock; sorry; {written.sentence()}")
    voice.say("hint", crash.request(path))
    return BUG
