"""``torchlock upgrade``: lines of an input and its lock move together."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from torchlock.cli.main import main

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]
INPUT = "# app\ntorch==2.8.0  # pinned\ntorchaudio==2.8.0\nsoundfile>=0.12\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    write("requirements.in", INPUT)
    locked()
    capsys.readouterr()
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def locked(*arguments: str, source: str = "requirements.in", output: str = "requirements.txt") -> None:
    assert main(["lock", "-r", source, *TARGET, "-o", output, *arguments]) == 0


def upgraded(*arguments: str, code: int = 0) -> None:
    assert main(["upgrade", *arguments, "--offline"]) == code


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def is_up_to_date(*arguments: str) -> bool:
    """Whether the same lock command would change nothing."""
    return main(["lock", "-r", "requirements.in", *TARGET, "-o", "requirements.txt", "--check", *arguments]) == 0


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir()}


# Left alone.


def test_nothing_is_written_by_a_trial(capsys: pytest.CaptureFixture[str]) -> None:
    before = contents()
    for option in ("--diff", "--dry-run", "--check"):
        upgraded("torch==2.9.1", option, code=1 if option == "--check" else 0)
        out, err = capsys.readouterr()
        assert "-torch==2.8.0  # pinned\n-torchaudio==2.8.0\n+torch==2.9.1  # pinned\n" in out
        assert "\n-torch==2.8.0 \\\n" in out
        assert "\n+torch==2.9.1 \\\n" in out
        assert "requirements.in:2: torch==2.8.0  # pinned would become torch==2.9.1  # pinned" in err
        assert "packages would change in requirements.txt:" in err
        assert "locked in" not in err
    assert contents() == before


def test_what_is_there_already_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = contents()
    upgraded("torch==2.8.0")
    upgraded("torch==2.8.0", "--check")
    assert "nothing changed in requirements.txt" in said(capsys)
    assert contents() == before


def test_an_upgrade_without_a_solution_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write("requirements.in", INPUT + "numpy==1.21.0\n")
    before = contents()
    upgraded("numpy==99", code=1)
    assert contents() == before


def test_a_file_that_cannot_be_written_leaves_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock fails after the input was replaced: the input gets its old content back."""
    from torchlock.errors import InputError
    from torchlock.report import together

    before, real = contents(), together.write_bytes

    def failing(path: str, content: bytes, *, expected: bytes | None = None) -> object:
        if path.endswith(".txt"):
            raise InputError("cannot be written (disk full)", path=path)
        return real(path, content, expected=expected)

    monkeypatch.setattr(together, "write_bytes", failing)
    upgraded("torch==2.9.1", code=2)
    err = capsys.readouterr().err
    assert "requirements.txt: cannot be written (disk full)" in err
    assert "changed in requirements.txt" not in err
    assert contents() == before


def test_a_file_that_another_program_changed_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from torchlock.report import together

    real = together.write_together

    def meanwhile(files: list[together.NewFile]) -> list[str]:
        write("requirements.txt", "six==1.16.0\n")
        return real(files)

    monkeypatch.setattr(together, "write_together", meanwhile)
    upgraded("torch==2.9.1", code=2)
    assert "requirements.txt: was changed by another program meanwhile" in capsys.readouterr().err
    assert read("requirements.in") == INPUT


# Moved.


def test_the_input_and_the_lock_move_together(capsys: pytest.CaptureFixture[str]) -> None:
    """The target is that of the lock; torchaudio follows; all else stays."""
    upgraded("torch==2.9.1")
    text = said(capsys)
    assert read("requirements.in") == INPUT.replace("2.8.0", "2.9.1")
    assert "torch==2.9.1 \\" in read("requirements.txt")
    assert "requirements.in:3: torchaudio==2.8.0 became torchaudio==2.9.1" in text
    assert "updated torchaudio 2.8.0 → 2.9.1 torchaudio==2.9.1 (requirements.in:3)" in text
    assert "linux-x86_64: torch 2.9.1 no longer has a wheel for Python 3.9" in text
    assert (
        read("requirements.txt")
        .splitlines()[1]
        .endswith("torchlock lock -r requirements.in " + " ".join(TARGET) + " -o requirements.txt")
    )
    assert is_up_to_date()


def test_a_name_moves_to_the_newest_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    upgraded("torch")
    lines = read("requirements.in").splitlines()
    assert lines[1] != "torch==2.8.0  # pinned"
    assert lines[2] != "torchaudio==2.8.0"
    assert lines[3] == "soundfile>=0.12"
    assert is_up_to_date()
    assert "NVIDIA driver 580 or newer (before: 525.60.13)" in said(capsys)


def test_a_range_is_a_choice_within_it() -> None:
    upgraded("torch>=2.9,<2.10")
    assert read("requirements.in") == INPUT.replace("2.8.0", "2.9.1")
    assert is_up_to_date()


def test_a_step_back_works_too() -> None:
    upgraded("torch==2.7.1")
    assert read("requirements.in") == INPUT.replace("2.8.0", "2.7.1")
    assert is_up_to_date()


def test_a_line_that_allows_it_stays_and_the_lock_moves(capsys: pytest.CaptureFixture[str]) -> None:
    write("requirements.in", "torch>=2.1,<2.10\ntorchaudio\n")
    locked("-P", "torch==2.8.0")
    upgraded("torch==2.9.1")
    assert read("requirements.in") == "torch>=2.1,<2.10\ntorchaudio\n"
    assert "torch==2.9.1 \\" in read("requirements.txt")
    assert "no line of the input changes, only the lock" in said(capsys)


def test_a_package_that_no_line_names_moves_in_the_lock_only() -> None:
    upgraded("cffi==1.17.0")
    assert read("requirements.in") == INPUT
    assert "cffi==1.17.0 \\" in read("requirements.txt")


def test_bounds_and_included_files_and_constraints_move() -> None:
    write("requirements.in", "-r base.in\ntorchaudio>=2.1,<2.9\n")
    write("base.in", "torch>=2.1,<2.9\n")
    write("limits.txt", "torchaudio<=2.8\n")
    locked("-c", "limits.txt")
    upgraded("torch==2.9.1")
    assert read("base.in") == "torch>=2.1,<2.10\n"
    assert read("requirements.in") == "-r base.in\ntorchaudio>=2.1,<2.10\n"
    assert read("limits.txt") == "torchaudio<=2.9.1\n"
    assert is_up_to_date("-c", "limits.txt")


def test_a_project_moves_in_its_own_notation() -> None:
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.8.0", "torchaudio~=2.8.0"]\n'
    write("pyproject.toml", text)
    Path("requirements.in").unlink()
    locked(source="pyproject.toml")
    upgraded("torch==2.9.1")
    assert read("pyproject.toml") == text.replace("2.8.0", "2.9.1")


def test_a_build_keeps_its_label() -> None:
    write("requirements.in", "torch==2.8.0+cu128\ntorchaudio==2.8.0+cu128\n")
    locked()
    upgraded("torch==2.9.1")
    assert read("requirements.in") == "torch==2.9.1+cu128\ntorchaudio==2.9.1+cu128\n"
    assert is_up_to_date()


def test_crlf_and_bytes_stay() -> None:
    Path("requirements.in").write_bytes(b"\xef\xbb\xbf# caf\xc3\xa9\r\ntorch==2.8.0\r\n\r\ntorchaudio==2.8.0")
    upgraded("torch==2.9.1")
    assert (
        Path("requirements.in").read_bytes()
        == b"\xef\xbb\xbf# caf\xc3\xa9\r\ntorch==2.9.1\r\n\r\ntorchaudio==2.9.1"
    )


def test_what_breaks_outside_of_the_lock_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """An extra that is not locked keeps a torchaudio that the new torch does not work with."""
    text = (
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.8.0"]\n'
        '[project.optional-dependencies]\naudio = ["torchaudio==2.8.0"]\n'
    )
    write("pyproject.toml", text)
    Path("requirements.in").unlink()
    locked(source="pyproject.toml")
    capsys.readouterr()
    upgraded("torch==2.9.1")
    err = capsys.readouterr().err
    assert "warning: pyproject.toml:6: TL101 torchaudio 2.8.0 works with torch 2.8.0, not with torch 2.9.1" in err


@pytest.mark.parametrize("option", [["--emit", "constraints"]])
def test_other_outputs_are_not_taken(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    upgraded("torch==2.9.1", *option, code=2)
    assert f"upgrade does not take {option[0]}" in capsys.readouterr().err


def test_all_targets_of_a_lock_move() -> None:
    write("requirements.in", "torch==2.8.0\ntorchaudio==2.8.0\n")
    many = ["--platform", "linux-x86_64", "--platform", "windows-amd64", "--python", "3.11-3.12", "--offline"]
    command = ["lock", "-r", "requirements.in", *many, "-o", "requirements.txt"]
    assert main(command) == 0
    before = read("requirements.txt").splitlines()[:3]
    upgraded("torch==2.9.1")
    assert read("requirements.in") == "torch==2.9.1\ntorchaudio==2.9.1\n"
    assert read("requirements.txt").splitlines()[:3] == before
    assert "torchaudio==2.9.1" in read("requirements.txt")
    assert main([*command, "--check"]) == 0


APART = ["--python", "3.12", "--platform", "linux-x86_64", "--platform", "macos-x86_64", "--fork", "newest"]


def locked_apart(text: str) -> str:
    """The lock of a line for Linux and for macOS on Intel, which has no torch after 2.2.2."""
    write("apart.in", text)
    assert main(["lock", "-r", "apart.in", *APART, "-o", "apart.txt", "--offline"]) == 0
    return read("apart.txt")


@pytest.mark.parametrize("options", [APART, ["--python", "3.11-3.12", "--platform", "linux-x86_64"]])
def test_each_target_keeps_its_own_newest_release(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write("apart.in", "torch\nnumpy\n")
    assert main(["lock", "-r", "apart.in", *options, "-o", "apart.txt", "--offline"]) == 0
    before = read("apart.txt")
    upgraded("torch", "numpy", "-r", "apart.in", "-o", "apart.txt")
    assert read("apart.txt") == before


def test_a_bound_moves_for_the_newest_release_of_all_targets(capsys: pytest.CaptureFixture[str]) -> None:
    locked_apart("torch>=2.1,<2.9\n")
    upgraded("torch", "-r", "apart.in", "-o", "apart.txt")
    assert "torch==2.8.0" not in read("apart.txt")
    assert "torch==2.2.2 ; sys_platform" in read("apart.txt")
    assert read("apart.in") != "torch>=2.1,<2.9\n"
    assert "-P torch==" not in said(capsys)


@pytest.mark.parametrize("asked", ["torch", "torch>=2.2"])
def test_no_target_moves_back_for_another_one(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    locked_apart('torch==2.8.0 ; sys_platform == "linux"\ntorch==2.2.2 ; sys_platform != "linux"\n')
    before = contents()
    upgraded(asked, "-r", "apart.in", "-o", "apart.txt", code=2)
    assert "which is older than 2.8.0 in the lock" in said(capsys)
    assert contents() == before


# Refused.


def test_a_dependent_that_breaks_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    write("requirements.in", "torch==2.2.2\ntorchaudio==2.2.2\nnumpy==1.26.4\nscipy==1.11.4\n")
    locked("-U")
    capsys.readouterr()
    upgraded("numpy==2.2.0", code=1)
    text = said(capsys)
    assert "scipy" in text
    assert "hint: to move scipy as well: torchlock upgrade numpy==2.2.0 scipy" in text
    assert "numpy==1.26.4" in read("requirements.in")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to upgrade: name a package"),
        (["torch @ https://example.org/torch-2.9.1-py3-none-any.whl"], "is not a name with versions"),
        (["torch==2.9.1", "torch==2.8.0"], "torch is named twice, with different versions"),
        (
            ["torhc"],
            "error: torhc: requirements.txt and the input do not contain this package; did you mean torch?",
        ),
        (["torch", "-r", "-"], "upgrade cannot change standard input"),
        (["torch", "-r", "other.in"], "there is no lock beside other.in: no other.txt"),
        (["torch", "--diff", "--json"], "--diff and --json both write to standard output"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("other.in", "torch\n")
    before = contents()
    upgraded(*arguments, code=2)
    assert message in capsys.readouterr().err
    assert contents() == before


def test_what_emit_wrote_is_no_lock(capsys: pytest.CaptureFixture[str]) -> None:
    locked("--emit", "constraints", output="c.txt")
    before = contents()
    upgraded("torch==2.9.1", "-r", "requirements.in", "-o", "c.txt", code=2)
    assert "c.txt: is not a lock: torchlock wrote it with --emit constraints" in capsys.readouterr().err
    assert contents() == before


@pytest.mark.parametrize("asked", ["torch>=2.9", "torch==2.9.1"])
def test_an_override_that_excludes_the_request_is_named(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("over.txt", "torch<2.9\n")
    before = contents()
    upgraded(asked, "-r", "requirements.in", "--override", "over.txt", code=1 if "==" in asked else 2)
    err = capsys.readouterr().err
    assert "over.txt:1: " in err and "torch<2.9" in err
    assert contents() == before


def test_options_of_the_upgrade_are_in_the_command_of_the_lock() -> None:
    before = read("requirements.txt").splitlines()[1]
    upgraded("torch==2.9.1")
    assert read("requirements.txt").splitlines()[1] == before
    upgraded("torch==2.9.1", "--python=3.11")
    command = read("requirements.txt").splitlines()[1].split()
    assert "--python=3.11" in command and "--python" not in command and "3.12" not in command
    upgraded("torch==2.9.1", "--no-annotate")
    assert "--python=3.11" in (command := read("requirements.txt").splitlines()[1].split())
    assert command.count("requirements.in") == command.count("requirements.txt") == 1
    assert "--no-annotate" in command


def test_a_continued_line_is_told_without_its_backslash(capsys: pytest.CaptureFixture[str]) -> None:
    write("requirements.in", 'torch==2.8.0 \\\n  ; python_version > "3"\ntorchaudio==2.8.0\n')
    upgraded("torch==2.9.1")
    text = said(capsys)
    assert "requirements.in:1: torch==2.8.0 became torch==2.9.1 note:" in text


def test_a_line_with_hashes_is_not_changed(capsys: pytest.CaptureFixture[str]) -> None:
    write("requirements.in", f"torch==2.8.0 --hash=sha256:{'0' * 64}\n")
    upgraded("torch==2.9.1", code=2)
    assert "requirements.in:1: torch==2.8.0" in (err := capsys.readouterr().err)
    assert "torchlock cannot change this line: it has hashes" in err


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_link_out_of_the_project_is_not_changed(tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "shared.in"
    outside.write_text("torch==2.8.0\n", encoding="utf-8")
    Path(".git").mkdir()
    Path("requirements.in").unlink()
    Path("requirements.in").symlink_to(outside)
    upgraded("torch==2.9.1", code=2)
    assert outside.read_text(encoding="utf-8") == "torch==2.8.0\n"


# What the lock says about itself.


@pytest.mark.skipif(os.name != "posix", reason="the program is a script")
def test_a_lock_runs_no_program_and_names_no_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody can write the first lines of a lock."""
    program = tmp_path / "python3.12"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\nexec '{sys.executable}' \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    index = "--index-url https://example.org/simple"
    evil = f"--python {program} --platform linux-x86_64 {index} --build -c /etc/hostname"
    text = read("requirements.txt")
    write("requirements.txt", text.replace("--python 3.12 --platform linux-x86_64", evil))
    upgraded("torch==2.9.1", "--python", "3.12")
    err = capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert "was made with --index-url, which is not taken from a file" in err
    assert "was made with --build, which is not taken from a file" in err
    assert "/etc" not in err
    upgraded("torch==2.8.0", code=0)
    assert not (tmp_path / "ran").exists()


def test_options_of_the_command_line_win() -> None:
    upgraded("torch==2.9.1", "--no-hashes", "--platform", "windows-amd64")
    text = read("requirements.txt")
    assert "--hash" not in text
    assert "# for Python 3.12, windows-amd64," in text


def test_a_damaged_header_is_no_command() -> None:
    write(
        "requirements.txt", read("requirements.txt").replace("torchlock lock -r", "torchlock lock --no-such 'x -r")
    )
    upgraded("torch==2.9.1", *TARGET)
    assert read("requirements.in") == INPUT.replace("2.8.0", "2.9.1")


def test_json_is_that_of_the_lock_and_more(capsys: pytest.CaptureFixture[str]) -> None:
    upgraded("torch==2.9.1", "--json", "--dry-run")
    found = json.loads(capsys.readouterr().out)
    assert {"torch", "torchaudio"} <= {row["name"] for row in found["changes"]}
    assert found["input_changes"][1] == {
        "path": "requirements.in", "line": 3, "old": "torchaudio==2.8.0", "new": "torchaudio==2.9.1",
    }  # fmt: skip
    assert {"kind": "pythons", "package": "torch"}.items() <= found["consequences"][0].items()
    assert found["new_findings"] == []
    assert read("requirements.in") == INPUT
