"""A made-up future: torch 2.16.0, and a torchaudio 2.12.0 that needs a function which only this torch has.

The wheels hold real, small ELF files. This torch exports what the newest torch of the data exports, and one
function more, so that every companion of the data goes on working with it.
"""

from __future__ import annotations

import io
import struct
import zipfile
from functools import cache
from typing import TYPE_CHECKING

from support.libraries import elf
from support.small_wheels import metadata
from torchlock.knowledge import tables
from torchlock.proving.tables import read_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from support.refresh_index import Index

NEW = "torch_of_the_future"
TAGS = "cp312-cp312-manylinux_2_28_x86_64"
_CHECK = """\
def _check_cuda_version():
    ta_major, t_major = 13, int(torch.version.cuda.split(".")[0])
    if ta_major != t_major:
        raise RuntimeError("another CUDA")
"""


def fill(index: Index) -> None:
    """Put the future into an index: nothing else is there. The library of its torchcodec cannot be read."""
    add(index, torch("2.16.0"))
    add(index, torchaudio("2.12.0"))
    damaged = {"torchcodec/libtorchcodec_core7.so": b"not a library"}
    add(index, wheel("torchcodec", "0.18.0", TAGS, ("torch>=2.11",), damaged))
    add(index, wheel("future_runtime", "1.0", "py3-none-any", (), {}))


def add(index: Index, file: tuple[str, bytes], uploaded: str = "2027-01-15T12:00:00Z") -> None:
    """Put a wheel into an index."""
    name, content = file
    index.add(name.split("-")[0].replace("_", "-"), name, content, **{"upload-time": uploaded})


@cache
def torch(version: str, *, without: str = "") -> tuple[str, bytes]:
    """A torch for CUDA 13: that of the data with one more function."""
    exports = sorted({*newest_torch(), NEW} - {without})
    libraries = {
        "libtorch.so": elf("libtorch.so", ["libtorch_cpu.so", "libtorch_cuda.so"]),
        "libtorch_cpu.so": elf("libtorch_cpu.so", ["libc10.so"], exports),
        "libtorch_cuda.so": elf("libtorch_cuda.so", ["libc10_cuda.so", "libcudart.so.13"]),
        "libtorch_python.so": elf("libtorch_python.so", ["libtorch.so"]),
        "libc10.so": elf("libc10.so", ["libc.so.6"]),
        "libc10_cuda.so": elf("libc10_cuda.so", ["libc10.so", "libcudart.so.13"]),
    }
    members: dict[str, str | bytes] = {
        f"torch/lib/{name}": with_sections(content) for name, content in libraries.items()
    }
    members["torch/version.py"] = f"__version__ = '{version}+cu130'\ncuda: str | None = '13.0'\nhip = None\n"
    members["torch/__init__.py"] = ""
    return wheel("torch", version, TAGS, ("filelock", "typing-extensions>=4.10.0", "future-runtime==1.0"), members)


def torchaudio(
    version: str, uses: Sequence[str] = (NEW,), requires: Sequence[str] = ("torch>=2.11",)
) -> tuple[str, bytes]:
    """A torchaudio for CUDA 13 with a library for torch's stable ABI, that uses these functions of torch."""
    needed = ["libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so", "libc10.so", "libcudart.so.13", "libc.so.6"]
    library = elf(
        "libtorchaudio.so", needed, undefined=["torch_library_impl", *uses], runpath="$ORIGIN/../../torch/lib"
    )
    members: dict[str, str | bytes] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": f"__version__ = '{version}+cu130'\n",
        "torchaudio/_extension/__init__.py": "",
        "torchaudio/_extension/utils.py": _CHECK,
        "torchaudio/lib/libtorchaudio.so": library,
    }
    return wheel("torchaudio", version, TAGS, requires, members)


@cache
def newest_torch() -> frozenset[str]:
    """The functions of torch that decide something, as the newest torch of the data exports them."""
    torches = read_store(tables.ROOT / "proofs").torches["linux-x86_64"]
    return max(torches, key=lambda each: [int(part) for part in each.wheel.version.split(".")]).exports


def wheel(
    name: str, version: str, tags: str, requires: Sequence[str], members: Mapping[str, str | bytes]
) -> tuple[str, bytes]:
    """The name and the content of a wheel with these members."""
    stream, info = io.BytesIO(), f"{name}-{version}.dist-info"
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/METADATA", metadata(name, version, requires))
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tags}\n")
        paths = [*members, f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"]
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in paths))
    return f"{name}-{version}-{tags}.whl", stream.getvalue()


def with_sections(library: bytes) -> bytes:
    """An ELF library with a table of sections that has its dynamic symbols and their names."""
    (at,) = struct.unpack_from("<Q", library, 64 + 56 + 8)
    values: dict[int, int] = {}
    while (row := struct.unpack_from("<QQ", library, at))[0]:
        values.setdefault(*row)
        at += 16
    (count,) = struct.unpack_from("<I", library, values[4] + 4)
    sections = [bytes(64)]
    for kind, offset, size, link in ((11, values[6], 24 * count, 2), (3, values[5], values[10], 0)):
        sections.append(struct.pack("<IIQQQQIIQQ", 0, kind, 2, offset, offset, size, link, 0, 8, 24))
    whole = bytearray(library + bytes(-len(library) % 8))
    struct.pack_into("<Q", whole, 40, len(whole))
    struct.pack_into("<HHH", whole, 58, 64, len(sections), 0)
    return bytes(whole) + b"".join(sections)
