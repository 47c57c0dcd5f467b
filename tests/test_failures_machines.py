"""Installers that found no file for a machine: what the log, the folder or the name of a wheel says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.ground import Checked, Ground
from support.site_folder import install, write
from support.skeletons import Site

pytestmark = pytest.mark.sketched
PAGE = "https://download.pytorch.org/whl"

CONFIGURED = "home = C:\\Python\nversion = {}\ninclude-system-site-packages = false\n"


def missing(requirement: str) -> str:
    return (
        f"ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: none)\n"
        f"ERROR: No matching distribution found for {requirement}\n"
    )


def bare(ground: Ground, path: str, python: str, system: str, machine: str = "") -> Site:
    """A folder of packages that does not show the machine."""
    site = Site(ground.folder / "root" / path, python, system, machine, ground.folder / "root")
    install(site.path, "pip", "24.0")
    return site


def in_windows(ground: Ground, log: str, python: str = "3.10.9") -> Checked:
    """A virtual environment of a Windows machine that is not known."""
    site = bare(ground, "Users/u/venv/Lib/site-packages", python, "windows")
    write(site.path.parents[1] / "pyvenv.cfg", CONFIGURED.format(python))
    return ground.check(site, log=log)


def test_a_wheel_of_another_python_after_something_was_collected(ground: Ground) -> None:
    log = (
        "Collecting bitsandbytes==0.41.2.post2 (from -r requirements.txt (line 11))\n"
        "ERROR: torch-2.1.2+cu121-cp311-cp311-win_amd64.whl is not a supported wheel on this platform.\n"
    )
    done = in_windows(ground, log)
    assert done.first.message.endswith("for Python 3.10 on Windows (amd64): its tags are cp311-cp311-win_amd64")
    assert done.command == f"python -m pip install --index-url {PAGE}/cu121 torch==2.1.2+cu121"


def test_a_refused_wheel_of_somebody_else_names_its_tags(ground: Ground) -> None:
    log = "ERROR: flash_attn-2.7.4-cp312-cp312-win_amd64.whl is not a supported wheel on this platform.\n"
    done = in_windows(ground, log)
    assert done.first.message.endswith("for Python 3.10 on Windows (amd64): its tags are cp312-cp312-win_amd64")
    assert done.first.remedy.startswith(
        "Use the wheel of flash-attn for this Python and machine, or use Python 3.12."
    )
    assert not done.command


def test_a_refused_wheel_where_nothing_is_known_of_the_python(ground: Ground) -> None:
    site = bare(ground, "packages/site-packages", "3.10", "linux")
    log = "ERROR: torch-2.1.2-cp311-cp311-win_amd64.whl is not a supported wheel on this platform.\n"
    done = ground.check(site, log=log)
    assert done.first.message.endswith(
        "than this one: it is for Python 3.11 on Windows (amd64) (cp311-cp311-win_amd64)"
    )
    assert not done.command


@pytest.mark.parametrize(
    ("folder", "log"),
    [
        ("Users/n/AppData/Local/Programs/Python/Python39-32/Lib/site-packages", ""),
        (
            "Users/n/tools/Lib/site-packages",
            "Python 3.9.13 (tags/v3.9.13:6de2ca5, May 17 2022, 16:24:45) [MSC v.1929 32 bit (Intel)] on win32\n",
        ),
    ],
)
def test_a_32_bit_python_of_windows(folder: str, log: str, ground: Ground) -> None:
    done = ground.check(bare(ground, folder, "3.9", "windows"), log=log + missing("torch"))
    assert done.first.rule == "TL403"
    assert (
        done.first.message
        == "no release of torch has a wheel for a 32-bit Python, and this one has 32 bits (win32)"
    )
    assert "64-bit Python" in done.first.remedy


def test_a_python_for_arm64_of_windows(ground: Ground) -> None:
    folder = "Users/m/AppData/Local/Programs/Python/Python312-arm64/Lib/site-packages"
    done = ground.check(bare(ground, folder, "3.12", "windows"), log=missing("torch"))
    assert done.first.message.startswith("the public index has no wheel of torch for Windows (arm64)")
    assert done.command.startswith(f"python -m pip install --index-url {PAGE}/cpu torch==")


@pytest.mark.parametrize("requirement", ["torch", "torch>=2.7", "torch==2.8.0"])
def test_a_machine_whose_wheels_are_only_on_the_page_of_a_build(requirement: str, ground: Ground) -> None:
    site = bare(ground, "venv/Lib/site-packages", "3.12", "windows", "arm64")
    write(site.path.parents[1] / "pyvenv.cfg", CONFIGURED.format("3.12.5"))
    done = ground.check(site, log=missing(requirement), platform="windows-arm64")
    assert "has no wheel of torch for Windows (arm64)" in done.first.message
    assert f"--index-url {PAGE}/cpu torch==" in done.command


def test_a_package_that_no_page_has_for_the_machine(ground: Ground) -> None:
    site = bare(ground, "venv/Lib/site-packages", "3.12", "windows", "arm64")
    write(site.path.parents[1] / "pyvenv.cfg", CONFIGURED.format("3.12.5"))
    done = ground.check(site, log=missing("torchaudio==2.8.0"), platform="windows-arm64")
    assert done.first.message == "torchaudio 2.8.0 has no wheel for Windows (arm64)"
    assert not done.command


UV = """Using Python 3.12.9 environment at: /Users/j/.venv
  × No solution found when resolving dependencies:
  ╰─▶ Because torch{platform_machine == 'aarch64' or platform_machine == 'x86_64'}==2.11.0+cpu has no wheels
      with a matching platform tag (e.g., `macosx_26_0_x86_64`) and you require
      torch{platform_machine == 'aarch64' or platform_machine == 'x86_64'}==2.11.0+cpu, we can conclude that your
      requirements are unsatisfiable.
"""


def test_a_python_for_intel_on_a_mac_as_uv_prints_it(ground: Ground) -> None:
    site = bare(ground, "Users/j/.venv/lib/python3.12/site-packages", "3.12", "macos")
    done = ground.check(site, log=UV)
    assert done.first.message == (
        "torch 2.11.0 has wheels for Macs with Apple silicon (arm64) only, and this Python is for Intel (x86_64)"
    )
    assert done.first.remedy.startswith("On Apple silicon, use a Python for arm64. On a Mac with Intel: ")
    assert done.command == 'uv pip install torch==2.2.2 "numpy<2"'


@pytest.mark.parametrize(
    "said",
    [
        "hint: You're on macOS (`macosx_14_0_x86_64`), but torch 2.8.0 has wheels for `macosx_11_0_arm64`",
        "Using CPython 3.12.11 at /Users/j/.local/share/uv/python/cpython-3.12.11-macos-x86_64-none/bin/python",
    ],
)
def test_other_words_for_the_same(said: str, ground: Ground) -> None:
    site = bare(ground, "Users/j/.venv/lib/python3.12/site-packages", "3.12", "macos")
    done = ground.check(site, log=f"{said}\n{missing('torch==2.8.0')}")
    assert "has wheels for Macs with Apple silicon (arm64) only" in done.first.message


def test_statements_that_differ_do_not_say_which_machine_it_is(ground: Ground) -> None:
    site = bare(ground, "Users/j/.venv/lib/python3.12/site-packages", "3.12", "macos")
    log = "You're on macOS (`macosx_14_0_x86_64`)\nYou're on macOS (`macosx_14_0_arm64`)\n" + missing(
        "torch==2.8.0"
    )
    done = ground.check(site, log=log)
    assert done.first.message == "on macOS, torch==2.8.0 has wheels of Python 3.12 for arm64 only"
    assert done.first.remedy == (
        "On a machine with arm64, use a Python that was built for it. On macOS (x86_64), install torch 2.2.2 and "
        "numpy<2."
    )
    assert not done.command


def test_a_machine_that_the_environment_shows_counts_more_than_the_log(ground: Ground, tmp_path: Path) -> None:
    site = bare(ground, "Users/j/.venv/lib/python3.12/site-packages", "3.12", "macos", "arm64")
    done = ground.check(site, log=UV, platform="macos-arm64")
    assert "there is no torch==2.11.0+cpu for macOS" in done.first.message
    assert done.command == "uv pip install torch==2.11.0"


OF_UV = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of {0} and you require {0}, we can conclude that your
      requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("asked", "label", "message", "remedy"),
    [
        (
            "torch==2.8.0",
            "cu118",
            "cu118 does not have torch 2.8.0",
            "from https://download.pytorch.org/whl/cu126",
        ),
        (
            "torchaudio==2.6.0",
            "cu121",
            "cu121 does not have torchaudio 2.6.0",
            "/whl/cu124; or install torchaudio 2.5.1",
        ),
        (
            "torch==2.8.0",
            "rocm6.2",
            "rocm6.2 is not known to have torch 2.8.0",
            "/whl/rocm6.3; or install torch 2.5.1",
        ),
        ("torch==2.2.0", "cu129", "cu129 does not have torch 2.2.0", "/whl/cu121; or install torch 2.8.0"),
    ],
)
def test_a_page_without_the_release_where_nothing_is_known_of_the_machine(
    asked: str, label: str, message: str, remedy: str, ground: Ground
) -> None:
    """https://github.com/debpalash/VoiceStudio/issues/972: the log names the page, and no Python."""
    site = bare(ground, "nowhere/site-packages", "3.12", "linux")
    done = ground.check(site, log=f"installing torch from {PAGE}/{label}\n{OF_UV.format(asked)}")
    assert (done.first.rule, message in done.first.message) == ("TL205", True), done.first.message
    assert remedy in done.first.remedy


def offered(requirement: str, versions: str) -> str:
    return missing(requirement).replace("from versions: none", f"from versions: {versions}")


@pytest.mark.parametrize(
    ("log", "message", "remedy"),
    [
        (
            offered("torch==2.3.0", "2.1.2, 2.2.0, 2.2.2"),
            "no wheel for macOS (x86_64), and 2.2.2",
            "torch 2.2.2 and numpy<2.",
        ),
        (
            offered("torchaudio==2.5.1", "2.1.2, 2.2.2"),
            "no wheel for macOS (x86_64), and 2.2.2",
            "torchaudio 2.2.2.",
        ),
        (
            f"macOS 13.6 x86_64, version 3\n{missing('torch==2.5.1')}",
            "no wheel for macOS (x86_64)",
            "torch 2.2.2 and numpy<2:",
        ),
        (
            f"OS: macOS 14.6 (x86_64)\n{missing('torch==2.5.1')}",
            "no wheel for macOS (x86_64)",
            "torch 2.2.2 and numpy<2:",
        ),
        (missing("torch==2.5.1"), "found none of these", "For macOS (x86_64), torch 2.2.2 is the last one."),
        # The list of another index, or of an old one: nothing follows.
        (
            offered("torch==2.5.1", "2.1.2, 2.4.0"),
            "found none of these",
            "Compare this with the Python, the machine",
        ),
    ],
)
def test_a_machine_that_the_list_or_the_words_show(log: str, message: str, remedy: str, ground: Ground) -> None:
    """https://github.com/KlingAIResearch/LivePortrait/issues/295, https://github.com/mindverse/Second-Me/issues/32"""
    done = ground.check(bare(ground, "nowhere/site-packages", "", ""), log=log)
    assert done.first.rule == "TL403"
    assert message in done.first.message and remedy in done.first.remedy
    assert "64 bits" not in done.first.remedy


@pytest.mark.parametrize("said", [f"Looking in indexes: {PAGE}/cu128", f"{PAGE}/cu118 or {PAGE}/cu121", ""])
def test_a_page_that_is_not_the_reason(said: str, ground: Ground) -> None:
    site = bare(ground, "nowhere/site-packages", "3.12", "linux")
    done = ground.check(site, log=f"{said}\n{OF_UV.format('torch==2.8.0')}")
    assert done.first.rule != "TL205"


MODULE = "import os\n_libname = 'libsndfile64bit.dll'\n"
NOT_FOUND = (
    'File "C:/msys64/mingw64/lib/python3.9/site-packages/soundfile.py"\nOSError: sndfile library not found\n'
)


def msys2(ground: Ground, module: str, *libraries: str) -> Site:
    site = bare(ground, "msys64/mingw64/lib/python3.9/site-packages", "3.9", "windows", "amd64")
    install(site.path, "soundfile", "0.10.3.post1", {"soundfile.py": module})
    for each in libraries:
        write(site.root / "msys64/mingw64/bin" / each, b"")
    return site


@pytest.mark.parametrize("platform", ["", "windows-amd64"])
def test_a_soundfile_of_a_wheel_in_msys2(platform: str, ground: Ground) -> None:
    done = ground.check(msys2(ground, MODULE, "libsndfile-1.dll"), log=NOT_FOUND, platform=platform)
    assert done.first.rule == "TL301"
    assert "does not find the library of MSYS2: it looks for sndfile.dll and libsndfile.dll" in done.first.message
    assert done.command == "pacman -S mingw-w64-x86_64-python-soundfile mingw-w64-x86_64-libsndfile"


def test_an_msys2_of_which_the_libraries_are_not_known(ground: Ground) -> None:
    done = ground.check(msys2(ground, MODULE), log=NOT_FOUND)
    assert "and the log shows that it finds none" in done.first.message
    assert done.command.startswith("pacman -S ")


@pytest.mark.parametrize("libraries", [["libsndfile-1.dll"], []])
def test_the_soundfile_of_msys2_itself_is_not_called_broken(libraries: list[str], ground: Ground) -> None:
    site = msys2(ground, MODULE.replace("libsndfile64bit.dll", "libsndfile-1.dll"), *libraries)
    assert not ground.check(site, platform="windows-amd64").bad


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            r"OSError: [WinError 4551] An Application Control policy has blocked this file. Error loading "
            r'"C:\app\Lib\site-packages\torch\lib\torch.dll" or one of its dependencies.',
            "torch.dll of torch",
        ),
        (
            "ImportError: DLL load failed while importing _C: An Application Control policy has blocked it.",
            "the module _C",
        ),
        ("OSError: [WinError 4551] Eine Anwendungssteuerungsrichtlinie hat diese Datei blockiert", "a file"),
    ],
)
def test_a_policy_of_windows_against_files_that_are_not_signed(line: str, what: str, ground: Ground) -> None:
    site = bare(ground, "app/Lib/site-packages", "3.11", "windows", "amd64")
    ground.torch(site, "2.8.0", made_for=["torchaudio==2.8.0"])
    done = ground.check(site, log=f"{line}\n")
    assert done.first.rule == "TL619"
    assert done.first.message.startswith(f"Application Control of Windows does not let Python load {what}:")
