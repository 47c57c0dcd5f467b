"""GPUs: what a name or an architecture means, from ``compat_data/builds/gpus.toml``."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from torchlock.errors import InputError
from torchlock.knowledge.accelerator_table import accelerator_table

# The kind of build for each vendor.
_KINDS = {"nvidia": "cuda", "amd": "rocm", "intel": "xpu"}
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}
# The longest name that is compared with those of the table.
_LONGEST = 80


class Gpu(NamedTuple):
    """A GPU: its name as it was found or given, and its architecture (``sm_86``, ``gfx1100``, ``xpu``)."""

    name: str
    arch: str

    def __str__(self) -> str:
        return self.name if self.name == self.arch else f"{self.name} ({self.arch})"

    @property
    def vendor(self) -> str:
        """``nvidia``, ``amd`` or ``intel``."""
        return "nvidia" if self.arch.startswith("sm_") else "amd" if self.arch.startswith("gfx") else "intel"

    @property
    def kind(self) -> str:
        """The kind of build for this GPU: ``cuda``, ``rocm`` or ``xpu``."""
        return _KINDS[self.vendor]

    @property
    def capability(self) -> int:
        """The compute capability of an NVIDIA GPU as a number, 86 for 8.6; 0 for other GPUs."""
        return int(self.arch[3:]) if self.vendor == "nvidia" else 0


def vendor_name(vendor: str) -> str:
    """The vendor as its name is written: NVIDIA, AMD, Intel."""
    return _VENDORS[vendor]


def parse_gpu(text: str) -> Gpu | None:
    """The GPU that a name (``RTX 4090``) or an architecture (``sm_89``, ``gfx1100``, ``xpu``) stands for.

    None for ``none``.

    Raises:
        InputError: the table does not know it, or the name stands for several architectures.
    """
    from torchlock.knowledge.gpu_names import spellings

    written = text.strip()
    if written.lower() == "none":
        return None
    if arch := _arch_of(written.lower()):
        return Gpu(arch, arch)
    names = accelerator_table()["names"]
    for spelling in spellings(written[:_LONGEST]):
        arches = names.get(spelling, ())
        if len(arches) > 1:
            choice = ", ".join(f"{arch} ({title_of(arch)})" for arch in arches)
            hint = "name its architecture: " + " or ".join(f"--gpu {arch}" for arch in arches)
            raise InputError(f"--gpu: {written!r} is the name of several GPUs: {choice}", hint=hint)
        if arches:
            return Gpu(written, arches[0])
    raise _not_known(written)


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """The GPUs of a text with commas between them; empty for ``none``.

    Raises:
        InputError: the table does not know one of them.
    """
    found = [parse_gpu(part) for part in text.split(",")]
    if None in found and len(found) > 1:
        raise InputError(f"--gpu {text}: none means that there is no GPU", hint="name only the GPUs")
    return tuple(dict.fromkeys(gpu for gpu in found if gpu is not None))


def named_gpu(name: str, arch: str) -> Gpu:
    """A GPU that a machine reports, with the table's name of its architecture (sm_110 for sm_101)."""
    return Gpu(name or arch, _arch_of(arch) or arch)


def intel_gpu(device: str) -> tuple[Gpu, bool] | None:
    """The Intel GPU with a PCI device identifier (``56a0``), and whether it is integrated in a processor.

    None if no XPU build is known to be made for it.
    """
    for row in accelerator_table()["gpus"]:
        if device.lower() in row.get("ids", ()):
            return Gpu(f"Intel {row['title']}", row["arch"]), bool(row.get("integrated"))
    return None


def is_integrated(arch: str) -> bool:
    """Whether this architecture is that of graphics inside a processor (AMD)."""
    return arch != "xpu" and bool(gpu_row(arch).get("integrated"))


def title_of(arch: str) -> str:
    """The generation of an architecture, like Ampere; the architecture itself if the table does not know it."""
    if arch == "xpu":
        return "Intel GPU"
    return str(gpu_row(arch).get("title", arch))


def architectures() -> tuple[str, ...]:
    """The architectures that the table knows, in its order."""
    return tuple(dict.fromkeys(str(row["arch"]) for row in accelerator_table()["gpus"]))


def gpu_row(arch: str) -> dict[str, Any]:
    """The row of an architecture (compat_data/README.md); empty if the table does not know it."""
    return next((row for row in accelerator_table()["gpus"] if row["arch"] == arch), {})


def _arch_of(text: str) -> str | None:
    """The architecture in the spelling of the table, for sm_86, sm86, 8.6, compute_86, gfx1100, xpu."""
    if match := re.fullmatch(r"(?:sm_?|compute_)(\d{2,3})[af]?", text):
        text = f"sm_{match[1]}"
    elif match := re.fullmatch(r"(\d{1,2})\.(\d)", text):
        text = f"sm_{match[1]}{match[2]}"
    for row in accelerator_table()["gpus"]:
        if text == row["arch"] or text in row.get("also", ()):
            return str(row["arch"])
    return None


def _not_known(written: str) -> InputError:
    """The error for a GPU that the table does not know, with names that are near."""
    from torchlock.knowledge.gpu_names import plain_name, spellings
    from torchlock.redaction import shortened
    from torchlock.spelling import question, similar

    shown = {arch: arch for arch in architectures()}
    for row in accelerator_table()["gpus"]:
        for name in row["names"]:
            shown.setdefault(plain_name(name), name)
    wanted = [*spellings(written[:_LONGEST])[:2], written[:_LONGEST].lower()]
    near = [name for name in shown if any(re.search(rf"\b{re.escape(word)}\b", name) for word in wanted if word)][
        :3
    ]
    near = near or similar(wanted[0], shown, 3)
    return InputError(
        f"--gpu: unknown GPU {shortened(written, 100)!r}{question(shown[name] for name in near)}",
        hint="use a product name, like 'RTX 4090'; an architecture, like sm_89 or gfx1100; host, which means this "
        "machine; or none",
    )
