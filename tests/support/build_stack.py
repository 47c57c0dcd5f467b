"""torch 2.8.0 and torchaudio on a local wheel index, the tables of that index, and locks made from both."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from packaging.tags import sys_tags

import refresh_builds
from support.wheel_index import LINUX, Published, WheelIndex
from torchlock.answers import Unknown
from torchlock.cli.main import main
from torchlock.knowledge import tables
from torchlock.knowledge.build_files import build_catalogue

# The tag of the real names where this interpreter takes it, else its own first one.
TAGS = max((str(tag) for tag in sys_tags()), key=lambda tag: tag.endswith(LINUX))


class Stack(NamedTuple):
    """What is published: ``family`` in the folder to lock from, ``others`` on the public index."""

    index: WheelIndex
    family: list[Published]
    others: list[Published]

    @property
    def torch(self) -> Published:
        return self.family[0]

    def lock(self, folder: Path, *options: str, name: str = "requirements.txt") -> Path:
        """The lock that ``torchlock lock`` writes for the folder of the family; it must be one."""
        path = folder / name
        words = ["lock", "torch", "torchaudio", "soundfile", "--accelerator", self.torch.folder]
        words += ["--builds-url", self.index.url, "--index-url", self.index.public_url]
        words += ["--python", f"{sys.version_info.major}.{sys.version_info.minor}", "--platform", "linux-x86_64"]
        words += ["--cache-dir", str(folder / "cache"), "-o", str(path), *options]
        assert main(words) == 0
        return path


def publish(index: WheelIndex, *, labelled: bool = True, folder: str = "cpu", **stated: str) -> Stack:
    """torch and torchaudio 2.8.0 in two folders and on the public index, and there what torch requires.

    The wheels of torch declare what the real ones do. Without a label the three files of one name have the same
    version, as for aarch64 on the real index. ``stated`` is what the page of the folder says of its files.
    """
    requires = _requirements(folder)
    for where in ("cpu", "cu128"):
        version = f"2.8.0+{where}" if labelled else "2.8.0"
        for name, needs in (("torch", requires), ("torchaudio", ["torch==2.8.0"])):
            index.add(where, name, version, TAGS, needs, **(stated if where == folder else {}))
    family = [file for file in index.published if file.folder == folder]
    others = [_ordinary(index, each) for each in requires]
    others += [index.add_public("numpy", "2.3.0"), index.add_public("soundfile", "0.13.1", ["numpy"])]
    for version in ("2.8.0", "2.9.0"):
        index.add_public("torch", version, ["numpy"], tags=TAGS)
        index.add_public("torchaudio", version, [f"torch=={version}"], tags=TAGS)
    return Stack(index, family, others)


def data_of(index: WheelIndex, folder: Path) -> Path:
    """The data of torchlock with the tables of this index instead of those of the real one.

    A test sets ``torchlock.knowledge.tables.ROOT`` to what this returns.
    """
    root = folder / "compat_data"
    root.mkdir()
    for path in tables.ROOT.iterdir():
        if path.name != "builds":
            (root / path.name).symlink_to(path)
    (root / "builds" / "files" / "root").mkdir(parents=True)  # a real table has files of the root page
    words = ["--index", index.url, "--output", str(root / "builds"), "--cache", str(folder / "refresh-cache")]
    assert refresh_builds.main(words) == 0
    return root


def _requirements(folder: str) -> list[str]:
    """What torch 2.8.0 of a folder requires on this machine, as the bundled table has it."""
    (release,) = (each for each in build_catalogue(folder).releases("torch") if each.version == f"2.8.0+{folder}")
    found = release.dependencies(next(at for at, tags in enumerate(release.tags) if tags.endswith(LINUX)))
    assert not isinstance(found, Unknown)
    return [
        f"{each.name}{each.specifier}"
        for each in found
        if each.name != "setuptools" and "extra" not in each.marker
    ]


def _ordinary(index: WheelIndex, requirement: str) -> Published:
    """A wheel that satisfies a requirement: of its exact version, or of a high one."""
    name = re.split(r"[=<>!]", requirement)[0]
    version = requirement.partition("==")[2] or "99.0"
    return index.add_public(name.replace("-", "_"), version)
