"""What the numbers mean with which Windows refuses a library, and what can be done ("System Error Codes")."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """What Windows says with an error of its loader: the meaning of the number, and what can be done.

    ``by_copy``: it happens if the process has loaded another DLL of the same name before. ``of_machine``: the
    machine or its user is the reason, whatever is in the file.
    """

    means: str
    because: str
    remedy: str
    by_copy: bool = False
    of_machine: bool = False


_KEPT = "a process keeps the first DLL that it loads under a name, which may be that of another package"
_ELSEWHERE = "the files of this package are right here, so the log does not show more"
REFUSALS = {
    5: Refusal(
        "access is denied",
        "this user may not read or run the file, or a program such as a virus scanner blocks it",
        "Let this user read and run the files of the environment, or create it in a folder of the user. Look in "
        "the virus scanner for a file that it blocks.",
        of_machine=True,
    ),
    127: Refusal(
        "a function that it asks for is not in the DLL that is loaded under that name",
        _KEPT,
        "Make Windows find the right copy: {copies}. Import torch before packages that contain such a DLL.",
        by_copy=True,
    ),
    182: Refusal(
        "a function that it asks for by number is not in the DLL that is loaded under that name",
        "another DLL of the same name is found first, or the DLL was replaced by that of another package",
        "Make Windows find the right copy: {copies}. Remove the package whose copy does not belong to this "
        "torch, and install the other one again.",
        by_copy=True,
    ),
    193: Refusal(
        "it is for another machine, or damaged",
        _ELSEWHERE,
        "Make Windows find the right copy: {copies}. One of them may be for 32-bit programs, or damaged.",
    ),
    225: Refusal(
        "a virus scanner takes it for harmful",
        "the scanner blocks the file or removes it; it is right here, or was restored",
        "Restore the file in the virus scanner, and exclude the folder of the environment from its search. If the "
        "file is gone, install the package again.",
        of_machine=True,
    ),
    998: Refusal(
        "its start-up code reads memory that is not there",
        _ELSEWHERE,
        "Install the package again without the cache of the installer. If that does not help, turn off "
        "programs that load themselves into others (virus scanners, overlays), and test this machine's memory. In "
        "an application of PyInstaller: build it without UPX (--noupx), which can damage these DLLs.",
    ),
    1114: Refusal(
        "its start-up code fails",
        "this happens with a Visual C++ runtime that is too old, or if another package has loaded its own first",
        "",
    ),
    1450: Refusal(
        "Windows has no resources left for it",
        "the library exists and is complete",
        "Close programs, enlarge the paging file, and restart Windows.",
        of_machine=True,
    ),
}
