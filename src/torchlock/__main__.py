"""``python -m torchlock``."""

import os
import sys


def _drop_current_folder() -> None:
    """Remove the current folder, which ``-m`` puts first, from the path.

    A ``json.py`` there is data, not a module. ``os`` and ``sys`` are loaded at every start of Python, before that.
    """
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    if sys.path[:1] in ([""], [here]):
        del sys.path[0]


if __name__ == "__main__":
    _drop_current_folder()
    from torchlock.cli import entry

    entry()
