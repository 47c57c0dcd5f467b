"""TL203: two builds of the torch family for different accelerators, judged by their labels."""

from __future__ import annotations

from torchlock.knowledge.build_labels import describe_build, parse_label
from torchlock.records import NamedTuple


class Mismatch(NamedTuple):
    """Builds for different accelerators. ``fails`` is False if such a pair often works."""

    fails: bool
    message: str


def mismatch(subject: str, build: str, torch: str, torch_build: str) -> Mismatch | None:
    """Compare the build of a companion with that of torch; None if they agree or a label is unknown.

    ``subject`` and ``torch`` name the two in the message. A CPU build links no accelerator and works with most
    builds of torch. CUDA builds of one major version share their libraries.
    """
    mine, theirs = parse_label(build), parse_label(torch_build)
    if mine is None or theirs is None or build == torch_build:
        return None
    same_major = mine.kind == theirs.kind == "cuda" and mine.version[:1] == theirs.version[:1]
    message = f"{built_for(subject, build)}, and {built_for(torch, torch_build)}"
    return Mismatch(mine.kind != "cpu" and not same_major, message)


def built_for(subject: str, build: str) -> str:
    """A build in a sentence: ``torch 2.3.1 is built for CUDA 12.1``, ``torch 2.3.1 is the CPU build``."""
    words = describe_build(build)
    return f"{subject} is the {words}" if "build" in words else f"{subject} is built for {words}"
