"""Libraries of a megabyte that ask for gigabytes or hours: work is counted, memory is limited in a child."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.call_count import calls
from support.libraries import elf, macho, pe
from torchlock.inspect.binaries import Binary, read_binary
from torchlock.inspect.binaries.raw import Steps
from torchlock.inspect.loading.bundle_process import BundleProcess
from torchlock.inspect.loading.elf_process import ElfProcess
from torchlock.runtime.files import Unreadable

BASE = 0x1000
FEW_CALLS = 2_000_000
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (500 << 20, 500 << 20))
from torchlock.inspect.binaries import Binary, read_binary
for path in sys.argv[1:]:
    binary = read_binary(path, "arm64")
    symbols = binary.symbols if isinstance(binary, Binary) else binary
    used = getattr(symbols, "undefined", ())
    defines = getattr(symbols, "defines", lambda name: False)
    print([defines(name) for name in ("a", "A" * 1000)])
# Of this program alone: ru_maxrss begins with what the parent had.
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def with_table(tags: list[tuple[int, int]], body: bytes) -> bytes:
    """An ELF library whose dynamic section has these tags, and whose tables are this."""
    body += bytes(-len(body) % 8)
    dynamic = b"".join(struct.pack("<QQ", *each) for each in [*tags, (0, 0)])
    start, total = BASE + len(body), BASE + len(body) + len(dynamic)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, total, total, 0x1000)
    head += struct.pack("<IIQQQQQQ", 2, 6, start, start, start, len(dynamic), len(dynamic), 8)
    return head.ljust(BASE, b"\0") + body + dynamic


LONG = b"\0" + b"A" * 65_000 + b"\0" * 7


def needs_one_string() -> bytes:
    rows = b"".join(struct.pack("<IHHII", 0, 0, n & 0x7FFF, 1, 16) for n in range(65_500))
    body = LONG + struct.pack("<HHIII", 1, 65_500, 1, 16, 0) + rows
    return with_table([(5, BASE), (10, len(LONG)), (0x6FFFFFFE, BASE + len(LONG)), (0x6FFFFFFF, 1)], body)


def needs_parts_of_one_string() -> bytes:
    rows = b"".join(struct.pack("<IHHII", 0, 0, n, n + 1, 16) for n in range(10_000))
    body = LONG + struct.pack("<HHIII", 1, 10_000, 1, 16, 0) + rows
    return with_table([(5, BASE), (10, len(LONG)), (0x6FFFFFFE, BASE + len(LONG)), (0x6FFFFFFF, 1)], body)


def definitions_of_one_record() -> bytes:
    rows = b"".join(struct.pack("<HHHHIII", 1, 0, 1, 1, 0, 20, 20) for _ in range(60_000))
    return with_table([(5, BASE), (10, len(LONG)), (0x6FFFFFFC, BASE + len(LONG))], LONG + rows)


def symbols_of_one_string(section: int) -> bytes:
    rows = b"".join(struct.pack("<IBBHQQ", 1 + n % 64_000, 0x12, 0, section, 0, 0) for n in range(40_000))
    hashes = struct.pack("<IIII", 1, 40_000, 0, 0)
    at = BASE + len(LONG)
    return with_table([(5, BASE), (10, len(LONG)), (6, at), (4, at + len(rows))], LONG + rows + hashes)


def one_bucket() -> bytes:
    """A GNU hash table with one bucket, in which all 200,000 symbols have the hash of ``a``."""
    strings = b"\0b\0"
    symbols = struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 0) * 200_000
    number = (5381 * 33 + ord("a")) & 0xFFFFFFFE
    table = struct.pack("<4IQI", 1, 0, 1, 6, (1 << 64) - 1, 0) + struct.pack("<I", number) * 200_000
    at = BASE + 8
    tags = [(5, BASE), (10, len(strings)), (6, at), (0x6FFFFEF5, at + len(symbols))]
    return with_table(tags, strings.ljust(8, b"\0") + symbols + table)


def imports(count: int, step: int = 0) -> bytes:
    """A DLL with rows that share one list of imports, or begin further on in it."""
    entries, rows = 131_000, bytearray(20 * (count + 1))
    name = BASE + len(rows)
    body = rows + b"a.dll\0\0\0"
    body += bytes(-len(body) % 8)
    thunks = BASE + len(body)
    body += struct.pack("<Q", 1 << 63 | 5) * entries + bytes(8)
    for row in range(count):
        struct.pack_into("<5I", body, 20 * row, thunks + step * row, 0, 0, name, thunks)
    optional = struct.pack("<H106xI", 0x20B, 16) + bytes(8) + struct.pack("<II", BASE, 100) + bytes(112)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2022) + optional
    head += b".data\0\0\0" + struct.pack("<IIII16x", len(body), BASE, len(body), 0x400)
    return head.ljust(0x400, b"\0") + bytes(body)


def exports_of_one_string() -> bytes:
    """A DLL whose 60,000 exported names are parts of one."""
    content = bytearray(pe({}, ["A" * 60_000]))
    names = content.index(b"A" * 100)
    address = BASE + names - 0x200
    table = struct.pack("<60000I", *(address + n for n in range(60_000)))
    start = len(content)
    content += table
    directory = struct.pack("<10I", 0, 0, 0, 0, 1, 60_000, 60_000, 0, BASE + start - 0x200, 0)
    content += directory
    struct.pack_into("<I", content, 64 + 24 + 112, BASE + start + len(table) - 0x200)
    section = 64 + 24 + 112 + 128
    size = len(content) - 0x200
    struct.pack_into("<IIII", content, section + 8, size, BASE, size, 0x200)
    return bytes(content)


def commands(count: int) -> bytes:
    """A Mach-O library of so many empty load commands."""
    body = struct.pack("<II", 0x99, 8) * count
    return struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 6, count, len(body), 0, 0) + body


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "needs": (needs_one_string, "too many needed versions"),
    "parts": (needs_parts_of_one_string, "take more bytes than the file has"),
    "definitions": (definitions_of_one_record, "too many defined versions"),
    "undefined": (lambda: symbols_of_one_string(0), "longer than the file can hold"),
    "imports": (lambda: imports(4090), "more imports than the file can hold"),
    "overlapping imports": (lambda: imports(4090, 8), "more imports than the file can hold"),
    "exports": (exports_of_one_string, "longer than the file can hold"),
    "commands": (lambda: commands(100_000), "100000 load commands"),
    "slices": (
        lambda: struct.pack(">II", 0xCAFEBABE, 1 << 20) + bytes(4096),
        "a universal file of 1048576 slices",
    ),
}


def answer(binary: Binary | Unreadable) -> Unreadable | None:
    """What could not be read of a library: its headers, its symbols, or what it uses."""
    if isinstance(binary, Unreadable):
        return binary
    if isinstance(binary.symbols, Unreadable):
        return binary.symbols
    return binary.symbols.undefined if isinstance(binary.symbols.undefined, Unreadable) else None


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_unknown_and_takes_little_work(tmp_path: Path, name: str) -> None:
    make, reason = BOMBS[name]
    path = tmp_path / "a.so"
    path.write_bytes(make())
    assert calls(lambda: answer(read_binary(str(path), "arm64"))) < FEW_CALLS
    found = answer(read_binary(str(path), "arm64"))
    assert found is not None
    assert reason in found.reason
    assert found.unknown


def test_a_hash_table_of_one_bucket(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(one_bucket())
    binary = read_binary(str(path))
    assert isinstance(binary, Binary)
    symbols = binary.symbols
    assert not isinstance(symbols, Unreadable)
    assert symbols.defines("a") is False
    assert calls(lambda: [symbols.defines("a") for _ in range(100)]) < FEW_CALLS
    assert isinstance(symbols.defines("a"), Unreadable)


def test_true_names_never_spend_the_steps() -> None:
    steps = Steps()
    for _ in range(100_000):
        steps.begin()
        for _ in range(60):  # the longest table of ld without -O1
            steps.take()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, and holes in files")
def test_bombs_take_little_memory(tmp_path: Path) -> None:
    paths = []
    for name, (make, _) in BOMBS.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(make())
    more = {"defined": symbols_of_one_string(1), "bucket": one_bucket()}
    holes = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100000C, 0, 6, 2, 104, 0, 0)
    holes += struct.pack("<6I", 2, 24, 0x1000, 1 << 24, 0, 16) + struct.pack(
        "<20I", 11, 80, 0, 0, 0, 1 << 20, 0, 1, *[0] * 12
    )
    more["holes"] = holes
    # A table of sections that is 4 GB of holes, and a table of segments that is nearly as large.
    sections = bytearray(elf("liba.so", [], ["a"], ["b"]))
    struct.pack_into("<Q", sections, 40, 1 << 20)
    struct.pack_into("<HH", sections, 58, 65_535, 65_535)
    more["sections"] = bytes(sections)
    struct.pack_into("<Q", sections, 32, 1 << 20)
    struct.pack_into("<H", sections, 56, 65_535)
    more["segments"] = bytes(sections)
    for name, content in more.items():
        paths.append(tmp_path / name)
        with paths[-1].open("wb") as file:
            file.write(content)
            file.truncate(1 << 38 if name in ("holes", "sections", "segments") else len(content))
    child = subprocess.run([sys.executable, "-c", _CHILD, *map(str, paths)], capture_output=True, timeout=300)
    assert child.returncode == 0, child.stderr.decode()[-500:]
    assert int(child.stdout.split()[-1]) < 150 << 10


@pytest.mark.skipif(sys.platform != "linux", reason="holes in files")
def test_a_table_of_holes_is_not_read(tmp_path: Path) -> None:
    content = bytearray(elf("liba.so", [], ["a"], ["b"]))
    at = content.index(struct.pack("<Q", 10))  # DT_STRSZ
    struct.pack_into("<Q", content, at + 8, 64 << 20)
    segment = 64 + 32
    struct.pack_into("<QQ", content, segment, 1 << 30, 1 << 30)
    path = tmp_path / "a.so"
    with path.open("wb") as file:
        file.write(content)
        file.truncate(1 << 30)
    found = answer(read_binary(str(path)))
    assert found is not None
    assert "holes of a sparse file" in found.reason
    assert found.unknown


def test_a_symbol_that_many_rows_use_is_one(tmp_path: Path) -> None:
    rows = struct.pack("<IBBHQQ", 1, 0x12, 0, 0, 0, 0) * 40_000
    at = BASE + len(LONG)
    hashes = struct.pack("<IIII", 1, 40_000, 0, 0)
    path = tmp_path / "a.so"
    path.write_bytes(with_table([(5, BASE), (10, len(LONG)), (6, at), (4, at + len(rows))], LONG + rows + hashes))
    binary = read_binary(str(path))
    assert isinstance(binary, Binary)
    assert not isinstance(binary.symbols, Unreadable)
    assert not isinstance(binary.symbols.undefined, Unreadable)
    assert len(binary.symbols.undefined) == 1


def test_a_library_of_very_many_symbols_is_read(tmp_path: Path) -> None:
    names = [f"_ZN2at{n}Ev" for n in range(30_000)]
    path = tmp_path / "a.so"
    path.write_bytes(elf("liba.so", [], names, names[:10]))
    binary = read_binary(str(path))
    assert isinstance(binary, Binary)
    symbols = binary.symbols
    assert not isinstance(symbols, Unreadable)
    assert all(symbols.defines(name) is True for name in names[::100])
    assert symbols.defines("_ZN2at30000Ev") is False


def test_a_bomb_is_not_said_to_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.so"
    path.write_bytes(needs_one_string())
    outcome = ElfProcess(None, None).load(str(path))
    assert outcome.loads
    assert outcome.answer is not True
    assert "cannot be read: too many needed versions" in str(outcome.unseen[0].why)


def test_what_is_passed_on_in_circles_is_followed_once(tmp_path: Path) -> None:
    """Forty libraries that each re-export all others: 40! paths."""

    def library(own: int) -> bytes:
        body = b""
        for kind, name in [
            (0xD, f"@rpath/l{own}.dylib"),
            *((0x8000001F, f"@rpath/l{n}.dylib") for n in range(40)),
        ]:
            text = name.encode().ljust(24, b"\0")
            body += struct.pack("<6I", kind, 48, 24, 0, 0, 0) + text
        at = 32 + len(body) + 104
        body += struct.pack("<6I", 2, 24, at, 1, at + 16, 8)
        body += struct.pack("<20I", 11, 80, 0, 0, 0, 0, 0, 1, *[0] * 12)
        rows = struct.pack("<IBBHQ", 1, 1, 0, 1 << 8, 0) + b"\0_lost\0\0"
        return struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 43, len(body), 0, 0) + body + rows

    for n in range(40):
        (tmp_path / f"l{n}.dylib").write_bytes(library(n))
    process = BundleProcess("macos", "arm64")
    found = []
    assert calls(lambda: found.append(process.load(str(tmp_path / "l0.dylib")))) < FEW_CALLS
    assert [each.symbol for each in found[0].undefined] == ["_lost"]


def test_folders_of_another_machine_are_looked_at_within_a_budget(tmp_path: Path) -> None:
    folders = ":".join(f"/a{n}" for n in range(900))
    for n in range(60):
        needed = [f"l{n + 1}.so", *(f"m{k}.so" for k in range(200))]
        (tmp_path / f"l{n}.so").write_bytes(elf(f"l{n}.so", needed, rpath=f"$ORIGIN:{folders}"))
    process = ElfProcess(None, None)
    found = []
    assert calls(lambda: found.append(process.load(str(tmp_path / "l0.so")))) < 2 * FEW_CALLS
    assert any("more libraries than can be followed" in str(each.why) for each in found[0].unseen)


def test_versions_of_many_digits(tmp_path: Path) -> None:
    strange = ["V_" + "9" * 5000, "V_²", "V_1.2"]
    (tmp_path / "b.so").write_bytes(elf("b.so", defines=strange))
    (tmp_path / "a.so").write_bytes(elf("a.so", ["b.so"], needs=[("b.so", "V_3")], runpath="$ORIGIN"))
    outcome = ElfProcess(None, None).load(str(tmp_path / "a.so"))
    assert [each.version for each in outcome.versions] == ["V_3"]


def test_mach_o_that_is_sound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.dylib"
    path.write_bytes(macho())
    assert answer(read_binary(str(path), "arm64")) is None
