"""TL528: conda found no such package; for PyTorch's own metapackages, the packages that replace them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchlock.check import known_wheels as wheels
from torchlock.check.conda import conda_install
from torchlock.check.conda_log import NO_CANDIDATES, for_other_pythons, missing_in
from torchlock.check.installer_findings import Told, finding_of, install_again
from torchlock.check.installer_log import read_installation
from torchlock.finding import Command, Remedy
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import cuda_label
from torchlock.knowledge.indexes import page_of
from torchlock.knowledge.registry import rule
from torchlock.knowledge.stack import CONDA_NAMES, FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchlock.check.context import CheckContext
    from torchlock.check.installer_log import Installation
    from torchlock.check.log import Log
    from torchlock.finding import Finding
    from torchlock.target import Target

_MISSING = re.compile(r"^\s{0,8}- ([\w.-]{1,80})(?:(?:==?|\s)([\w.*]{1,40}))?", re.MULTILINE)
_PINNED = re.compile(r"(?:^|\s)([\w.-]{1,80})={1,2}(\d[\w.]{0,30})(?=\s|$)")
# The packages of the channels that choose a CUDA build; the names of other builds have no such package.
_CHOOSERS = ("pytorch-cuda", "cudatoolkit")
# The name, the version and the build.
_WITH_BUILD = 3
# The virtual packages of conda: what they stand for, and what to do if one is missing.
_MACHINES = {
    "__cuda": (
        "an NVIDIA driver for CUDA",
        "On a machine with an NVIDIA GPU, install or update its driver. Where the environment is only made and "
        "not run, such as in an image, set CONDA_OVERRIDE_CUDA to the CUDA version before the command. Otherwise "
        "ask for the CPU build (pytorch-cpu of conda-forge, cpuonly of the channel pytorch), in pixi in an "
        "environment without cuda in its system-requirements.",
    ),
    "__glibc": (
        "the C library (glibc) in a version",
        "Look at conda info: if it has no __glibc, this conda is too old or is made for another system, so "
        "install it anew for this machine. If its version is too low, ask for an earlier release of the "
        "package, or use a later release of the distribution.",
    ),
    "__osx": ("macOS in a version", "Update macOS, or ask for an earlier release of the package."),
    "__win": ("Windows", "The environment is made for Windows: export it with conda env export --from-history."),
    "__unix": ("Linux or macOS", "The package does not exist for Windows: use it in WSL, or leave it out."),
    "__linux": ("Linux", "The package exists for Linux only: leave it out on this system."),
}
# The channels that have the torch family.
_CHANNELS = ("conda-forge", "pytorch")


@rule("TL528", on="log")
def not_provided(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The packages that the solver found in no channel; those of an exported environment are of its platform."""
    first = log.first
    if first is None or first.rules[0] not in ("TL527", "TL528"):
        return
    asked = read_installation(log.text, first.line)
    missing = missing_in(asked.near)
    if not missing:
        return
    if (told := _of_machine(missing)) is not None:
        yield finding_of(context, found, asked._replace(name="", specifier=""), first.text, told)
        return
    shown = [" ".join(each) for each in missing]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    message = f"no channel that was asked has {', '.join(shown[:3])}{more} for this platform"
    remedy = _channel(context, asked, missing)
    because = None
    if sum(len(each) == _WITH_BUILD for each in missing) > 1:
        because = "a version with a build string exists for one platform only: that of the exported environment"
        remedy = Remedy(
            "Remove the build strings from the file, and the packages that only the other platform has; or export "
            "it there again with conda env export --from-history."
        )
    told = Told("TL528", message, remedy, because, sources=("conda-export",))
    yield finding_of(context, found, asked._replace(name="", specifier=""), first.text, told)


def _of_machine(missing: Sequence[tuple[str, ...]]) -> Told | None:
    """A virtual package of conda, by which it describes the machine; None if every missing one is of a channel."""
    name = next((each[0] for each in missing if each[0].startswith("__")), "")
    if name not in _MACHINES:
        return None
    what, fix = _MACHINES[name]
    message = f"a package that is asked for needs {what}, and conda does not find it on this machine"
    if what.endswith("in a version"):
        message = f"a package that is asked for needs {what} that conda does not find on this machine"
    because = f"conda describes the machine by virtual packages, here {name} (conda info lists them)"
    return Told("TL528", message, Remedy(fix), because, sources=("conda-export",))


@rule("TL528", on="log")
def not_for_python(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The packages that the channels have for other Pythons than that of the environment."""
    first = log.first
    if first is None or first.rules[0] not in ("TL527", "TL528"):
        return
    asked = read_installation(log.text, first.line)
    names, python = for_other_pythons(asked.near)
    if not names:
        return
    listed = " and ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    message = f"no channel that was asked has {listed} for Python {python}"
    summary = (
        f"Make an environment of one of these Pythons: conda create -n NAME python=VERSION {' '.join(names)}"
        "; or install them from conda-forge, or with pip, together with torch."
    )
    because = "conda does not change the minor version of Python in an environment, as the log says"
    told = Told("TL528", message, Remedy(summary), because)
    yield finding_of(context, found, asked._replace(name="", specifier=""), first.text, told)


def _channel(context: CheckContext, asked: Installation, missing: list[tuple[str, ...]]) -> Remedy:
    """Where to get the packages; for the torch family a channel that was not asked."""
    names = [each[0] for each in missing]
    others = [each for each in _CHANNELS if not re.search(rf"\b{each}\b(?!=)", f"{asked.command} {asked.near}")]
    if all(CONDA_NAMES.get(name, name) in FAMILY for name in names) and all(len(each) == 1 for each in missing):
        where = f"Add the channel {others[0]}, or install" if others else "Install"
        by_pixi = NO_CANDIDATES.search(asked.near) is not None
        commands = _from_forge(context, names) if others[:1] == ["conda-forge"] and not by_pixi else ()
        return Remedy(f"{where} {' and '.join(names)} with pip, after torch.", commands=commands)
    if "arm-variant" in names:
        return Remedy(
            "The builds with arm-variant sbsa are for servers with ARM processors. On a Jetson, use NVIDIA's "
            "wheels for its JetPack, or builds that are made for it, if the release has them; on a server, add "
            "the package arm-variant=*=sbsa."
        )
    if all(len(each) == _WITH_BUILD for each in missing):
        return Remedy(
            "Remove the build strings of these packages, or ask for another version: builds are replaced by later "
            "ones, and exist for one platform only."
        )
    if others:
        return Remedy(
            f"Add the channel {others[0]}, which may have them; or ask for a version that the channels have, or "
            "install the package with pip."
        )
    return Remedy("Ask for a version that the channels have, or install the package with pip.")


def _from_forge(context: CheckContext, names: Sequence[str]) -> tuple[Command, ...]:
    """The command for packages of the torch family that conda-forge is known to have for this platform."""
    platform = str(context.known_platform) if context.known_platform is not None else ""
    rows = tables.load_compiled("conda.json")["feedstock"]
    known = {
        row["package"]
        for row in rows
        if row["channel"] == "conda-forge" and any(platform in build for _, build in row["builds"])
    }
    wanted = {CONDA_NAMES.get(name, name) for name in names}
    if not wanted <= known:
        return ()
    named = ["pytorch" if name == "torch" else name for name in sorted(wanted)]
    return conda_install(context, "-c conda-forge", *named)


@rule("TL528", on="log")
def not_in_channels(context: CheckContext, log: Log, found: Sequence[Finding]) -> Iterator[Finding]:
    """The packages that no channel has."""
    first = log.first
    if first is None or "PackagesNotFoundError" not in first.text:
        return
    asked = read_installation(log.text, first.line)
    part = asked.near.partition("PackagesNotFoundError")[2].partition("Current channels")[0]
    missing = {match[1]: (match[2] or "").rstrip("*.") for match in _MISSING.finditer(part)}
    if missing:
        yield finding_of(context, found, asked, first.text, _told(context, asked, missing, part))


def _told(context: CheckContext, asked: Installation, missing: dict[str, str], part: str = "") -> Told:
    listed = ", ".join(f"{name} {version}".strip() for name, version in missing.items())
    chooser = next((name for name in _CHOOSERS if name in missing), "")
    system = context.target.platform.system if context.target is not None else ""
    if chooser and (system == "macos" or "/osx-" in asked.near):
        message = f"no channel has {listed} for macOS: there are no CUDA builds for macOS"
        rest = [name for name in missing if name != chooser]
        if rest:
            others = " and ".join(rest)
            more = f"Leave {chooser} out, and install {others} from conda-forge or with pip, together with torch."
            return Told("TL528", message, Remedy(more))
        words = [each for each in asked.command.split() if each.partition("=")[0] not in _CHOOSERS]
        commands = (Command("conda", " ".join(words)),) if re.fullmatch(r"[\w.=+:/ -]+", " ".join(words)) else ()
        return Told("TL528", message, Remedy(f"Leave {chooser} out.", commands=commands))
    if (told := _of_pip(asked, part, list(missing))) is not None:
        return told
    if chooser and missing[chooser] and context.target is not None:
        return _of_chooser(context, asked, context.target, chooser, missing[chooser])
    message = f"no channel that was asked has {listed} for this platform"
    return Told("TL528", message, _elsewhere(context, asked, missing), sources=("pytorch-138506",))


def _of_pip(asked: Installation, part: str, names: Sequence[str]) -> Told | None:
    """A list of pip that conda was given: it has names that conda does not use, or packages that pip installed."""
    by_pip = re.findall(r"- ([\w.-]{1,80})={1,2}[\w.+!]{1,40}=pypi_0\b", part)
    builds = re.findall(r"- [\w.-]{1,80}={1,2}[\w.]{1,40}=\w", part)
    if by_pip:
        message = (
            f"the list is an export of another conda environment: it has packages that pip installed there "
            f"({', '.join(by_pip[:3])}, build pypi_0), which no channel has"
        )
        more = ", and builds of its platform and time" if len(builds) > len(by_pip) else ""
        summary = (
            "Export the environment again with conda env export --from-history, which leaves out builds; or "
            "remove the builds (the second =), and install the packages of pip with pip."
        )
        return Told("TL528", f"{message}{more}", Remedy(summary), sources=("conda-export",))
    named = "torch" in names or any(each in names for each in ("opencv_python", "opencv-python", "scikit_learn"))
    if not named or not re.search(r"--file|-f ", asked.command or asked.near):
        return None
    message = "conda was given a file of pip: conda calls torch pytorch, and has other names and versions than pip"
    words = re.search(r"--file[ =](?P<file>[\w./-]{1,120})", asked.command or asked.near)
    file = words["file"] if words else "FILE"
    summary = f"Install the file with pip, in the environment of conda: python -m pip install -r {file}."
    frozen = re.search(r"\b(torch\w{0,8})==(\d[\d.]{0,12})a0\+[0-9a-f]{7}", part)
    if frozen:
        summary += (
            f" First write {frozen[1]}=={frozen[2]} without the rest of its version, which pip does not find."
        )
    return Told("TL528", message, Remedy(summary), sources=("conda-export",))


def _elsewhere(context: CheckContext, asked: Installation, missing: dict[str, str]) -> Remedy:
    """conda-forge, if it was not asked; else pip. Builds of two origins may not load each other."""
    if re.search(r"\bconda-forge\b(?!=)", f"{asked.command} {asked.near}"):
        summary = (
            "conda-forge was asked, too: install them with pip, and torch with its companions from one origin."
        )
        return Remedy(summary)
    commands = () if any(missing.values()) else _from_forge(context, list(missing))
    return Remedy("Install them from conda-forge, or with pip.", commands=commands)


def _of_chooser(context: CheckContext, asked: Installation, target: Target, chooser: str, cuda: str) -> Told:
    """A CUDA version that the channel does not have: the same releases from the page of this build, with pip."""
    label = cuda_label(cuda)
    message = f"no channel that was asked has {chooser} {cuda}"
    because = "the channel of PyTorch ended with release 2.5.1, and has no packages for CUDA versions after 12.4"
    pins = {CONDA_NAMES.get(name, name): version for name, version in _PINNED.findall(asked.command)}
    words = [
        f"{name}=={wheels.written(name, version, label, target)}"
        for name, version in pins.items()
        if name in FAMILY and wheels.installs(name, version, label, target) is not False
    ]
    if not pins.keys() & FAMILY and wheels.releases_with("torch", label, target):
        words = ["torch", "torchvision", "torchaudio"]
    if not words:
        return Told(
            "TL528", message, Remedy("Choose a CUDA version that this release has."), because, ("pytorch-138506",)
        )
    commands = install_again(context, ["--index-url", page_of(label), *words])
    remedy = Remedy(f"Install them with pip from {page_of(label)}.", commands=commands)
    return Told("TL528", message, remedy, because if cuda > "12.4" else None, ("pytorch-138506",))
