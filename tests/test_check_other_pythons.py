"""What an installer could not meet on one Python, though another Python, or the page that it asked, decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.site_folder import install, write
from torchlock.check.known_wheels import installs, releases_with
from torchlock.target import Platform, PythonVersion, Target

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "https://download.pytorch.org/whl"
CONFLICT = """\
ERROR: Cannot install -r all.txt (line 5) and torch<2 because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested torch<2
    torchaudio 2.2.1 depends on torch==2.2.1
    The user requested torch<2
    torchaudio 2.0.1 depends on torch==2.0.0
"""
OF_UV = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because torchaudio==2.0.2 depends on torch==2.0.1 and you require torchaudio, we can conclude that your
      requirements are unsatisfiable.
      And because you require torch<2, we can conclude that your requirements are unsatisfiable.
"""


def no_match(requirement: str, offered: str) -> str:
    return (
        f"ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: {offered})"
        "\n"
        f"ERROR: No matching distribution found for {requirement}\n"
    )


def lock_of_uv(requirement: str, wheels: str) -> str:
    return (
        f"error: Distribution `{requirement} @ registry+{PAGE}/cpu` can't be installed because it doesn't have a "
        "source distribution or wheel for the current platform\n\n"
        f"hint: You're on Linux, but `{requirement.partition('=')[0]}` only has wheels for the following "
        f"platforms: {wheels}\n"
    )


def found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], python: str, log: str, machine: str = "x86_64"
) -> tuple[dict[str, object], str]:
    """The first finding of an environment with pip alone, and the command."""
    site = tmp_path / "venv" / "lib" / f"python{python}" / "site-packages"
    install(site, "pip", "24.0", {"pip/__init__.py": ""})
    text = f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}.1\n"
    write(tmp_path / "venv" / "pyvenv.cfg", text)
    words = ["--path", site, "--platform", f"linux-{machine}", "--log", write(tmp_path / "log", log)]
    report = run(capsys, *words)
    return next(each for each in report["files"][0]["findings"] if each["severity"] != "note"), report["command"]


@pytest.mark.parametrize("log", [CONFLICT, OF_UV], ids=["pip", "uv"])
def test_requirements_that_another_python_meets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    first, command = found(tmp_path, capsys, "3.11", log)
    assert first["rule"] == "TL527"
    assert "on Python 3.10, " in str(first["message"]) and "torchaudio 0.13.1" in str(first["message"])
    assert first["because"] == "torchaudio 0.13.1 has wheels for Python 3.7 to 3.10 only"
    assert "3.10" in command and "torch==1.13.1" in command


def test_requirements_that_this_python_meets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, command = found(tmp_path, capsys, "3.10", CONFLICT)
    assert first["rule"] == "TL527" and command is None
    assert "no set of releases" not in str(first["remedy"])


@pytest.mark.parametrize(
    ("python", "requirement", "offered", "rule", "words"),
    [
        # The list has the label, so the page was asked; the public wheels end with Python 3.10.
        ("3.11", "torchaudio==0.13.1+cu117", "2.0.0+cu117, 2.0.2+cu117", "TL403", "install torchaudio 2.0.0"),
        ("3.11", "torchvision==0.14.1+cu117", "0.15.1+cu117, 0.15.2+cu117", "TL403", "install torchvision 0.15.1"),
        ("3.11", "torch==2.4.1+cu121", "2.2.0, 2.4.1", "TL507", "Install it from"),
        # There is a wheel for this Python, and its page was asked.
        ("3.11", "torch==2.4.1+cu121", "2.2.0+cu121, 2.5.1+cu121", "TL528", "2.5.1+cu121"),
    ],
)
def test_a_label_whose_page_was_asked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    python: str,
    requirement: str,
    offered: str,
    rule: str,
    words: str,
) -> None:
    first, _ = found(tmp_path, capsys, python, no_match(requirement, offered))
    assert first["rule"] == rule
    assert words in str(first["remedy"])


@pytest.mark.parametrize(
    "log",
    [
        lock_of_uv("torchaudio==2.6.0+cpu", "`linux_x86_64`, `win_amd64`"),
        no_match("torchaudio==2.6.0+cpu", "2.5.1, 2.6.0"),
    ],
    ids=["a lock of uv", "pip"],
)
def test_a_label_that_the_wheels_of_this_machine_do_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str
) -> None:
    first, command = found(tmp_path, capsys, "3.11", log, "aarch64")
    assert first["rule"] == "TL212"
    assert "no label" in str(first["message"])
    assert command.endswith(f"--index-url {PAGE}/cpu torchaudio==2.6.0")


def test_a_project_needs_another_pin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = lock_of_uv("torchaudio==2.6.0+cpu", "`linux_x86_64`")
    first, _ = found(tmp_path, capsys, "3.11", f"$ uv sync\n{log}", "aarch64")
    assert "change the pin there, too, and lock again" in str(first["remedy"])


@pytest.mark.parametrize(
    ("tags", "what"), [("`linux_x86_64`, `win_amd64`", "platform"), ("`cp39`, `cp310`", "Python")]
)
def test_the_tags_that_uv_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str], tags: str, what: str) -> None:
    log = lock_of_uv("example-package==1.0", tags)
    if what == "Python":
        hint = f"only found wheels for `example-package` (v1.0) with the following Python ABI tags: {tags}"
        log = f"{log.partition('hint')[0]}hint: You require CPython 3.13 (`cp313`), but we {hint}\n"
    first, _ = found(tmp_path, capsys, "3.13", log, "aarch64")
    assert first["rule"] == "TL403"
    assert f"has no wheel for this {what}" in str(first["message"])


def test_a_lock_of_poetry_was_not_made_for_the_public_index_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = "  - Installing torch (2.5.1+cu124): Failed\n\n"
    log += "    Unable to find installation candidates for torch (2.5.1+cu124)\n"
    first, _ = found(tmp_path, capsys, "3.13", log)
    assert first["rule"] == "TL528"
    assert "lock again" in str(first["remedy"])


def test_an_image_that_an_arm_machine_builds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/KoljaB/RealtimeVoiceChat/issues/5: the remedy has all that was asked for"""
    asked = f"torch==2.5.1+cu121 torchaudio==2.5.1+cu121 torchvision==0.20.1 --index-url {PAGE}/cu121"
    log = f" > [builder 6/11] RUN pip install {asked}:\nLooking in indexes: {PAGE}/cu121\n"
    log += no_match("torch==2.5.1+cu121", "1.11.0, 2.0.1")
    first, command = found(tmp_path, capsys, "3.10", log, "aarch64")
    assert "torchaudio==2.5.1" in command
    assert "docker build --platform linux/amd64" in str(first["remedy"])


@pytest.mark.parametrize(("minor", "newest"), [(9, "2.8.0"), (10, "2.11.1")])
def test_a_wheel_for_every_python_3_may_require_a_later_one(minor: int, newest: str) -> None:
    """The wheels of torchaudio 2.11.1 have the tag py3, and their metadata requires Python 3.10."""
    target = Target(PythonVersion(3, minor, 0), Platform.parse("linux-x86_64"))
    assert newest in releases_with("torchaudio", "", target)
    assert installs("torchaudio", "2.11.1", "", target) is (minor >= 10)
