"""The labels that name builds: the local versions of the PyTorch index (``cu124`` in ``2.5.1+cu124``)."""

from __future__ import annotations

import re
from functools import lru_cache

from torchlock.answers import Unknown
from torchlock.knowledge.stack import FAMILY
from torchlock.patterns import pattern
from torchlock.records import NamedTuple

# The compilers that only the builds for ROCm and XPU need. The root page of the index has them.
_TRITONS = frozenset({"pytorch-triton-rocm", "triton-rocm", "pytorch-triton-xpu", "triton-xpu"})

# Vendors use other labels, too. Of these only ROCm builds can be recognised (+rocm6.4.1.git1ded221d).
_LABEL = pattern(r"(cpu|xpu)|(cu)(\d{1,2})(\d)|(rocm)(\d{1,4}(?:\.\d{1,4}){1,2})?(.*)")
_KINDS = {"cu": "cuda"}
# The ROCm releases with three numbers on the PyTorch index. AMD uses the same form for its own builds.
_ROCM_PATCHES = {(4, 0, 1), (4, 3, 1), (4, 5, 2), (5, 1, 1), (5, 4, 2), (6, 2, 4)}


class BuildLabel(NamedTuple):
    """The local version of a build, parsed. Labels of one kind compare by their version.

    ``kind`` is ``cpu``, ``cuda``, ``rocm`` or ``xpu``; ``version`` is the version of CUDA or ROCm, empty if the
    label has none; ``vendor`` is the text that a vendor adds to a ROCm label.
    """

    kind: str
    version: tuple[int, ...] = ()
    vendor: str = ""
    text: str = ""

    @property
    def is_of_index(self) -> bool:
        """Whether the label has the form that the PyTorch index uses."""
        return self.kind != "rocm" or bool(self.version and not self.vendor)

    @property
    def dotted(self) -> str:
        """The version of CUDA or ROCm as text, like 12.4."""
        return ".".join(map(str, self.version))


@lru_cache(maxsize=1 << 12)
def parse_label(text: str) -> BuildLabel | None:
    """Parse the label of a build: ``cpu``, ``cu124``, ``rocm6.4``, ``xpu``. None for any other text."""
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    kind = match[1] or match[2] or match[5]
    numbers = [match[3], match[4]] if match[2] else (match[6] or "").split(".")
    version = tuple(int(number) for number in numbers if number)
    return BuildLabel(_KINDS.get(kind, kind), version, match[7] or "", text)


def cuda_label(version: str) -> str:
    """The label of the builds for a version of CUDA: ``cu124`` for 12.4 and 12.4.1."""
    return "cu" + "".join(version.split(".")[:2])


def kind_of(label: str) -> str | None:
    """``cpu``, ``cuda``, ``rocm`` or ``xpu``; None for a label that the PyTorch index does not use."""
    build = parse_label(label)
    return build.kind if build is not None and build.is_of_index else None


def is_published(label: str) -> bool:
    """Whether the PyTorch index has, or may get, builds with this label. Any other label is from a vendor."""
    build = parse_label(label)
    return build is not None and build.is_of_index and (len(build.version) < 3 or build.version in _ROCM_PATCHES)


def needs_same_build(label: str) -> bool:
    """Whether a build with this label needs the libraries of a torch with the same build."""
    build = parse_label(label)
    return build is not None and build.kind in ("rocm", "xpu")


def is_from_index(name: str, label: str) -> bool:
    """Whether a project has to come from the PyTorch index if torch is the build with this label."""
    return name in FAMILY or (name in _TRITONS and needs_same_build(label))


@lru_cache(maxsize=1 << 10)
def label_order(label: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that orders builds of one release as installers do, the highest last; "" is the lowest.

    Numbers compare as numbers and are above texts (PEP 440): rocm6.10 is above rocm6.4, and rocm6 above rocm10.
    """
    parts = re.split(r"[.\-_]", label.lower()) if label else []
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def describe_build(label: str | Unknown | None) -> str:
    """A build in words: ``CPU build``, ``CUDA 13.0``, ``ROCm 6.4``; "" if it is unknown."""
    if isinstance(label, Unknown) or not label:
        return ""
    build = parse_label(label)
    if build is None or build.kind == "xpu":
        return "XPU" if build else f"build {label}"
    words = {"cpu": "CPU build", "cuda": f"CUDA {build.dotted}", "rocm": f"ROCm {build.dotted}{build.vendor}"}
    return words[build.kind].strip()
