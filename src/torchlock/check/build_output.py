"""The output of a build in a log: its lines, whether it was isolated, and its first error.

What a build prints is that of compilers, of CMake and of setup scripts. Its first error is the one to read: those
below it follow from it, and the last lines are those of the installer.
"""

from __future__ import annotations

import re

# The lines of a build: this many before the failure, which may be pasted without its head, and behind it.
_BEFORE, _BEHIND, _LONGEST = 60, 600, 2000
# So many characters of an error are shown.
_SHOWN = 160
# What pip says below the output of a build.
_END = re.compile(r"\[end of output\]|note: This error originates|ERROR: Could not build wheels")
# pip builds these in the environment itself.
_IN_PLACE = re.compile(
    r"(?:Preparing metadata|Building wheel for [\w.-]{1,80}) \(setup\.py\)|<pip-setuptools-caller>"
    r"|python setup\.py (?:egg_info|bdist_wheel|develop|install)"
    r"|setup\.py['\"]{0,2},? ?(?:egg_info|bdist_wheel|develop)"
)
# An error of a compiler, a linker, CMake, Meson, Cargo, or a setup script.
_ERROR = re.compile(
    r"(?<![^\s:)\]])(?P<text>(?:fatal error|LINK : fatal error|nvcc fatal|CMake Error|ERROR|error)"
    r"(?: [A-Z]{1,4}\d{2,5}|\[E\d{4}\]| in [\w.-]{1,60} setup command| at [^\n:]{1,120}:\d{1,6} \(\w{1,40}\))?"
    r" {0,4}:(?: ?\S[^\n]{3,400}|$)|undefined reference to [^\n]{1,200})"
)
# The last line of a traceback.
_RAISED = re.compile(
    r"^(?:[A-Za-z_][\w.]{0,80}\.)?[A-Z]\w{0,60}(?:Error|Exception|Unavailable|Exit|Version): \S[^\n]{0,400}$"
)
# What only says that something failed.
_ECHO = re.compile(
    r"subprocess-exited-with-error|metadata-generation-failed|legacy-install-failure|failed-wheel-build"
    r"|Failed (?:to build|building)|Could not build|command '?[^\n]{1,300} failed|CalledProcessError"
    r"|exit (?:code|status)|Command errored out|Error compiling objects|could not compile"
    r"|No matching distribution|originates from a subprocess|Support for editable installs via PEP 660"
    r"|ninja: |make(?:\[\d\])?: |^ERROR: Exception|ERROR: Command |pip subprocess|DistutilsError: Setup script"
)


def output_of(text: str, line: int) -> str:
    """The output of the build whose failure is in this line (from 1)."""
    lines = text.split("\n")
    start = max(0, line - _BEFORE)
    end = next((number for number in range(line, len(lines)) if _END.search(lines[number])), len(lines))
    return "\n".join(each[:_LONGEST] for each in lines[start : min(end, line + _BEHIND)])


def is_in_place(output: str) -> bool:
    """Whether pip built it in the environment itself, as it does for a setup.py alone."""
    return _IN_PLACE.search(output) is not None


def first_error(output: str) -> str:
    """The first error of a compiler or of CMake, else the exception of the setup script; "" if there is none."""
    lines = [line.strip(" \t│╰─>") for line in output.split("\n")]
    kept = [(number, line) for number, line in enumerate(lines) if line and not _ECHO.search(line)]
    found = next(((number, match) for number, line in kept if (match := _ERROR.search(line))), None)
    if found is not None:
        number, match = found
        shown = match["text"]
        if shown.startswith("CMake Error"):
            below = next((line for line in lines[number + 1 : number + 4] if line), "")
            shown = f"{shown.rstrip(':')}: {below}" if below else shown
    else:
        shown = next((line for _, line in reversed(kept) if _RAISED.match(line)), "")
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
