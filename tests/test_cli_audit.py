"""``torchlock audit`` from outside: exit codes, reports, what is written and what is not."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from torchlock.cli.main import main

BAD = "torch==2.7.1\ntorchaudio==2.5.1  # keep\n"
GOOD = "torch==2.7.1\ntorchaudio==2.7.1\nsoundfile==0.13.1\n"
WARNED = "torch==2.3.1\ntorchaudio\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["audit", *arguments])


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(capsys.readouterr().out)
    return table


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        pytest.param(GOOD, [], 0, id="in order"),
        pytest.param(BAD, [], 1, id="an error"),
        pytest.param(WARNED, [], 0, id="a warning"),
        pytest.param(WARNED, ["--strict"], 1, id="a warning that counts"),
        pytest.param(BAD, ["--ignore", "TL101"], 0, id="a rule left out"),
        pytest.param(BAD, ["--ignore", "tl101,tl306"], 0, id="rules in one word, in lower case"),
        pytest.param(
            "torch==2.15.0\ntorchaudio==2.11.0\n", ["--platform", "linux-x86_64"], 1, id="on one platform"
        ),
        pytest.param("torch==2.15.0\ntorchaudio==2.11.0\n", ["--platform", "windows-amd64"], 0, id="on another"),
        pytest.param(
            "torch==2.12.0\ntorchaudio==2.11.1\n", ["--platform", "linux-x86_64"], 1, id="symbols, on Linux"
        ),
        pytest.param(
            "torch==2.12.0\ntorchaudio==2.11.1\n", ["--platform", "macos-arm64"], 0, id="no such symbols on macOS"
        ),
        pytest.param("torch==2.3.1\n", ["--python", "3.13"], 1, id="a Python without wheels"),
        pytest.param("torch==2.8.0\n", ["--system", "debian-12", "--platform", "linux-x86_64"], 0, id="a system"),
        pytest.param("torch==2.13.0\n", ["--system-lib", "cuda-driver=470"], 1, id="a driver"),
    ],
)
def test_exit_codes(folder: Path, text: str, options: list[str], code: int) -> None:
    (folder / "requirements.txt").write_text(text)
    assert run("requirements.txt", *options) == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--fix", "--diff"], "exclude each other", id="fix and diff"),
        pytest.param(["--fix", "-"], "standard input", id="fix of standard input"),
        pytest.param(["--fix", "--format", "json"], "writes no report", id="fix and a report"),
        pytest.param(["--ignore", "TL000"], "unknown rule TL000", id="a rule that is none"),
        pytest.param(["--accelerator", "cuda"], "is not a build of the PyTorch index", id="an accelerator"),
        pytest.param(["--python", "snake"], "neither a version nor an interpreter", id="a Python that is none"),
        pytest.param(["."], "no file", id="an empty folder is no mistake"),
    ],
)
def test_wrong_use(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(*arguments)
    assert code == (0 if arguments == ["."] else 2)
    assert words in capsys.readouterr().err + capsys.readouterr().out


def test_a_file_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(BAD)
    assert run("requirements.txt", "missing.txt") == 2
    out, err = capsys.readouterr()
    assert "missing.txt: there is no such file" in err
    assert "TL101" in out, "the other files are judged all the same"


def test_nothing_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "nothing to audit in this folder" in capsys.readouterr().err


def test_the_text_shows_the_line_and_the_change(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(BAD)
    run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].strip() == (
        "requirements.txt:2:1: error TL101 torchaudio 2.5.1 works with torch 2.5.1, not with torch 2.7.1"
    )
    assert lines[2].endswith("| torchaudio==2.5.1  # keep")
    assert lines[3].strip(" |") == "^" * len("torchaudio==2.5.1")
    assert any(line.endswith("+ torchaudio==2.7.1  # keep") for line in lines)
    assert lines[-1] == "1 file: 1 error; 1 note (-v shows them)"
    assert "\033" not in "".join(lines)


def test_a_terminal_cannot_be_spoken_to(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text("torch==2.7.1 # \x1b]0;x\x07\ntorchaudio==2.5.1 # \x1b[31m\n")
    run()
    out = capsys.readouterr()
    assert "\033" not in out.out + out.err
    assert "\x07" not in out.out + out.err


def test_colour_only_if_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(BAD)
    run("--color", "always")
    assert "\033[1;31m" in capsys.readouterr().out


def test_the_json_of_the_contract(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(BAD)
    assert run("--format", "json", "--python", "3.11") == 1
    table = as_json(capsys)
    assert list(table) == ["torchlock", "data", "target", "files"]
    assert table["target"]["python"] == ["3.11"]
    (file,) = table["files"]
    assert (file["path"], file["kind"], file["status"]) == ("requirements.txt", "requirements", "error")
    finding = file["findings"][0]
    assert list(finding) == [
        *("rule", "severity", "message", "line", "column", "packages", "because", "sources", "remedy"),
    ]
    assert finding["packages"] == [
        {"name": "torchaudio", "version": "2.5.1"},
        {"name": "torch", "version": "2.7.1"},
    ]
    assert finding["remedy"]["changes"] == [
        {"line": 2, "old": "torchaudio==2.5.1  # keep", "new": "torchaudio==2.7.1  # keep"}
    ]


def test_sarif(folder: Path) -> None:
    (folder / "sub dir").mkdir()
    (folder / "sub dir" / "requirements.txt").write_text(BAD)
    assert run("-R", ".", "--format", "sarif", "-o", "out.sarif") == 1
    table = json.loads((folder / "out.sarif").read_text())
    assert table["version"] == "2.1.0"
    (sarif,) = table["runs"]
    rules = sarif["tool"]["driver"]["rules"]
    for result in sarif["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    error = next(result for result in sarif["results"] if result["level"] == "error")
    place = error["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sub%20dir/requirements.txt", "uriBaseId": "PROJECTROOT"}
    assert place["region"]["startLine"] == 2
    (replacement,) = error["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"]["text"] == "==2.7.1"
    region = replacement["deletedRegion"]
    assert BAD.splitlines()[1][region["startColumn"] - 1 : region["endColumn"] - 1] == "==2.5.1"


def fingerprints(text: str) -> set[str]:
    Path("requirements.txt").write_text(text)
    run("requirements.txt", "--format", "sarif", "-o", "out.sarif")
    (sarif,) = json.loads(Path("out.sarif").read_text())["runs"]
    return {result["partialFingerprints"]["torchlock/v2"] for result in sarif["results"]}


def test_an_alert_stays_the_same_while_its_packages_do(folder: Path) -> None:
    before = fingerprints(BAD)
    assert fingerprints(f"# a comment\n\n{BAD}") == before
    assert fingerprints(BAD.replace("2.5.1", "2.6.0")).isdisjoint(before)


def test_annotations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a,b:100%.txt").write_text(BAD)
    assert run("a,b:100%.txt", "--format", "github") == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("::error file=a%2Cb%3A100%25.txt,line=2,col=1,title=TL101::torchaudio 2.5.1 works with")
    assert "%0AWrite torchaudio==2.7.1" in line


def test_fix(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "requirements.txt"
    path.write_bytes(BAD.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    assert run("--diff") == 1, "the file still has its error"
    assert "+torchaudio==2.7.1  # keep" in capsys.readouterr().out
    assert path.read_bytes() == BAD.replace("\n", "\r\n").encode()
    assert run("--fix") == 0
    assert path.read_bytes() == BAD.replace("\n", "\r\n").replace("2.5.1", "2.7.1").encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["requirements.txt"]
    assert run("--strict") == 0


def test_fix_leaves_what_is_in_order(folder: Path) -> None:
    path = folder / "requirements.txt"
    path.write_text(GOOD)
    os.utime(path, (1, 1))
    assert run("--fix") == 0
    assert path.stat().st_mtime == 1


def test_fix_through_a_link(folder: Path) -> None:
    (folder / "real.txt").write_text(BAD)
    (folder / "requirements.txt").symlink_to("real.txt")
    assert run("requirements.txt", "--fix") == 0
    assert (folder / "requirements.txt").is_symlink()
    assert "torchaudio==2.7.1" in (folder / "real.txt").read_text()


def test_fix_of_warnings_with_strict(folder: Path) -> None:
    (folder / "requirements.txt").write_text(WARNED)
    assert run("--fix", "--strict") == 0
    assert (folder / "requirements.txt").read_text() == "torch==2.3.1\ntorchaudio<2.4\n"


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_warnings_that_are_not_fixed_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (folder / "requirements.txt").write_text(WARNED)
    assert run(option) == 0
    assert "--strict also fixes 1 warning" in capsys.readouterr().err
    assert (folder / "requirements.txt").read_text() == WARNED


def test_what_fix_cannot_mend_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text("what is this line\n")
    assert run("--fix") == 1
    assert "TL501" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_a_file_without_a_reader_is_neither_clean_nor_changed(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (folder / "install.r").write_text(BAD)
    assert run("install.r", "--format", "json") == 2
    (file,) = as_json(capsys)["files"]
    assert (file["status"], file["error"]) == ("unreadable", "no reader for this kind of file")
    assert run("install.r", option) == 2
    assert "no reader for this kind of file" in capsys.readouterr().err
    assert (folder / "install.r").read_text() == BAD


def test_a_guessed_format_is_left_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "dependencies:\n  - pytorch=2.5.1\n  - torchaudio=2.4.0\n"
    (folder / "deps.yml").write_text(text)
    assert run("deps.yml", "--fix") == 1
    assert "deps.yml: not changed" in capsys.readouterr().err
    assert (folder / "deps.yml").read_text() == text


def test_where_no_requirement_was_found_nothing_is_called_right(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.sh").write_text("echo hi\n")
    (folder / "requirements.txt").write_text(GOOD)
    assert run("a.sh") == 0
    assert capsys.readouterr().out.startswith("1 file: no requirement found, so nothing was judged; 1 note")
    assert run("a.sh", "requirements.txt") == 0
    assert "2 files: nothing is wrong; no requirement found in 1" in capsys.readouterr().out
    assert run("a.sh", "--ignore", "TL905") == 0
    assert "note" not in capsys.readouterr().out


def test_a_list_of_bare_names_was_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prose has words of one line too, so a note says that this may be something else."""
    (folder / "names.txt").write_text("torch\ntorchvision\ndatasets\n")
    (folder / "words.txt").write_text("hello\nworld\n")
    assert run("names.txt") == 0
    assert capsys.readouterr().out.startswith("1 file: nothing is wrong; 1 note")
    assert run("words.txt") == 0
    assert capsys.readouterr().out.startswith("1 file: no requirement found, so nothing was judged; 1 note")


@pytest.mark.triggers("TL906")
def test_a_folder_with_formats_that_are_not_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "Vagrantfile").write_text("sh 'pip install torch==2.0.1 torchaudio==2.1.0'\n")
    assert run(".") == 0
    assert "nothing was judged; 1 not read" in capsys.readouterr().out
    (folder / "requirements.txt").write_text(GOOD)
    assert run("--format", "json") == 0
    last = as_json(capsys)["files"][-1]
    assert (last["path"], last["kind"], [each["rule"] for each in last["findings"]]) == (
        "Vagrantfile",
        "unread",
        ["TL906"],
    )
    assert run("Vagrantfile") == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    project = '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.7.1", "torchaudio==2.5.1"]\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(project.encode())))
    assert run("-", "--stdin-name", "pyproject.toml", "--format", "json") == 1
    (file,) = as_json(capsys)["files"]
    assert (file["path"], file["kind"]) == ("-", "pyproject")


@pytest.mark.leaves_alone("TL906")
def test_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(GOOD)
    for name in ("apps/asr", ".venv/lib", "node_modules/x"):
        (folder / name).mkdir(parents=True)
        (folder / name / "requirements.txt").write_text(BAD)
    assert run("--format", "json") == 0
    assert [file["path"] for file in as_json(capsys)["files"]] == ["requirements.txt"]
    assert run("-R", "--format", "json") == 1
    assert [file["path"] for file in as_json(capsys)["files"]] == ["apps/asr/requirements.txt", "requirements.txt"]


def test_many_files_are_reported_in_their_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(120):
        (folder / f"requirements-{number:03}.txt").write_text(BAD if number % 40 == 0 else GOOD)
    assert run("--format", "json") == 1
    files = as_json(capsys)["files"]
    assert [file["path"] for file in files] == [f"requirements-{number:03}.txt" for number in range(120)]
    assert [number for number, file in enumerate(files) if file["status"] == "error"] == [0, 40, 80]


def test_defaults_of_the_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "requirements.txt").write_text(BAD)
    (folder / "pyproject.toml").write_text('[tool.torchlock]\nignore = ["TL101"]\n')
    assert run("requirements.txt") == 0
    (folder / "pyproject.toml").unlink()
    monkeypatch.setenv("TORCHLOCK_IGNORE", "TL101")
    assert run("requirements.txt") == 0
