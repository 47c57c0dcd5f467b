"""Environment variables that look like settings of torchlock, and are none."""

from __future__ import annotations

import os

from torchlock.cli.defaults import PREFIX, variable_of
from torchlock.jobs.config_files import FORBIDDEN_BY, NAMED_BY
from torchlock.patterns import pattern
from torchlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

# Variables of the tests are excluded.
_VARIABLE = pattern(PREFIX + r"(?!TEST_)\w+")
# Variables that are not about the options of a command.
_OTHERS = {PREFIX + "CACHE_DIR", PREFIX + "DATA_DIR", NAMED_BY, FORBIDDEN_BY}


def unused_variables(commands: Callable[[], Iterable[argparse.ArgumentParser]]) -> dict[str, str]:
    """The ``TORCHLOCK_*`` variables that name no option, each with the variable that was probably meant, or "".

    ``commands`` creates the parsers of all commands; it is called only if there is a variable to look up.
    """
    names = {name for name, value in os.environ.items() if value and _VARIABLE.fullmatch(name)} - _OTHERS
    if not names:
        return {}
    from torchlock.spelling import similar

    known = {
        variable_of(option[2:])
        for parser in commands()
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.dest != "help"
    }
    plain = [name.removeprefix(PREFIX) for name in known]
    near = {name: similar(name.removeprefix(PREFIX), plain, 1, 0.8) for name in sorted(names - known)}
    return {name: PREFIX + meant[0] if meant else "" for name, meant in near.items()}
