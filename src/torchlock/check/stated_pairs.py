"""A companion and the torch that a log shows beside it: whether they fit, by the tables of releases and builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version

from torchlock.check.known_wheels import final_releases
from torchlock.check.log_machine import system_of
from torchlock.check.log_releases import releases_in, source_build_in
from torchlock.finding import Command, Remedy
from torchlock.knowledge.build_labels import describe_build, kind_of
from torchlock.knowledge.builds import build_table
from torchlock.knowledge.compatibility import newest_beside, torches_beside, working_beside
from torchlock.knowledge.indexes import page_of

if TYPE_CHECKING:
    from torchlock.check.log import Log

# The files of each companion, by their names; _C and image are too general.
_FILES = (
    ("torchaudio", re.compile(r"(?:lib|_)?torchaudio\w{0,30}|libtorio\w{0,30}|_torch_sox", re.IGNORECASE)),
    ("torchcodec", re.compile(r"libtorchcodec\w{0,30}", re.IGNORECASE)),
    ("torchtext", re.compile(r"(?:lib|_)torchtext\w{0,10}", re.IGNORECASE)),
)
_FOLDER = re.compile(
    r"-packages[/\\]{1,2}(torchaudio|torchvision|torchcodec|torchtext|torio)[/\\]{1,2}(?:[\w.-]{1,80}[/\\]{1,2}){0,3}"
    r"[\w.-]{1,100}\.(?:so|pyd|dll|dylib)\b"
)
# conda's packages are not replaced by those of pip.
_OF_CONDA = re.compile(
    r"\b(?:conda|mamba) install\b|\[conda\] (?:py)?torch\s.{0,60}\bpytorch\b|\bpytorch +\S+ +py3"
)
# Commands that install the stack, with the channels that they name.
_INSTALL = re.compile(r"\b(?:conda|mamba|pip3?) install [^\n&;]{1,300}")
_OF_STACK = re.compile(r"\b(?:(?:py)?torch(?:audio|vision|codec)?|cudatoolkit|pytorch-cuda|cudnn)\b(?!/)")
_CHANNEL = re.compile(r"(?:-c|--channel)[ =]([\w-]{2,40})")


class StatedPair(NamedTuple):
    """A companion and torch, as a log shows them: the releases, with their build labels.

    ``torches`` are the releases of torch that the companion works with; ``fits`` is whether torch is one of them,
    None if this is unknown. ``system`` is that of the log, ``is_conda``: the log shows that conda installed them.
    """

    name: str
    version: str
    label: str
    torch: str
    torch_label: str
    torches: tuple[str, ...]
    fits: bool | None
    system: str
    is_conda: bool

    @property
    def words(self) -> tuple[str, str]:
        """Both releases as people write them: ``torchaudio 2.0.2+cu118``, ``torch 2.1.0``."""
        return (
            f"{self.name} {self.version}{f'+{self.label}' if self.label else ''}",
            f"torch {self.torch}{f'+{self.torch_label}' if self.torch_label else ''}",
        )

    @property
    def other_build(self) -> bool:
        """Whether one is a build for NVIDIA GPUs, and the other for another accelerator, or for none."""
        kinds = kind_of(self.label), kind_of(self.torch_label)
        return None not in kinds and kinds[0] != kinds[1]


def companion_of(line: str, library: str) -> str:
    """The companion whose library a line of a loader is about, by its folder or its name; "" if it is unknown."""
    if (found := _FOLDER.search(line)) is not None:
        return "torchaudio" if found[1] == "torio" else found[1]
    stem = re.split(r"[/\\]", library)[-1].partition(".")[0]
    return next((name for name, pattern in _FILES if pattern.fullmatch(stem)), "")


def stated_pair(log: Log, name: str) -> StatedPair | None:
    """The releases of a companion and of torch that a log shows; None if it does not show both.

    Raises:
        DataError: a bundled table is damaged.
    """
    known = _with_torch(releases_in(log))
    if name not in known or "torch" not in known:
        return None
    (version, label), (torch, torch_label) = known[name], known["torch"]
    torches = torches_beside(name, version)
    fits, is_conda = _fits(torch, working_beside(name, version)), bool(_OF_CONDA.search(log.text))
    return StatedPair(name, version, label, torch, torch_label, torches, fits, system_of(log.text), is_conda)


def _with_torch(known: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The releases of a log, with the torch that its torchaudio requires if it states none."""
    if "torch" in known or "torchaudio" not in known:
        return known
    version, label = known["torchaudio"]
    torches = torches_beside("torchaudio", version)
    return known | {"torch": (torches[0], label)} if len(torches) == 1 else known


def _fits(torch: str, torches: tuple[str, ...]) -> bool | None:
    """Whether torch is one of these releases; None for none, and for a torch that may be newer than the tables."""
    if not torches:
        return None
    if torch in torches:
        return True
    try:
        own, last = Version(torch), Version(torches[-1])
    except InvalidVersion:
        return None
    minors = {Version(each).release[:2] for each in torches}
    # A companion that works with several releases of torch may work with later ones.
    return (
        False if own < Version(torches[0]) or (len(minors) == 1 and own.release[:2] > last.release[:2]) else None
    )


def remedy_of(pair: StatedPair) -> Remedy:
    """Install the companion of that torch, or a torch of that companion.

    Raises:
        DataError: a bundled table is damaged.
    """
    wanted = newest_beside(pair.name, pair.torch) if Version(pair.torch).dev is None else ""
    if pair.fits:
        wanted = pair.version
    label = pair.torch_label
    platform = "windows-amd64" if pair.system == "windows" else None
    labelled = bool(label and wanted) and build_table().published(pair.name, wanted, label, platform) is True
    there = f"{wanted}+{label}" if labelled else wanted
    choices = [f"{pair.name} {there}, which is built for {pair.words[1]}"] if wanted else []
    if not wanted and Version(pair.torch).dev is not None:
        choices = [
            f"the {pair.name} of the same day as this pre-release of torch, from the page that it came from"
        ]
    if pair.torches and not pair.fits:
        choices.append(f"a torch that {pair.name} {pair.version} works with ({_span(pair.torches)})")
    summary = f"Install {', or '.join(choices)}. Other packages in the log that are compiled for torch follow it."
    if pair.is_conda:
        return Remedy(f"{summary} Use conda for it, if conda installed them.")
    if not wanted or (label and not labelled):
        return Remedy(summary)
    page = f" --index-url {page_of(label)}" if labelled else ""
    line = f"python -m pip install --force-reinstall --no-deps {pair.name}=={there}{page}"
    return Remedy(summary, commands=(Command("pip", line),))


def stated_command(log: Log, name: str) -> tuple[Command, ...]:
    """The command that installs the companion of the torch of a log, which shows no release of that companion.

    Raises:
        DataError: a bundled table is damaged.
    """
    known = releases_in(log)
    torch, label = known.get("torch", ("", ""))
    wanted = newest_beside(name, torch) if torch and name not in known else ""
    platform = "windows-amd64" if system_of(log.text) == "windows" else None
    if not wanted or not label or _OF_CONDA.search(log.text):
        return ()
    if build_table().published(name, wanted, label, platform) is not True:
        return ()
    line = (
        f"python -m pip install --force-reinstall --no-deps {name}=={wanted}+{label} --index-url {page_of(label)}"
    )
    return (Command("pip", line),)


def sources_hint(log: Log) -> str:
    """That a log installs torch and its companions from several sources, in a sentence; "" if it does not show it.

    The channels pytorch and nvidia belong together.
    """
    commands = [each[0] for each in _INSTALL.finditer(log.text) if _OF_STACK.search(each[0])]
    of_conda = [each for each in commands if not each.startswith("pip")]
    named = dict.fromkeys(name for each in of_conda for name in _CHANNEL.findall(each) if name != "nvidia")
    sources = [f"the channel {name} of conda" for name in named]
    if len(commands) > len(of_conda) > 0:
        sources = [*(sources or ["conda"]), "pip"]
    if len(sources) < 2:
        return ""
    return f" The commands of the log install from {' and '.join(sources)}: use torch and all of these from one."


def stated_hint(log: Log, name: str) -> str:
    """What the releases of a log that are known say about a companion that does not load, in a sentence.

    It is empty if the log shows neither release, or if the tables do not know what belongs to it.

    Raises:
        DataError: a bundled table is damaged.
    """
    known = releases_in(log)
    torch, own = known.get("torch", ("", ""))[0], known.get(name, ("", ""))[0]
    if not torch and (compiled := _beside_source_build(log, name)):
        return compiled
    pair = stated_pair(log, name)
    if pair is not None and pair.fits:
        words = " and ".join(pair.words)
        return (
            f" By their releases, {words} in the log belong together: one is another build, or torch is another."
        )
    if torch and not own and (wanted := newest_beside(name, torch)):
        return f" The log shows torch {torch}: {name} {wanted} is built for it."
    if name == "torchtext" and not own and (last := final_releases(name)[-1:]):
        shown = f"The log shows torch {torch}, for which there is no {name}: its" if torch else f"For {name}, its"
        made_for = _span(torches_beside(name, last[0]))
        return f" {shown} last release, {last[0]}, is built for torch {made_for}. Later code does without it."
    if own and not torch and (torches := torches_beside(name, own)):
        return f" The log shows {name} {own}, which is built for torch {_span(torches)}."
    return ""


def _beside_source_build(log: Log, name: str) -> str:
    """How to get a companion of a torch that somebody compiled; "" if the log shows none.

    Raises:
        DataError: a bundled table is damaged.
    """
    from torchlock.check.fix.release_pairs import COMPILED_BY_PIP, SOURCES

    build, release = source_build_in(log)
    if not build:
        return ""
    ways = (
        f" The log shows torch {build}, which was compiled from source: no wheel of the public index is made for "
        f"it. Install the {name} from where this torch came"
    )
    wanted = newest_beside(name, release)
    if not wanted or name not in COMPILED_BY_PIP:
        return f"{ways}, or compile {name} against it."
    options = "--force-reinstall --no-deps --no-build-isolation --no-cache-dir"
    return (
        f"{ways}, or compile {name} {wanted} against it: python -m pip install {options} "
        f"git+https://github.com/{SOURCES[name]}@v{wanted}."
    )


def reason_of(pair: StatedPair) -> str:
    """Why the two releases do not load together, in words."""
    if pair.other_build:
        builds = [describe_build(each) for each in (pair.label, pair.torch_label)]
        words = [f"a {each}" if each == "CPU build" else f"a build for {each}" for each in builds]
        return f"that {pair.name} is {words[0]}, and that torch {words[1]}"
    own = f"{pair.name} {pair.version} is compiled for torch {_span(pair.torches)}"
    return f"{own}, and the log shows torch {pair.torch}"


def _span(torches: tuple[str, ...]) -> str:
    return torches[0] if len(torches) == 1 else f"{torches[0]} to {torches[-1]}"
