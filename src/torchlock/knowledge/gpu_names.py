"""The spelling of GPU names: what ``nvidia-smi``, ``rocminfo`` and people write, in one form."""

from __future__ import annotations

import re

# A maker, a brand, and words about the form of a card: none decides the architecture.
_NOISE = frozenset(
    [
        "nvidia",
        "geforce",
        "tesla",
        "grid",
        "amd",
        "radeon",
        "instinct",
        "intel",
        "corporation",
        "r",
        "tm",
        "graphics",
        "gpu",
        "laptop",
        "mobile",
        "notebook",
        "edition",
        "generation",
        "server",
        "workstation",
        "pcie",
        "sxm",
        "sxm2",
        "sxm3",
        "sxm4",
        "sxm5",
        "sxm6",
        "nvl",
        "oam",
        "hbm2",
        "hbm2e",
        "hbm3",
        "hbm3e",
        "lhr",
        "data",
        "center",
        "dual",
        "slot",
        "with",
        "design",
    ]
)
_NOISE_PATTERN = re.compile(r"\d+gb|\d+g")
# A Ti or a Super has the architecture of the product without these words.
_SUFFIXES = ("ti", "super", "d", "boost")
# Prefixes that people leave out.
_PREFIXES = ("quadro", "jetson", "arc")


def plain_name(text: str) -> str:
    """The name in lower case, without maker, brand, memory and form: ``a100`` for ``NVIDIA A100-SXM4-80GB``."""
    text = re.sub(r"max-?q|-\d+[abcq]$", " ", text.lower().strip())
    text = re.sub(r"\b(gtx|rtx|rx|gt)(?=\d)", r"\1 ", text)
    words = re.findall(r"[a-z0-9]+", text)
    return " ".join(word for word in words if word not in _NOISE and not _NOISE_PATTERN.fullmatch(word))


def spellings(text: str) -> list[str]:
    """The names under which a table may have this GPU, the likeliest first."""
    name = plain_name(text)
    words = name.split()
    split = re.sub(r"(?<=\d{4})(ti|super)\b", r" \1", name).split()
    while split and split[-1] in _SUFFIXES:
        split = split[:-1]
    base = " ".join(split)
    found = [name, base, *(f"{prefix} {name}" for prefix in _PREFIXES if words)]
    return list(dict.fromkeys(spelling for spelling in found if spelling))
