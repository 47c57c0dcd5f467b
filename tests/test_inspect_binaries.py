"""Libraries as the loaders read them; damaged ones have a reason, and never raise."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.libraries import elf, macho, pe
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.runtime.files import Unreadable

WHOLE = elf(
    "libtorch.so",
    ["libc10.so", "libc.so.6"],
    ["torch_library_impl", "_ZN5torch3runEv"],
    ["_ZN3c105errorEv"],
    runpath="$ORIGIN:$ORIGIN/../../nvidia/lib",
    needs=[("libc.so.6", "GLIBC_2.28"), ("libm.so.6", "GLIBC_2.29")],
    defines=["TORCH_2"],
)


CHANGES = st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=8)), max_size=6)


def read(folder: Path, content: bytes) -> Binary | Unreadable:
    path = folder / "lib.so"
    path.write_bytes(content)
    return read_binary(str(path))


def test_elf_tells_what_it_needs_and_offers(tmp_path: Path) -> None:
    binary = read(tmp_path, WHOLE)
    assert isinstance(binary, Binary)
    assert (binary.format, binary.machine, binary.bits, binary.soname) == ("elf", "x86_64", 64, "libtorch.so")
    assert [needed.name for needed in binary.needed] == ["libc10.so", "libc.so.6"]
    assert binary.runpath == ("$ORIGIN", "$ORIGIN/../../nvidia/lib")
    assert [(need.file, need.version) for need in binary.version_needs] == [
        ("libc.so.6", "GLIBC_2.28"),
        ("libm.so.6", "GLIBC_2.29"),
    ]
    assert binary.version_definitions == ("TORCH_2",)
    symbols = binary.symbols
    assert not isinstance(symbols, Unreadable)
    assert symbols.defines("torch_library_impl")
    assert symbols.defines("_ZN5torch3runEv")
    assert not symbols.defines("_ZN3c105errorEv")
    assert not symbols.defines("")
    assert [reference.name for reference in symbols.undefined] == ["_ZN3c105errorEv"]


def test_pe_tells_what_it_needs_and_offers(tmp_path: Path) -> None:
    """Names of templates pass a thousand letters, and are told apart by their ends."""
    long = "?" + "launder@" * 300
    content = pe({"c10.dll": ["?error@c10@@", 7], "KERNEL32.dll": ["Sleep"]}, [long, "load"], ["shm.dll"])
    binary = read(tmp_path, content)
    assert isinstance(binary, Binary)
    assert (binary.format, binary.machine, binary.bits) == ("pe", "amd64", 64)
    assert [(needed.name, needed.delayed) for needed in binary.needed] == [
        ("c10.dll", False),
        ("KERNEL32.dll", False),
        ("shm.dll", True),
    ]
    symbols = binary.symbols
    assert not isinstance(symbols, Unreadable)
    assert [(used.library, used.name, used.ordinal) for used in symbols.undefined] == [
        ("c10.dll", "?error@c10@@", None),
        ("c10.dll", "", 7),
        ("KERNEL32.dll", "Sleep", None),
    ]
    assert symbols.defines(long)
    assert symbols.defines("load")
    assert not symbols.defines(long[:-1])


@settings(max_examples=300, deadline=500)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=8)), max_size=6), st.integers(0, 900)
)
def test_a_damaged_pe_is_read_or_has_a_reason(changes: list[tuple[int, bytes]], size: int) -> None:
    content = bytearray(pe({"c10.dll": ["error", 7]}, ["load", "save"], ["shm.dll"]))
    for at, data in changes:
        content[at : at + len(data)] = data
    with tempfile.TemporaryDirectory() as folder:
        for cut in (bytes(content), bytes(content[:size])):
            binary = read(Path(folder), cut)
            assert isinstance(binary, Unreadable) or binary.symbols is not None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a library"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is not a library"),
        (WHOLE[:40], "cut off"),
        (WHOLE[:100], "segments ends at byte"),
        (WHOLE[:-100], "dynamic section ends at byte"),
        (b"MZ" + bytes(100), ""),
        (b"\xcf\xfa\xed\xfe" + bytes(10), ""),
        (b"\xca\xfe\xba\xbe" + struct.pack(">I", 2), "slices"),
    ],
)
def test_damaged_files_have_a_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    answer = read(tmp_path, content)
    assert isinstance(answer, Unreadable)
    assert answer.reason
    assert reason in answer.reason


def test_what_is_no_file(tmp_path: Path) -> None:
    assert isinstance(read_binary(str(tmp_path)), Unreadable)
    assert isinstance(read_binary(str(tmp_path / "none.so")), Unreadable)


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(WHOLE) - 1),
    patch=st.binary(min_size=1, max_size=16),
    cut=st.integers(0, len(WHOLE)),
)
def test_no_elf_raises(tmp_path_factory: pytest.TempPathFactory, at: int, patch: bytes, cut: int) -> None:
    content = (WHOLE[:at] + patch + WHOLE[at + len(patch) :])[: cut or None]
    answer = read(tmp_path_factory.getbasetemp(), content)
    if isinstance(answer, Binary) and not isinstance(answer.symbols, Unreadable):
        answer.symbols.defines("torch_library_impl")


def test_mach_o_tells_from_which_library_a_symbol_comes(tmp_path: Path) -> None:
    binary = read(tmp_path, macho())
    assert isinstance(binary, Binary)
    assert (binary.format, binary.machine) == ("macho", "arm64")
    assert [needed.name for needed in binary.needed] == ["@rpath/libtorch.dylib"]
    assert not isinstance(binary.symbols, Unreadable)
    (reference,) = binary.symbols.undefined
    assert (reference.name, reference.library) == ("_torch_library_impl", "@rpath/libtorch.dylib")


def test_of_a_universal_file_the_slice_of_the_machine_is_read(tmp_path: Path) -> None:
    one = macho()
    table = struct.pack(">II", 0xCAFEBABE, 2)
    table += struct.pack(">IIIII", 0x01000007, 3, 4096, 64, 0)
    table += struct.pack(">IIIII", 0x0100000C, 0, 8192, len(one), 0)
    path = tmp_path / "lib.dylib"
    path.write_bytes(table.ljust(8192, b"\0") + one)
    binary = read_binary(str(path), "arm64")
    assert isinstance(binary, Binary)
    assert binary.machines == ("x86_64", "arm64")
    assert [needed.name for needed in binary.needed] == ["@rpath/libtorch.dylib"]


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(macho()) - 1), patch=st.binary(min_size=1, max_size=8))
def test_no_mach_o_raises(tmp_path_factory: pytest.TempPathFactory, at: int, patch: bytes) -> None:
    content = macho()
    answer = read(tmp_path_factory.getbasetemp(), content[:at] + patch + content[at + len(patch) :])
    if isinstance(answer, Binary) and not isinstance(answer.symbols, Unreadable):
        answer.symbols.defines("_torch_library_impl")
