"""``torchlock upgrade`` and the builds of the torch family: labels that are asked for, labels that lines have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torchlock.cli.main import main

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def lock(*arguments: str) -> int:
    return main(["lock", "-r", "requirements.in", *TARGET, "-o", "requirements.txt", *arguments])


def upgraded(before: str, *arguments: str, code: int = 0, options: tuple[str, ...] = ()) -> str:
    """The input after the command; the lock of ``before`` is made with ``options``."""
    Path("requirements.in").write_text(before, encoding="utf-8")
    assert lock(*options) == 0
    old = contents()
    assert main(["upgrade", *arguments, "--offline"]) == code
    if code:
        assert contents() == old
    else:
        assert lock(*options, "--check") == 0
    return contents()[0]


def contents() -> tuple[str, str]:
    return (
        Path("requirements.in").read_text(encoding="utf-8"),
        Path("requirements.txt").read_text(encoding="utf-8"),
    )


# A label that is asked for.


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        ("torch==2.9.1+cu128\n", "torch==2.9.1+cpu", "torch==2.9.1+cpu\n"),
        ("torch==2.9.1\n", "torch==2.9.1+cu128", "torch==2.9.1+cu128\n"),
        ("torch==2.9.0\n", "torch==2.9.1+cu128", "torch==2.9.1+cu128\n"),
        (
            "torch==2.9.0+cu128\ntorchaudio==2.9.0+cu128\n",
            "torch==2.9.1+cpu",
            "torch==2.9.1+cpu\ntorchaudio==2.9.1+cpu\n",
        ),
        ("torch==2.9.0\ntorchaudio==2.9.0\n", "torch==2.9.1+cpu", "torch==2.9.1+cpu\ntorchaudio==2.9.1\n"),
        (
            "torch==2.8.0+cu128; sys_platform == 'linux'\ntorch==2.8.0; sys_platform == 'darwin'\n",
            "torch==2.9.1+cpu",
            "torch==2.9.1+cpu; sys_platform == 'linux'\ntorch==2.9.1; sys_platform == 'darwin'\n",
        ),
    ],
    ids=["another", "first", "with-release", "companion-follows", "companion-without-label", "split-by-marker"],
)
def test_a_label_that_is_asked_for_is_written_and_locked(before: str, asked: str, after: str) -> None:
    assert upgraded(before, asked) == after
    assert f"# builds: {asked.partition('+')[2]} of" in contents()[1]


@pytest.mark.parametrize(
    ("before", "asked", "options", "message"),
    [
        ("torch>=2.8\n", ["torch==2.9.1+cu128"], (), "no line of the input pins a version"),
        ("torch==2.9.1\n", ["torch==2.9.1+cpu"], ("--accelerator", "cu128"), "the lock is for cu128"),
        (
            "torch==2.9.1\ntorchaudio==2.9.1\n",
            ["torch==2.9.1+cpu", "torchaudio==2.9.1+cu128"],
            (),
            "torch==2.9.1+cpu and torchaudio==2.9.1+cu128 ask for different builds",
        ),
        ("torch==2.9.1\n", ["torch!=2.8.0+cpu"], (), "torch!=2.8.0+cpu: a label names one version"),
    ],
    ids=["no-pin", "other-accelerator", "two-labels", "no-version"],
)
def test_a_label_that_cannot_be_held_is_refused(
    before: str, asked: list[str], options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    upgraded(before, *asked, code=2, options=options)
    assert message in capsys.readouterr().err


def test_a_bound_needs_no_label_where_the_lock_has_the_build() -> None:
    options = ("--accelerator", "cu128")
    assert upgraded("torch>=2.8\n", "torch==2.9.1+cu128", options=options) == "torch>=2.8\n"
    assert "torch-2.9.1%2Bcu128" in contents()[1]


# Overrides.


@pytest.mark.parametrize("asked", ["torch==2.9.1", "torch>=2.9", "torch==2.9.1+cpu"])
def test_an_override_that_excludes_the_release_is_named(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("limits.txt").write_text("torch==2.8.0\n", encoding="utf-8")
    upgraded("torch==2.8.0\n", asked, code=2, options=("--override", "limits.txt"))
    err = capsys.readouterr().err
    assert f"limits.txt:1: the override torch==2.8.0 excludes {asked}, and it replaces all other lines" in err


def test_an_override_for_a_target_conflicts_with_the_release(capsys: pytest.CaptureFixture[str]) -> None:
    Path("limits.txt").write_text("torch==2.8.0; sys_platform == 'linux'\n", encoding="utf-8")
    upgraded("torch==2.8.0\n", "torch==2.9.1", code=1, options=("--override", "limits.txt"))
    assert "satisfies the override and --upgrade-package together: ==2.8.0 and ==2.9.1" in capsys.readouterr().err


def test_lock_does_not_ignore_a_release_that_an_override_excludes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("limits.txt").write_text("torch==2.8.0\n", encoding="utf-8")
    Path("requirements.in").write_text("torch\n", encoding="utf-8")
    assert lock("--override", "limits.txt", "-P", "torch==2.9.1") == 2
    assert "limits.txt:1: the override torch==2.8.0 excludes torch==2.9.1" in capsys.readouterr().err


def test_an_override_that_allows_the_release_lets_it_move() -> None:
    Path("limits.txt").write_text("torch>=2.8\n", encoding="utf-8")
    after = upgraded("torch==2.8.0\n", "torch==2.9.1", options=("--override", "limits.txt"))
    assert after == "torch==2.9.1\n"
    assert "torch==2.9.1 \\" in contents()[1]


# The newest release of the build that the lines name.


@pytest.mark.parametrize("label", ["cu128", "cpu"])
@pytest.mark.parametrize("asked", ["torch", "torch>=2.9.1"])
def test_the_newest_release_is_one_of_the_build(label: str, asked: str) -> None:
    after = upgraded(f"torch==2.9.0+{label}\n", asked)
    assert after.startswith("torch==2.")
    assert after.endswith(f"+{label}\n")
    assert "2.9.0" not in after
    assert f"# builds: {label} of" in contents()[1]


# Several files.


@pytest.mark.parametrize("output", ["r-{python}.txt", "r-3.12.txt"])
def test_one_of_several_files_is_refused(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.in").write_text("six==1.16.0\n", encoding="utf-8")
    pythons = ["--python", "3.11-3.12", "--platform", "linux-x86_64", "--offline"]
    assert main(["lock", "-r", "requirements.in", *pythons, "-o", "r-{python}.txt"]) == 0
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert main(["upgrade", "six", "-r", "requirements.in", "-o", output, "--offline"]) == 2
    assert "upgrade moves one lock, and -o r-{python}.txt names several" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
