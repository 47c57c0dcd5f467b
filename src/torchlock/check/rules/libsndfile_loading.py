"""TL610 and TL611 for the libsndfile that soundfile opens: what it needs is not found, or it lacks a function."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from torchlock.check.c_library import is_of_glibc
from torchlock.check.conda import conda_install
from torchlock.check.fix.commands import with_binary
from torchlock.check.machine_libraries import once_more, opened
from torchlock.check.rules.libsndfile import opened_library
from torchlock.check.rules.loading import missing_libraries
from torchlock.check.system_packages import install_library
from torchlock.finding import Remedy
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.knowledge.registry import rule
from torchlock.knowledge.severity import severity_of
from torchlock.runtime import files
from torchlock.runtime.files import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchlock.check.context import CheckContext
    from torchlock.finding import Finding
    from torchlock.inspect.loading.imports import Attempt

# soundfile opens a file by this function on Windows, and by others elsewhere.
_BY_NAME = "sf_wchar_open"
_MODULE = 1 << 20
# The packages of conda-forge with the libraries that libsndfile needs.
_OF_CONDA = {
    "vorbis": "libvorbis",
    "ogg": "libogg",
    "flac": "libflac",
    "opus": "libopus",
    "mpg123": "mpg123",
    "mp3lame": "lame",
}


def loaded(context: CheckContext) -> Attempt | None:
    """What happens when soundfile opens its library; None if the library is not known, or cannot be read."""
    path = opened_library(context)
    return opened(context, "soundfile", path) if path else None


@rule("TL610")
def needs_of_libsndfile(context: CheckContext) -> Iterator[Finding]:
    """The libraries that the libsndfile of conda, of Homebrew or of the machine needs, and that are not there."""
    attempt = loaded(context)
    for finding in missing_libraries(context, "soundfile", [attempt] if attempt is not None else []):
        if not all(map(is_of_glibc, finding.lacks)):
            finding.remedy = _remedy(context, finding.path, finding.lacks)
        yield finding


def _remedy(context: CheckContext, path: str, lacks: Iterable[str]) -> Remedy:
    """Write libsndfile again, with what it needs, from where it came."""
    if f"{os.sep}_soundfile_data{os.sep}" in path:
        version = context.pins["soundfile"].version.public
        commands = with_binary(context, "soundfile", f"=={version}")
        return Remedy("Install soundfile again from its wheel, which contains libsndfile.", commands=commands)
    stems = (re.sub(r"^lib|[.-].*$", "", os.path.basename(each).lower()) for each in lacks)
    others = dict.fromkeys(_OF_CONDA[each] for each in stems if each in _OF_CONDA)
    otherwise = ", or install a soundfile wheel of this platform"
    again = once_more(context, "libsndfile", path, *others)
    return again or install_library(context, "libsndfile", ">=1.0.20", otherwise)


@rule("TL611")
def lacks_of_libsndfile(context: CheckContext) -> Iterator[Finding]:
    """A libsndfile of Windows without the function that soundfile calls to open a file by its name."""
    copy, path = context.copy("soundfile"), opened_library(context)
    if context.operating_system != "windows" or not path or copy is None:
        return
    binary = read_binary(path)
    symbols = binary.symbols if isinstance(binary, Binary) else None
    if symbols is None or isinstance(symbols, Unreadable) or symbols.defines(_BY_NAME):
        return
    if _BY_NAME not in (files.text(copy.path, _MODULE) or "") or not symbols.defines("sf_open"):
        return  # It calls another function, or this is another library.
    library = os.path.basename(path)
    conda = conda_install(context, "-c conda-forge", '"libsndfile>=1.0.30"') if context.environment.conda else ()
    yield context.finding(
        "TL611",
        severity_of(fails=False),
        f"{context.named('soundfile')} opens files by {_BY_NAME}, which {library} of this environment lacks",
        "soundfile",
        path=path,
        because="this build of libsndfile was made without its functions for Windows",
        expected_error=f"AttributeError: function/symbol '{_BY_NAME}' not found in library '{path}': error 0x7f",
        remedy=Remedy(
            "Install a later build of libsndfile; or a soundfile wheel for Windows, which contains one.",
            commands=conda or with_binary(context, "soundfile", ">=0.12.1"),
        ),
        sources=("soundfile-278",),
        lacks=(_BY_NAME,),
    )
