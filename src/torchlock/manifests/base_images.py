"""The contents of container images, by their names: Python, torch with its companions, a vendor's build.

The Dockerfile of the pytorch repository makes ``pytorch/pytorch``. Until 1.12 conda installed torch, torchvision
and torchtext, later torch, torchvision and torchaudio. Since 2.6 pip installs them from the index of the build
that the tag names (conda packages of torch ended with 2.5).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from torchlock.knowledge.indexes import page_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_PYTHON = re.compile(
    r"(?:^|/)(?:python:|uv:python|python-build[\w-]*:)(\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)(?!\d)", re.A
)
_PYTORCH = re.compile(r"(?:^|/)pytorch/pytorch(?:[:@]|$)")
_PYTORCH_TAG = re.compile(r"pytorch/pytorch:v?(\d{1,4}(?:\.\d{1,4}){1,2})-cuda(\d{1,4})(?:\.(\d{1,4}))?", re.A)
# Vendors that build torch for their own images.
_VENDORS = {
    "NVIDIA": r"(?:^|/)nvidia/(?:pytorch|nemo|vllm|sglang|modulus|physicsnemo|tritonserver:\S*py)"
    r"|l4t-(?:pytorch|ml)|^dustynv/|jetson",
    "AMD": r"(?:^|/)rocm/(?!dev-|rocm-terminal|composable)\S*(?:torch|vllm|sglang|megatron|jax|ai)",
    "Intel": r"(?:^|/)intel/\S*(?:torch|deep-learning|ipex|llm|vllm)|intel-(?:extension|optimized)",
    "Habana": r"habana|gaudi",
    "Amazon": r"\.dkr\.ecr\.[^\s/]*/\S*pytorch|public\.ecr\.aws/\S*(?:deep-learning|pytorch)",
    "Google": r"deeplearning-platform-release/\S*(?:pytorch|torch)",
    "Microsoft": r"mcr\.microsoft\.com/\S*(?:acpt|pytorch|aifx)",
    "Huawei": r"(?:^|/)ascend(?:ai)?/\S*",
    "Graphcore": r"(?:^|/)graphcore/\S*pytorch",
}
_VENDOR = {vendor: re.compile(pattern, re.IGNORECASE) for vendor, pattern in _VENDORS.items()}
# Images that are named like a language image and contain torch.
_FULL = re.compile(r"(?:^|/)kaggle(?:-gpu)?(?:-images)?/python(?:[:@]|$)")
# Companions that an image with the vendor's torch may contain, so a bare name may install nothing. TL203 is not
# raised for them; TL903 says that the matching versions are unknown. Sources: Habana's list of packages, the
# release notes of Amazon's containers; no document was found for torchvision of the others.
_BROUGHT = {
    "NVIDIA": ("torchvision",),
    "AMD": ("torchvision",),
    "Intel": ("torchvision",),
    "Habana": ("torchvision", "torchaudio"),
    "Amazon": ("torchvision", "torchaudio"),
    "Microsoft": ("torchvision",),
}
# Images of systems, languages and tools, without torch.
_BARE = re.compile(
    r"""(?:^|/)(?:
    ubuntu|debian|alpine|fedora|centos|rockylinux|almalinux|amazonlinux|archlinux|busybox|scratch|buildpack-deps
    |python|pypy|node|golang|rust|gcc|openjdk|ruby|nginx|postgres|redis|uv|micromamba|manylinux[\w-]*|musllinux[\w-]*
    |miniconda3?|anaconda3?|miniforge3?|mambaforge|cuda|cudagl|opengl|cuda-dl-base|dev-ubuntu-[\d.]+|dev-almalinux-\d
    |rocm-terminal|debian-slim|python3[\w-]*|ubi[\w-]*|poetry|base-debian\d*|base-ubuntu[\d.]*
    )(?::|@|$)""",
    re.VERBOSE | re.IGNORECASE,
)
# A registry, a repository and a tag have 255, 255 and 128 characters at most.
_LONGEST = 800


class Image(NamedTuple):
    """The contents of an image, by its name.

    ``python`` is a version. ``torch`` is the release that the makers of torch put there; ``channel`` and ``page``
    are the installer and index that they used. ``held`` maps its companions to their versions ("" if unknown).
    ``vendor`` is who built the torch in the image, "" if it is not a vendor build. ``unknown``: the image may
    contain any torch, or no torch.
    """

    python: str = ""
    torch: str = ""
    channel: str = "pip"
    page: str | None = None
    held: Mapping[str, str] = MappingProxyType({})
    vendor: str = ""
    unknown: bool = False


def image_of(name: str) -> Image:
    """Read the name of an image, with its registry and tag."""
    if len(name) > _LONGEST:
        return Image(unknown=True)
    python = _PYTHON.search(name)
    for vendor, pattern in _VENDOR.items():
        if pattern.search(name):
            held = dict.fromkeys(_BROUGHT.get(vendor, ()), "")
            return Image(python[1] if python else "", vendor=vendor, held=held)
    if _FULL.search(name):
        return Image(unknown=True)
    if _PYTORCH.search(name):
        return _of_pytorch(name)
    return Image(python[1] if python else "", unknown=not (python or _BARE.search(name)))


def _of_pytorch(name: str) -> Image:
    tag = _PYTORCH_TAG.search(name)
    if tag is None:
        return Image(unknown=True)
    numbers = [int(part) for part in tag[1].split(".")]
    major, minor, patch = (*numbers, 0, 0)[:3]
    by_pip = (major, minor) >= (2, 6)
    page = page_of(f"cu{tag[2]}{tag[3]}") if by_pip and tag[3] else None
    return Image(
        torch=tag[1], channel="pip" if by_pip else "conda", page=page, held=_companions(major, minor, patch)
    )


def _companions(major: int, minor: int, patch: int) -> dict[str, str]:
    """The companions of a torch release: torchvision and torchaudio (up to 2.11) have parallel version numbers."""
    if major < 2:
        held = {"torchvision": f"0.{minor + 1}.{patch}"}
        return held | ({"torchaudio": f"0.{minor}.{patch}"} if minor >= 13 else {})
    vision = {(2, 0, 1): "0.15.2", (2, 0, 0): "0.15.1"}.get((major, minor, patch), f"0.{minor + 15}.{patch}")
    audio = {(2, 0, 1): "2.0.2", (2, 0, 0): "2.0.1"}.get((major, minor, patch), f"2.{min(minor, 11)}.{patch}")
    return {"torchvision": vision, "torchaudio": audio if minor < 11 else "2.11.0"}
