"""Libraries of packages outside the stack: those below a module, damaged ones, those for another Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import CXX, bad, first, image, run, stage_audio, stage_torch
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write

IS_CUDA = "_ZNK2at6Tensor7is_cudaEv"
MODULE = "_k2.cpython-311-x86_64-linux-gnu.so"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 68000000\n"


def k2(site: Path, *, below: tuple[str, ...] = (), uses: tuple[str, ...] = (), name: str = MODULE) -> None:
    """A module with a library of its own; what each of them uses of torch."""
    context = elf("libk2context.so", ["libtorch_cpu.so"], [], below, runpath="$ORIGIN/torch/lib")
    files: dict[str, bytes | str] = {
        "k2/__init__.py": "",
        "libk2context.so": context,
        name: elf("", ["libk2context.so", "libtorch_cpu.so"], [], uses, runpath="$ORIGIN:$ORIGIN/torch/lib"),
    }
    install(site, "k2", "1.24.4", files, headers="Requires-Dist: torch\n", tag="cp311-cp311-linux_x86_64")


def logged(capsys: pytest.CaptureFixture[str], site: Path, text: str) -> dict[str, Any]:
    return run(capsys, "--path", site, "--log", write(site.parent / "log", text))


@pytest.mark.parametrize(
    "symbol",
    [IS_CUDA, "_ZN2at4_ops10_cudnn_rnn4callERKNS_6TensorE", "_ZNK2at10TensorBase8data_ptrIdEEPT_v"],
)
@pytest.mark.parametrize("below", [False, True])
def test_a_symbol_of_every_torch(
    site: Path, symbol: str, *, below: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those with cuda in their names, and those that only a library below the module uses."""
    words = {"below": (symbol,)} if below else {"uses": (symbol,)}
    k2(site, **words)
    report = run(capsys, "--path", site)
    assert bad(report) == [("warning", "TL611")]
    library = "libk2context.so" if below else MODULE
    assert first(report)["message"].startswith(f"{library} of k2 1.24.4 uses a form of at::")
    assert report["command"] is None, "k2 has no source distribution on an index"
    line = f"ImportError: {site}/{library}: undefined symbol: {symbol}\n"
    assert [rule for _, rule in bad(logged(capsys, site, line))] == ["TL611"], "reported once"


@pytest.mark.parametrize(
    ("words"),
    [
        {"uses": (CXX,)},
        {"below": (CXX,)},
        {"below": ("_ZN4mine4codeEv",)},  # whether another library has it is not asked
        {"below": ("_ZN3c104cuda14device_countEv",)},  # of a build for CUDA
    ],
)
def test_libraries_that_torch_is_not_to_blame_for(
    site: Path, words: dict[str, tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    k2(site, **words)
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.parametrize(
    ("file", "named", "content", "error"),
    [
        ("torch_tensorrt/lib/libtorchtrt.so", "", b"", "file too short"),
        ("ctranslate2.libs/libctranslate2-bc15.so.4.5.0", "ctranslate2/../", POINTER, "invalid ELF header"),
        ("vendor/_C.abi3.so", "", b"<html></html>" * 30, "invalid ELF header"),
    ],
)
def test_a_damaged_library_that_a_log_names(
    site: Path, file: str, named: str, content: bytes, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "vendor", "1.0", {"vendor/__init__.py": "", file: elf()})
    write(site / file, content)
    assert bad(run(capsys, "--path", site)) == []
    report = logged(capsys, site, f"OSError: {site}/{named}{file}: {error}\n")
    assert [rule for _, rule in bad(report)] == ["TL607"]
    assert Path(file).name in first(report)["message"]
    assert "--no-cache-dir vendor==1.0" in report["command"]


def test_a_whole_library_that_a_log_calls_damaged(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "vendor", "1.0", {"vendor/__init__.py": "", "vendor/libmine.so": elf()})
    assert bad(logged(capsys, site, f"OSError: {site}/vendor/libmine.so: file too short\n")) == []


# Modules for another Python.


@pytest.mark.parametrize("version", ["1.24.4", "1.24.4+cuda12.1.torch2.1", "1.24.dev20260101"])
@pytest.mark.parametrize(
    "frame", ["", '  File "{site}/k2/__init__.py", line 2, in <module>\n    from _k2 import x\n']
)
def test_a_module_for_another_python(
    site: Path, version: str, frame: str, capsys: pytest.CaptureFixture[str]
) -> None:
    module = "_k2.cpython-38-x86_64-linux-gnu.so"
    install(site, "k2", version, {"k2/__init__.py": "", module: elf()}, headers="Requires-Dist: torch\n")
    quiet = run(capsys, "--path", site, code=0)
    assert bad(quiet) == []
    assert [each["rule"] for each in quiet["files"][0]["findings"] if "_k2" in each["message"]] == ["TL608"]
    report = logged(capsys, site, f"{frame.format(site=site)}ModuleNotFoundError: No module named '_k2'\n")
    assert [rule for _, rule in bad(report)] == ["TL608"]
    assert (
        first(report)["message"]
        == f"_k2 of k2 {version.partition('+')[0]} was built for Python 3.8, this is Python 3.11"
    )
    assert bool(report["command"]) is (version == "1.24.4"), "no index for all has the other builds"


@pytest.mark.parametrize("mine", [MODULE, "_k2.abi3.so"])
def test_a_package_with_modules_for_several_pythons(
    site: Path, mine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files: dict[str, bytes | str] = {
        "_k2.cpython-38-x86_64-linux-gnu.so": elf(),
        mine: elf(),
        "k2/__init__.py": "",
    }
    install(site, "k2", "1.24.4", files, headers="Requires-Dist: torch\n")
    assert "TL608" not in str(run(capsys, "--path", site, code=0))


# Libraries of NVIDIA packages.


@pytest.mark.parametrize(
    ("name", "headers", "library"),
    [
        ("bitsandbytes", "Requires-Dist: torch\n", "libnvJitLink.so.13"),
        ("cupy-cuda13x", "", "libnvrtc.so.13"),
        ("cupy-cuda13x", "", "libcusolver.so.12"),
    ],
)
@pytest.mark.parametrize("is_framed", [True, False])
def test_a_library_that_is_in_a_package(
    site: Path, name: str, headers: str, library: str, *, is_framed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    module = name.partition("-")[0]
    install(site, name, "1.0", {f"{module}/__init__.py": "", f"{module}/ext.py": ""}, headers=headers)
    install(site, "nvidia-it", "13.0", {f"nvidia/cu13/lib/{library}": elf(library)})
    frame = f'  File "{site}/{module}/ext.py", line 3, in <module>\n    load()\n' if is_framed else ""
    prefix = "OSError: " if is_framed else f"{name} library load error: "
    report = logged(capsys, site, f"{frame}{prefix}{library}: cannot open shared object file: No such file\n")
    assert [rule for _, rule in bad(report)] == ["TL230"]
    assert first(report)["message"].startswith(f"{name} 1.0 needs {library}, which is in ")
    assert "nvidia/cu13/lib" in report["command"]
    assert ("import torch before" in first(report)["remedy"]["summary"]) is not bool(headers)


def test_a_library_that_no_package_has(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "bitsandbytes", "1.0", {"bitsandbytes/__init__.py": ""})
    line = "bitsandbytes library load error: libnvJitLink.so.13: cannot open shared object file\n"
    assert "TL230" not in str(logged(capsys, site, line))


# The Python of a tree.


@pytest.mark.parametrize("is_own", [True, False])
def test_the_rpath_of_the_python_of_a_tree(
    tmp_path: Path, *, is_own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """conda's Python leads to its own libstdc++, which is older than what FFmpeg of the machine needs."""
    folder = tmp_path / "root" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder)
    stage_audio(folder)
    image(folder)
    core = elf("", ["libtorch_cpu.so", "libavutil.so.60"], runpath="$ORIGIN/../torch/lib")
    install(
        folder, "torchcodec", "0.7.0", {"torchcodec/__init__.py": "", "torchcodec/libtorchcodec_core8.so": core}
    )
    root, needs = folder.parents[2], [("libstdc++.so.6", "GLIBCXX_3.4.32")]
    write(root / "usr/lib/libavutil.so.60", elf("libavutil.so.60", ["libstdc++.so.6"], needs=needs))
    write(root / "usr/lib/libstdc++.so.6", elf("libstdc++.so.6", defines=["GLIBCXX_3.4.32"]))
    write(root / "own/libstdc++.so.6", elf("libstdc++.so.6", defines=["GLIBCXX_3.4.29"]))
    write(root / "bin/python3.11", elf("", ["libc.so.6"], rpath="$ORIGIN/../own" if is_own else ""))
    found = [rule for _, rule in bad(run(capsys, "--path", folder, "--root", root)) if rule != "TL615"]
    assert ("TL612" in found) is is_own
    assert "TL304" not in found
