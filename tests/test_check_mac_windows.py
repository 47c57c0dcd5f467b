"""Trees of macOS and Windows: which libraries are searched for, what is said of others, and logs that decide."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, run
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site, Uses, dylib, torch
from torchlock.inspect.dll_version import version_of_dll
from torchlock.inspect.loading.root import Root
from torchlock.inspect.loading.search_path import of_macos

UV = "/Users/u/.local/share/uv/python/cpython-3.12-macos-aarch64-none/bin"
QUARANTINE = (
    "ImportError: dlopen({site}/torch/_C.so, 0x0002): Library not loaded: @rpath/libtorch_cpu.dylib\n"
    "  Reason: tried: '{site}/torch/lib/libtorch_cpu.dylib' "
    "(code signature in <1E97> '{site}/torch/lib/libtorch_cpu.dylib' not valid "
    "for use in process: {why}), '/usr/lib/libtorch_cpu.dylib' (no such file)\n"
)
THERE = "/Users/u/app/.venv/lib/python3.12/site-packages"


def staged(tmp_path: Path, system: str, version: str = "2.9.0", home: str = UV) -> Site:
    """A torch on a Mac or on Windows."""
    root = tmp_path / "root"
    inside = "venv/Lib/site-packages" if system == "windows" else THERE.lstrip("/")
    machine = "amd64" if system == "windows" else "arm64"
    site = Site(root / inside, "3.12", system, machine, root)
    site.path.mkdir(parents=True)
    needs = {"c10.dll": ["MSVCP140.dll"]} if system == "windows" else {}
    torch(site, version, "", Uses({}, set()), needs=needs)
    if home and system == "macos":
        lines = f"home = {home}\nversion = 3.12.1\ninclude-system-site-packages = false\n"
        write(site.path.parents[2] / "pyvenv.cfg", lines)
    return site


def checked(
    capsys: pytest.CaptureFixture[str], site: Site, log: str = "", *options: str, root: bool = True
) -> dict[str, Any]:
    words: list[str | Path] = ["--path", site.path, "--platform", site.platform, "--ignore", "TL615"]
    words += ["--root", site.root] if root and site.system == "macos" else []
    words += ["--log", write(site.root / "log.txt", log)] if log else []
    return run(capsys, *words, *options)


# The folders that dyld searches.


@pytest.mark.parametrize(
    ("home", "is_searched", "is_known"),
    [
        (UV, False, True),
        ("/opt/homebrew/opt/python@3.12/bin", True, True),
        ("/opt/homebrew/bin", True, True),
        ("/opt/homebrew/Caskroom/miniconda/base/bin", False, True),
        ("/Users/u/miniconda3/bin", False, True),
        ("/Library/Frameworks/Python.framework/Versions/3.12/bin", False, True),
        ("/Users/u/.pyenv/versions/3.12.4/bin", False, False),
    ],
)
def test_the_python_decides_whether_homebrews_folder_is_searched(
    tmp_path: Path, home: str, is_searched: bool, is_known: bool
) -> None:
    (tmp_path / "opt/homebrew/lib").mkdir(parents=True)
    path = of_macos("arm64", ["/Users/u/app/.venv", home], {}, str(tmp_path))
    there = str(tmp_path / "opt/homebrew/lib")
    assert (there in path.folders, path.is_whole) == (is_searched, is_known)
    assert (there in [each.path for each in path.unsearched]) is not is_searched


def test_the_folders_of_all_package_managers_are_listed(tmp_path: Path) -> None:
    folders = [
        "/opt/homebrew/lib",
        "/opt/homebrew/opt/ffmpeg@7/lib",
        "/usr/local/lib",
        "/Users/u/homebrew/lib",
        "/opt/local/lib",
        "/opt/local/libexec/ffmpeg7/lib",
        "/Users/u/miniconda3/lib",
    ]
    for each in (*folders, "/opt/homebrew/opt/zlib/lib"):
        (tmp_path / each.lstrip("/")).mkdir(parents=True)
    path = of_macos("arm64", ["/Users/u/app/.venv", UV], {}, str(tmp_path))
    assert sorted(each.name for each in path.managed) == sorted(folders)
    assert path.name(str(tmp_path / "opt/homebrew/lib")) == "/opt/homebrew/lib"
    assert {each.manager for each in path.managed} == {"Homebrew", "MacPorts", "conda"}


def test_apples_own_python_starts_without_the_variables(tmp_path: Path) -> None:
    path = of_macos("arm64", ["/x/.venv", "/Library/Developer/CommandLineTools/usr/bin"], {}, str(tmp_path))
    assert path.is_apples
    assert not of_macos("arm64", ["/x/.venv", UV], {}, str(tmp_path)).is_apples


@pytest.mark.parametrize("path", ["/opt/x", "/"])
def test_a_root_names_paths_as_its_machine_does(tmp_path: Path, path: str) -> None:
    assert Root(str(tmp_path)).name(f"{tmp_path}{path}".rstrip("/")) == path
    assert Root(str(tmp_path)).name("/elsewhere") == "/elsewhere"


# Libraries that are named by their places.


def test_a_library_of_a_builders_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "macos")
    path = "/Users/runner/work/deps/libgloo.dylib"
    write(site.path / "torch/lib/libshm.dylib", dylib("@rpath/libshm.dylib", [path]))
    report = checked(capsys, site, "", "--ignore", "TL602")
    assert bad(report) == [("error", "TL610")]
    assert path in first(report)["message"]
    assert "names no path of the machine that built it" in first(report)["remedy"]["summary"]
    write(site.root / path.lstrip("/"), dylib("@rpath/libgloo.dylib"))
    assert bad(checked(capsys, site, "", "--ignore", "TL602")) == []


def test_a_library_of_an_unknown_machine_may_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "macos")
    write(site.path / "torch/lib/libshm.dylib", dylib("@rpath/libshm.dylib", ["/opt/homebrew/lib/libx.dylib"]))
    report = checked(capsys, site, "", "--ignore", "TL602", root=False)
    assert bad(report) == []
    assert "the machine was not examined" in report["summary"]


# What macOS refuses.


@pytest.mark.triggers("TL619")
@pytest.mark.parametrize(
    ("why", "command", "words"),
    [
        ("library load disallowed by system policy", f"xattr -dr com.apple.quarantine {THERE}", "quarantine"),
        ("mapping process and mapped file (non-platform) have different Team IDs", None, "hardened runtime"),
    ],
)
def test_a_library_that_macos_does_not_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], why: str, command: str | None, words: str
) -> None:
    site = staged(tmp_path, "macos")
    report = checked(capsys, site, QUARANTINE.format(site=THERE, why=why))
    assert bad(report) == [("error", "TL619")]
    assert first(report)["message"].endswith(f"libtorch_cpu.dylib of torch: {why}")
    assert report["command"] == command
    assert words in first(report)["remedy"]["summary"]


@pytest.mark.triggers("TL619")
def test_a_signature_that_is_not_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "macos")
    path = f"{THERE}/torch/lib/libtorch_cpu.dylib"
    log = (
        f"ImportError: dlopen({path}, 0x0002): tried: '{path}' (code signature invalid (errno=1) sliceOffset=0x0)"
    )
    report = checked(capsys, site, log)
    assert bad(report) == [("error", "TL619")]
    assert report["command"] == f"codesign --force --sign - {path}"


@pytest.mark.leaves_alone("TL619", "TL312")
def test_a_library_that_is_not_found_is_not_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "macos")
    log = f"ImportError: dlopen({THERE}/x.so, 2): Library not loaded: @rpath/libx.dylib\n  Reason: (no such file)"
    assert bad(checked(capsys, site, log)) == []


@pytest.mark.triggers("TL312")
@pytest.mark.parametrize(
    "built", ["which was built for Mac OS X 12.3", "built for macOS 14.0 which is newer than running OS"]
)
def test_a_build_for_a_later_macos(tmp_path: Path, capsys: pytest.CaptureFixture[str], built: str) -> None:
    site = staged(tmp_path, "macos")
    log = (
        f"ImportError: dlopen({THERE}/torch/_C.so, 2): Symbol not found: _OBJC_CLASS_$_MPSGraphX\n"
        f"  Referenced from: {THERE}/torch/lib/libtorch_cpu.dylib ({built})\n"
        "  Expected in: /System/Library/Frameworks/MetalPerformanceShadersGraph.framework/Versions/A/X\n"
    )
    report = checked(capsys, site, log)
    assert bad(report) == [("error", "TL312")]
    assert "libtorch_cpu.dylib of torch 2.9.0" in first(report)["message"]
    assert "Update macOS to 1" in first(report)["remedy"]["summary"]


@pytest.mark.triggers("TL312")
def test_a_load_command_of_a_later_macos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "macos")
    library = f"{THERE}/torch/lib/../.dylibs/libomp.dylib"
    log = (
        f"ImportError: dlopen({THERE}/torch/_C.so, 2): Library not loaded: @loader_path/../.dylibs/libomp.dylib\n"
        f"  Referenced from: {THERE}/torch/lib/libtorch_cpu.dylib\n"
        "  Reason: no suitable image found.  Did find:\n"
        f"\t{library}: cannot load 'libomp.dylib' (load command 0x80000034 is unknown)\n"
    )
    for text in (log, log.splitlines()[-1]):
        report = checked(capsys, site, text)
        assert bad(report) == [("error", "TL312")]
        assert first(report)["message"].startswith("libomp.dylib of torch 2.9.0 is linked for a later macOS")


# The Visual C++ runtime.


def msvcp(major: int, minor: int) -> bytes:
    return pe() + struct.pack("<IIII", 0xFEEF04BD, 0x10000, major << 16 | minor, 0)


def test_the_version_of_a_dll(tmp_path: Path) -> None:
    assert version_of_dll(str(write(tmp_path / "a.dll", msvcp(14, 29)))) == (14, 29)
    assert version_of_dll(str(write(tmp_path / "b.dll", pe()))) is None
    assert version_of_dll(str(write(tmp_path / "c.dll", msvcp(14, 29)[:-8]))) is None
    assert version_of_dll(str(tmp_path / "none.dll")) is None


INITIALISED = (
    "OSError: [WinError 1114] A dynamic link library (DLL) initialization routine failed. "
    'Error loading "C:\\venv\\Lib\\site-packages\\torch\\lib\\c10.dll" or one of its dependencies.'
)


@pytest.mark.triggers("TL618")
@pytest.mark.parametrize("version", ["2.9.0", "2.13.0"])
def test_a_log_shows_an_old_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str) -> None:
    site = staged(tmp_path, "windows", version)
    report = checked(capsys, site, INITIALISED)
    assert bad(report) == [("error", "TL618")]
    assert "aka.ms" in first(report)["remedy"]["summary"]


@pytest.mark.triggers("TL618")
def test_an_old_runtime_beside_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "windows")
    write(site.path.parents[1] / "msvcp140.dll", msvcp(14, 29))
    assert bad(checked(capsys, site)) == [("error", "TL618")]


@pytest.mark.leaves_alone("TL618")
@pytest.mark.parametrize(("version", "own"), [("2.8.0", (14, 29)), ("2.9.0", (14, 40)), ("2.9.0", (14, 44))])
def test_a_runtime_that_is_new_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, own: tuple[int, int]
) -> None:
    site = staged(tmp_path, "windows", version)
    write(site.path.parents[1] / "msvcp140.dll", msvcp(*own))
    assert bad(checked(capsys, site)) == []


def test_a_package_that_brings_an_old_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "windows")
    install(site.path, "PyQt5-Qt5", "5.15.2", {"PyQt5/Qt5/bin/msvcp140.dll": msvcp(14, 26)})
    assert bad(checked(capsys, site)) == []
    report = checked(capsys, site, INITIALISED)
    assert "pyqt5-qt5 contains 14.26" in first(report)["message"]
    assert first(report)["remedy"]["summary"].startswith("Import torch before pyqt5-qt5")


@pytest.mark.triggers("TL311")
def test_a_paging_file_that_is_too_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "windows")
    report = checked(capsys, site, INITIALISED.replace("1114", "1455"))
    assert bad(report) == [("error", "TL311")]
    assert "load c10.dll of torch 2.9.0" in first(report)["message"]
    assert "paging file" in first(report)["remedy"]["summary"]


@pytest.mark.leaves_alone("TL311", "TL618")
def test_a_module_that_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = staged(tmp_path, "windows")
    log = INITIALISED.replace("1114", "126").replace(
        "A dynamic link library (DLL) initialization routine failed.", "The specified module could not be found."
    )
    assert bad(checked(capsys, site, log)) == [("error", "TL610")]


def test_soundfile_is_judged_without_a_known_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its wheels are for any Python: the platform decides. What was not examined does not load."""
    site = tmp_path / "venv" / "Lib" / "site-packages"
    install(site, "soundfile", "0.12.1", {"soundfile.py": "", "_soundfile.py": ""}, tag="py3-none-any")
    report = run(capsys, "--path", site, "--platform", "windows-amd64")
    assert bad(report) == [("warning", "TL301")]
    assert "libsndfile.dll" in first(report)["says"]
    write(site / "_soundfile_data" / "libsndfile_x64.dll", pe())
    report = run(capsys, "--path", site, "--platform", "windows-amd64", code=0)
    assert "was not examined: its Python version is unknown" in report["summary"]
