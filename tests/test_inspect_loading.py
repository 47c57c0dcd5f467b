"""The loader of Linux, followed through trees made for it: what is found in which order, and what is not."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from support.libraries import elf, pe
from support.site_folder import write
from support.skeletons import dylib
from torchlock.inspect.binaries.binary import Binary, Needed
from torchlock.inspect.loading.bundle_process import BundleProcess
from torchlock.inspect.loading.elf_process import ElfProcess
from torchlock.inspect.loading.root import Root


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with a C library of its own."""
    root = tmp_path / "root"
    write(root / "lib64" / "libc.so.6", elf("libc.so.6", exports=["malloc"], defines=["GLIBC_2.17", "GLIBC_2.28"]))
    write(root / "etc" / "os-release", "ID=test\n")
    return root


def process(root: Path, environ: dict[str, str] | None = None) -> ElfProcess:
    return ElfProcess(Root(str(root), environ), None)


def test_what_is_there_loads(machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "a" / "libb.so", elf("libb.so", exports=["b"]))
    path = write(
        tmp_path / "a" / "liba.so", elf("liba.so", ["libb.so", "libc.so.6"], [], ["b"], runpath="$ORIGIN")
    )
    outcome = process(machine).load(str(path))
    assert outcome.loads


def test_a_library_that_is_loaded_already_needs_no_folder(machine: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "torch" / "libtorch.so", elf("libtorch.so", exports=["torch_run"]))
    second = write(tmp_path / "audio" / "libaudio.so", elf("libaudio.so", ["libtorch.so"], [], ["torch_run"]))
    whole = process(machine)
    assert whole.load(str(first)).loads
    assert whole.load(str(second)).loads
    (lost,) = process(machine).load(str(second)).missing
    assert lost.name == "libtorch.so"


def test_a_missing_library_names_who_wants_it(machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "libb.so", elf("libb.so", ["libc10_cuda.so"]))
    path = write(tmp_path / "liba.so", elf("liba.so", ["libb.so"], runpath="${ORIGIN}"))
    (missing,) = process(machine).load(str(path)).missing
    assert (missing.name, missing.wanted_by) == ("libc10_cuda.so", str(tmp_path / "libb.so"))


def test_a_symbol_that_nothing_defines(machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "libtorch.so", elf("libtorch.so", exports=["_ZN5torch3oldEv"]))
    path = write(tmp_path / "liba.so", elf("", ["libtorch.so"], [], ["_ZN5torch3newEv"], runpath="$ORIGIN"))
    (undefined,) = process(machine).load(str(path)).undefined
    assert undefined.symbol == "_ZN5torch3newEv"


def test_symbols_of_python_are_not_asked_of_a_tree_without_one(machine: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "_C.so", elf("", ["libc.so.6"], [], ["PyModule_Create2", "_Py_Dealloc"]))
    assert process(machine).load(str(path)).loads


def test_a_version_that_the_system_does_not_have(machine: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", elf("", ["libc.so.6"], needs=[("libc.so.6", "GLIBC_2.34")]))
    (unmet,) = process(machine).load(str(path)).versions
    assert (unmet.version, unmet.newest) == ("GLIBC_2.34", "GLIBC_2.28")
    good = write(tmp_path / "b.so", elf("", ["libc.so.6"], needs=[("libc.so.6", "GLIBC_2.28")]))
    assert process(machine).load(str(good)).loads


def test_rpath_comes_before_and_runpath_after_ld_library_path(machine: Path, tmp_path: Path) -> None:
    for folder in ("own", "shadow"):
        write(tmp_path / folder / "libcudart.so.12", elf("libcudart.so.12", exports=[folder]))
    environ = {"LD_LIBRARY_PATH": str(tmp_path / "shadow")}
    runpath = write(tmp_path / "a.so", elf("", ["libcudart.so.12"], [], ["own"], runpath="$ORIGIN/own"))
    outcome = ElfProcess(Root("/", environ), None).load(str(runpath))
    assert [undefined.symbol for undefined in outcome.undefined] == ["own"]
    (shadow,) = outcome.shadowed
    assert shadow.taken == str(tmp_path / "shadow" / "libcudart.so.12")
    rpath = write(tmp_path / "b.so", elf("", ["libcudart.so.12"], [], ["own"], rpath="$ORIGIN/own"))
    assert ElfProcess(Root("/", environ), None).load(str(rpath)).loads


def test_a_shadow_is_held_against_what_uses_the_library(tmp_path: Path) -> None:
    """As an old libnvJitLink does to libcusparse, in the midst of a torch that nobody looks into."""
    write(tmp_path / "own" / "libnvJitLink.so.12", elf("libnvJitLink.so.12", exports=["jit_12_0", "jit_12_4"]))
    write(tmp_path / "old" / "libnvJitLink.so.12", elf("libnvJitLink.so.12", exports=["jit_12_0"]))
    sparse = elf("libcusparse.so.12", ["libnvJitLink.so.12"], [], ["jit_12_4"], runpath="$ORIGIN/own")
    write(tmp_path / "libcusparse.so.12", sparse)
    path = write(tmp_path / "libtorch.so", elf("libtorch.so", ["libcusparse.so.12"], runpath="$ORIGIN"))
    old = {"LD_LIBRARY_PATH": str(tmp_path / "old")}
    outcome = ElfProcess(Root("/", old), None).load(str(path), symbols=False)
    assert [each.symbol for each in outcome.undefined] == ["jit_12_4"]
    same = {"LD_LIBRARY_PATH": str(tmp_path / "own")}
    assert ElfProcess(Root("/", same), None).load(str(path), symbols=False).loads


def test_a_library_for_another_machine_is_passed_over(machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "wrong" / "libb.so", elf("libb.so", machine=183))
    write(tmp_path / "right" / "libb.so", elf("libb.so"))
    path = write(tmp_path / "a.so", elf("", ["libb.so"], runpath="$ORIGIN/wrong:$ORIGIN/right"))
    assert process(machine).load(str(path)).loads


def test_links_of_an_image_stay_within_it(machine: Path, tmp_path: Path) -> None:
    write(machine / "opt" / "libsox.so.3", elf("libsox.so.3"))
    (machine / "usr" / "lib").mkdir(parents=True)
    (machine / "usr" / "lib" / "libsox.so").symlink_to("/opt/libsox.so.3")
    root = Root(str(machine))
    assert root.search("libsox.so") == str(machine / "opt" / "libsox.so.3")
    (machine / "usr" / "lib" / "libloop.so").symlink_to("libloop.so")
    (machine / "usr" / "lib" / "libout.so").symlink_to("../../../../../../etc/hostname")
    assert root.search("libloop.so") is None
    assert root.search("libout.so") is None


def test_the_cache_of_ldconfig_is_read(machine: Path) -> None:
    write(machine / "opt" / "av" / "libavutil.so.57", elf("libavutil.so.57"))
    text = b"libavutil.so.57\0/opt/av/libavutil.so.57\0"
    start = 48 + 24
    head = b"glibc-ld.so.cache1.1" + struct.pack("<II", 1, len(text)) + bytes(20)
    entry = struct.pack("<III", 0x0303, start, start + 16) + bytes(12)
    write(machine / "etc" / "ld.so.cache", head + entry + text)
    assert Root(str(machine)).search("libavutil.so.57") == str(machine / "opt" / "av" / "libavutil.so.57")
    write(machine / "etc" / "ld.so.cache", head[:20] + struct.pack("<I", 1 << 31) + bytes(60))
    assert Root(str(machine)).cache.get("libavutil.so.57") is None


def test_the_configuration_counts_where_there_is_no_cache(machine: Path) -> None:
    write(machine / "etc" / "ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
    write(machine / "etc" / "ld.so.conf.d" / "av.conf", "# FFmpeg\n/opt/av\n")
    write(machine / "opt" / "av" / "libavutil.so.57", elf("libavutil.so.57"))
    assert Root(str(machine)).search("libavutil.so.57") is not None


def test_without_a_machine_only_torchs_own_libraries_can_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.so", elf("", ["libcudart.so.13", "libavutil.so.57"]))
    assert ElfProcess(None, None).load(str(path)).loads
    path = write(tmp_path / "b.so", elf("", ["libtorch_cuda.so"]))
    assert [missing.name for missing in ElfProcess(None, None).load(str(path)).missing] == ["libtorch_cuda.so"]


def test_libraries_in_a_circle_end(machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "liba.so", elf("liba.so", ["libb.so"], runpath="$ORIGIN"))
    write(tmp_path / "libb.so", elf("libb.so", ["liba.so"], runpath="$ORIGIN"))
    assert process(machine).load(str(tmp_path / "liba.so")).loads


def test_this_very_python_and_its_libraries_load() -> None:
    import sys

    if sys.platform != "linux":
        pytest.skip("the loader of Linux")
    import _ctypes

    whole = ElfProcess(Root("/", dict(os.environ), os.uname().machine), sys.executable, os.uname().machine)
    assert whole.load(str(_ctypes.__file__)).loads


def test_windows_lacks_a_runtime_only_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = (Needed("VCRUNTIME140.dll"), Needed("KERNEL32.dll"))
    library = Binary(str(tmp_path / "a.pyd"), "pe", "amd64", 64, ("amd64",), needed)
    monkeypatch.setattr("torchlock.inspect.loading.process.read_binary", lambda *_: library)
    assert BundleProcess("windows", "amd64").load(library.path).loads
    here = (str(tmp_path / "System32"),)
    (missing,) = BundleProcess("windows", "amd64", here).load(library.path).missing
    assert missing.name == "vcruntime140.dll"
    write(tmp_path / "System32" / "vcruntime140.dll", b"")
    assert BundleProcess("windows", "amd64", here).load(library.path).loads


def test_windows_finds_libraries_and_symbols_in_the_folder_that_torch_adds(tmp_path: Path) -> None:
    write(tmp_path / "torch" / "lib" / "c10.dll", pe(exports=["?error@c10@@"]))
    path = write(tmp_path / "torchaudio" / "a.pyd", pe({"C10.dll": ["?error@c10@@"], "KERNEL32.dll": ["Sleep"]}))
    newer = write(tmp_path / "torchaudio" / "b.pyd", pe({"c10.dll": ["?later@c10@@"], "torch_cuda.dll": [1]}))
    process = BundleProcess("windows", "amd64")
    assert [missing.name for missing in process.load(str(path)).missing] == ["c10.dll"]
    process.search_in(str(tmp_path / "torch" / "lib"))
    assert process.load(str(path)).loads
    outcome = process.load(str(newer))
    assert [missing.name for missing in outcome.missing] == ["torch_cuda.dll"]
    assert [undefined.symbol for undefined in outcome.undefined] == ["?later@c10@@"]


def test_a_library_of_another_format_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pyd", elf())
    outcome = BundleProcess("windows", "amd64").load(str(path))
    assert outcome.unreadable is not None


@pytest.mark.parametrize(
    ("name", "at", "install_name", "loads"),
    [
        ("@loader_path/../omp.dylib", "", "@rpath/omp.dylib", False),
        ("@loader_path/../omp.dylib", "", "@loader_path/../omp.dylib", True),
        ("@loader_path/../omp.dylib", "omp.dylib", "@rpath/omp.dylib", True),
        ("@loader_path/../one/omp.dylib", "", "@rpath/omp.dylib", True),
        ("@executable_path/omp.dylib", "", "@rpath/omp.dylib", False),
        ("@executable_path/omp.dylib", "bin/omp.dylib", "@rpath/omp.dylib", True),
        ("@rpath/omp.dylib", "", "@rpath/omp.dylib", True),
    ],
)
def test_a_mac_takes_a_loaded_library_for_its_file_or_its_install_name(
    tmp_path: Path, name: str, at: str, install_name: str, loads: bool
) -> None:
    first = write(tmp_path / "one" / "omp.dylib", dylib(install_name))
    user = write(tmp_path / "two" / "user.so", dylib("", [name]))
    if at:
        write(tmp_path / at, dylib("other"))
    process = BundleProcess("macos", "arm64", programs=(str(tmp_path / "bin"),))
    assert process.load(str(first)).loads
    assert process.load(str(user)).loads is loads
    assert len(process.paths()) == (3 if at else 2)


def test_a_mac_looks_beside_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    write(tmp_path / "kept" / "b.dylib", dylib("@rpath/b.dylib"))
    user = write(tmp_path / "kept" / "a.so", dylib("", ["@loader_path/b.dylib"]))
    (tmp_path / "linked.so").symlink_to(user)
    assert BundleProcess("macos", "arm64").load(str(tmp_path / "linked.so")).loads
