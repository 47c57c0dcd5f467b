"""What a library is that a log shows to be missing, who needs it, and what to look at: without an environment."""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from torchlock.check.windows_libraries import INSTALL_RUNTIME, advice_for_dll, origin_of_dll
from torchlock.inspect.host import ffmpeg_with
from torchlock.knowledge import tables

if TYPE_CHECKING:
    from collections.abc import Mapping


class Meaning(NamedTuple):
    """What a line of a log means: ``what`` the library is, after its name; the reason; and what to do.

    ``sources`` are the identifiers of those that say so. ``users``: the reason is about these; () for any user.
    ``shown``: they are modules, and the log must show that one of them is imported.
    ``anywhere``: no package contains it, so that it means the same beside an installed torch.
    ``packages`` are those of package managers that contain it, if no wheel of the stack needs it.
    """

    what: str
    because: str
    look: str
    sources: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    shown: bool = False
    anywhere: bool = False
    packages: Mapping[str, tuple[str, ...]] = MappingProxyType({})


_OF_FFMPEG = re.compile(r"(?:lib)?(av\w{4,6}|sw\w{5,8})(?:\.so\.|-|\.)(\d{1,3})", re.IGNORECASE)


class _Need(NamedTuple):
    """Libraries that need a DLL which their wheel does not contain, in these releases of torch."""

    library: re.Pattern[str]
    torch: str
    needed: str


# Sources: torch-windows-openmp, mkl-dlls, and the metadata of torch 2.3, which requires mkl.
_NEEDS = (
    _Need(re.compile(r"fbgemm\.dll", re.IGNORECASE), "2.4.0", "libomp140.x86_64.dll"),
    _Need(re.compile(r"(?:shm|torch_cpu|torch_python)\.dll", re.IGNORECASE), "2.3", "mkl_core.1.dll"),
)
# The extension modules of torchaudio, which need the libraries of the torch that they were built for.
_OF_COMPANION = re.compile(r"(?:lib|_)torchaudio\w{0,20}\.pyd", re.IGNORECASE)
_COMPANION = Meaning(
    "",
    "Windows names the library that it opened, not the one that it lacks; torchaudio needs the libraries of the "
    "torch that it was built for, and those of CUDA if it is a CUDA build",
    "Compare the releases and builds of torch and torchaudio, which python -m pip list shows, and install both "
    f"for one CUDA version from one page (torchlock lock torch torchaudio). If they fit: {INSTALL_RUNTIME}",
)


def meaning_of_missing(library: str) -> Meaning | None:
    """The meaning of a library that is not found, by its name; None if it is not known.

    Raises:
        DataError: the bundled table is damaged.
    """
    for pattern, words in _rows():
        if (match := pattern.fullmatch(library)) is not None:
            groups = {"ffmpeg": ffmpeg_of(library), **match.groupdict()}
            what, because, look = (text.format(**groups) if "{" in text else text for text in words[:3])
            return Meaning(what, because, look, *words[3:])
    origin = origin_of_dll(library)
    return Meaning("", origin, advice_for_dll(library)) if origin else None


def meaning_of_opened(library: str) -> Meaning:
    """The meaning of a library of torch for Windows that lacks another one, which Windows does not name."""
    if _OF_COMPANION.fullmatch(library):
        return _COMPANION
    needs = [row for row in _NEEDS if row.library.fullmatch(library)]
    reasons = [
        "Windows names the library that it opened, not the one that it lacks",
        *(f"in torch {row.torch}, {library} needs {row.needed}" for row in needs),
        "all libraries of torch need the Visual C++ runtime",
    ]
    looks = [f"If this is torch {row.torch}: {advice_for_dll(row.needed)}" for row in needs]
    return Meaning("", "; ".join(reasons), " ".join([*looks, INSTALL_RUNTIME]))


@cache
def _rows() -> list[tuple[re.Pattern[str], Meaning]]:
    """The libraries of ``compat_data/libraries.toml``; the groups of a name are filled into the words."""
    return [
        (
            re.compile(row["name"], re.IGNORECASE),
            Meaning(
                row["what"],
                row["because"],
                row["look"],
                tuple(row["sources"]),
                tuple(row.get("users", ())),
                row.get("shown", False),
                row.get("anywhere", False),
                {manager: tuple(names) for manager, names in row.get("packages", {}).items()},
            ),
        )
        for row in tables.load_compiled("libraries.json")["libraries"]
    ]


def ffmpeg_of(library: str) -> str:
    """FFmpeg with the major version to which its library belongs; without it if the name does not show it."""
    match = _OF_FFMPEG.match(library)
    major = ffmpeg_with(match[1].lower(), int(match[2])) if match is not None else None
    return f"FFmpeg {major}" if major is not None else "FFmpeg"
