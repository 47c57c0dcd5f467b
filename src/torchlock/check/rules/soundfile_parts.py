"""TL605 for soundfile: its module and its library are from different releases, or its folder is hollow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlock.check.rules.libsndfile import machine_has_libsndfile
from torchlock.check.soundfile_data import asked_by, folder_of, is_hollow, opened, there
from torchlock.knowledge.registry import rule
from torchlock.knowledge.rules import specifier_set

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
