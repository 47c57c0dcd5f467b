"""TL605 and TL608 for soundfile: parts of different releases, a hollow folder, or bindings for another system."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from torchlock.check.fix.commands import with_binary
from torchlock.check.rules.libsndfile import machine_has_libsndfile
from torchlock.check.soundfile_data import asked_by, folder_of, is_hollow, opened, there
from torchlock.finding import Remedy
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set
from torchlock.runtime import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding

# Of the releases that print it; what earlier ones print depends on that of cffi.
_SAYS = "OSError: sndfile library not found using ctypes.util.find_library"


@rule("TL605")
def soundfile_parts(context: CheckContext) -> Iterator[Finding]:
    """A library beside soundfile that its module does not open; then only a libsndfile of the machine helps."""
    copy = context.copy("soundfile")
    if copy is None or copy.kind != "module" or not there(context, copy) or opened(context, copy):
        return
    if machine_has_libsndfile(context) is True:
        return
    if context.target is None and not is_hollow(context, copy):
        return  # Which file its module opens depends on the system, which is unknown.
    named, names = context.named("soundfile"), there(context, copy)
    asked = asked_by(context, copy)
    if is_hollow(context, copy):
        message = f"the folder _soundfile_data of {named} has no __init__.py, so its {names[0]} is not found"
        because = "an interrupted uninstall or a copy left only a part of the package"
    else:
        looks = "opens a file of another name" if asked else "opens no library of its own on this system"
        message = f"{names[0]} beside {named} is of another release: this module {looks}"
        because = "another installation wrote its module over the files of the other release"
    yield context.finding(
        "TL605",
        "warning",
        message,
        "soundfile",
        path=folder_of(copy),
        because=because,
        expected_error=_SAYS if specifier_set(">=0.12").contains(context.pins["soundfile"].version) else "",
    )


# The function that soundfile calls on Windows only, and that its bindings have only if they were made there.
_OF_WINDOWS = "sf_wchar_open"
_BINDINGS, _LARGEST = "_soundfile.py", 1 << 20


@rule("TL608")
def bindings(context: CheckContext) -> Iterator[Finding]:
    """The bindings of a wheel for any platform, which was made on another system, on Windows."""
    copy = context.copy("soundfile")
    if copy is None or copy.kind != "module" or context.operating_system != "windows":
        return
    path = os.path.join(os.path.dirname(copy.path), _BINDINGS)
    text = files.text(path, _LARGEST)
    if not text or _OF_WINDOWS in text or _OF_WINDOWS not in (files.text(copy.path, _LARGEST) or ""):
        return
    yield context.finding(
        "TL608",
        "warning",
        f"{_BINDINGS} of {context.named('soundfile')} was not built for Windows: it lacks {_OF_WINDOWS}, which "
        "soundfile calls there to open a file",
        "soundfile",
        path=path,
        because="it is from a wheel for any platform, or was built or copied from another system",
        expected_error=f"has no function, constant or global variable named '{_OF_WINDOWS}'",
        remedy=Remedy(
            "Install a soundfile wheel for Windows instead of this one.",
            commands=with_binary(context, "soundfile", ""),
        ),
        sources=("soundfile-253",),
    )
