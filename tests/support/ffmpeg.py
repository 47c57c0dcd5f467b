"""FFmpeg as libraries of a machine, and the torchcodec that needs it."""

from __future__ import annotations

from pathlib import Path

from support.libraries import elf
from support.site_folder import install

PARTS = ("avutil", "avcodec", "avformat", "avdevice", "avfilter", "swscale", "swresample")
NUMBERS = {5: (57, 59, 59, 59, 8, 6, 4), 6: (58, 60, 60, 60, 9, 7, 4), 9: (61, 63, 63, 63, 12, 10, 7)}


def ffmpeg(major: int) -> list[str]:
    return [f"lib{part}.so.{number}" for part, number in zip(PARTS, NUMBERS[major], strict=True)]


def codec(site: Path) -> None:
    """torchcodec 0.7, for FFmpeg 5 and 6."""
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.7.0+cpu'\n",
        **{f"torchcodec/libtorchcodec_core{n}.so": elf("", [*ffmpeg(n), "libtorch_cpu.so"]) for n in (5, 6)},
    }
    install(site, "torchcodec", "0.7.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
