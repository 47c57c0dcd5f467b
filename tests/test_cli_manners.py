"""How the command behaves with people: near names, help, colours, verdicts, summaries and hints."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from torchlock.cli.hints import followable
from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parse, parser_of
from torchlock.cli.streams import Console
from torchlock.knowledge.rules import Matrix
from torchlock.report.summary import WIDTH, in_lines

BROKEN, SOUND = "torch==2.7.1\ntorchaudio==2.5.1\n", "torch==2.7.1\ntorchaudio==2.7.1\n"
CLI = Path(__file__).parents[1] / "src" / "torchlock" / "cli"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("broken.txt").write_text(BROKEN)
    Path("sound.txt").write_text(SOUND)
    return tmp_path


# Each list of names: a misspelt one is answered with the one that was probably meant.
MISSPELT = {
    "command": ("adit broken.txt", "unknown command 'adit'; did you mean audit?"),
    "command of config": ("config show adit", "unknown command 'adit'; did you mean audit?"),
    "command of help": ("help adit", "unknown command 'adit'; did you mean audit?"),
    "command after an option": ("--color never adit check", "unknown command 'adit'; did you mean audit?"),
    "command of another tool": ("doctor", "unknown command 'doctor'; did you mean check?"),
    "file without a command": ("broken.txt", "a command comes first: torchlock audit broken.txt"),
    "requirement without a command": ("torch==2.7.1", "a command comes first: torchlock lock 'torch==2.7.1'"),
    "option": ("lock torch --platfrom linux-x86_64", "unknown option --platfrom; did you mean --platform?"),
    "option before the command": (
        "--platfrom x lock torch",
        "unknown option --platfrom; did you mean --platform?",
    ),
    "option with one dash": ("lock torch -python 3.11", "unknown option -python; did you mean --python?"),
    "option of another command": (
        "audit --probe",
        "audit has no option --probe; torchlock check has it",
    ),
    "choice": ("audit --format jsn", "--format: unknown value 'jsn'; did you mean json?"),
    "action": ("data stats", "ACTION: unknown value 'stats'; did you mean status?"),
    "rule to ignore": ("audit --ignore TL-1011", "--ignore: unknown rule TL-1011; did you mean TL101?"),
    "rule to explain": (
        "explain TL53",
        "unknown rule TL53; did you mean TL530, TL531, TL532, TL533, TL534 or TL535?",
    ),
    "rule of rules": ("rules T101", "unknown rule T101; did you mean TL101?"),
    "platform": ("lock torch --platform linux-x86-64", "did you mean linux-x86_64?"),
    "system": ("lock torch --system debain-12", "unknown system 'debain-12'; did you mean debian-12?"),
    "system without release": ("lock torch --system fedora", "did you mean fedora-42, fedora-43 or fedora-44?"),
    "accelerator": ("lock torch --accelerator cuda12.8", "did you mean cu128?"),
    "gpu": ("lock torch --gpu 'RTX 4009'", "or RTX 4080?"),
    "package of the matrix": ("matrix torchcodc", "'torchcodc'; did you mean torchcodec?"),
    "package": (
        "lock torchaudi --index-url file:///nowhere/ --no-config",
        "no project torchaudi; did you mean torchaudio?",
    ),
}


@pytest.mark.parametrize(("words", "said"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_name_is_answered_with_the_one_that_is_near(
    words: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    (folder / "index").mkdir()
    line = shlex.split(words.replace("file:///x/", (folder / "index").as_uri()))
    assert main(line) == 2
    assert said in capsys.readouterr().err


def test_a_misspelt_setting(capsys: pytest.CaptureFixture[str]) -> None:
    Path("torchlock.toml").write_text("platfrom = 'linux-x86_64'\n")
    assert main(["audit", "sound.txt"]) == 2
    assert "torchlock.toml:1" in (err := capsys.readouterr().err)
    assert "unknown option 'platfrom'; did you mean platform?" in err


def test_a_misspelt_package_in_a_file_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    Path("slip.txt").write_text("torch==2.7.1\ntorchaudi\n")
    assert main(["audit", "slip.txt"]) == 0
    assert "slip.txt:2:1: warning TL533 torchaudi is one letter away from torchaudio" in capsys.readouterr().out


# Help and rules.


def test_torchlock_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert all(f"\n  {command} " in alone for command in COMMANDS)
    for words in (["help"], ["--help"], ["-h"]):
        assert main(words) == 0
        assert capsys.readouterr().out == alone


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    expected = capsys.readouterr().out
    assert main(["help", command]) == 0
    assert capsys.readouterr().out == expected


def test_a_file_may_be_called_help() -> None:
    assert parse(["audit", "help"]).files == ["help"]


def test_rules_lists_each_rule_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    *lines, empty, last = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in lines] == list(Matrix().rules())
    assert empty == ""
    assert last == f"{len(lines)} rules: torchlock rules TL101 describes one"
    assert main(["rules", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rules"]
    assert [row["id"] for row in rows] == list(Matrix().rules())
    assert {"id", "severity", "by", "title"} == rows[0].keys()


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_rules_with_a_name_explains_it(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "TL101", *more]) == 0
    expected = capsys.readouterr().out
    for words in (["rules", "tl101"], ["help", "TL101"]):
        assert main([*words, *more]) == 0
        assert capsys.readouterr().out == expected


# Colours.


@pytest.mark.parametrize(
    ("variables", "terminal", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR": "1"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours(
    variables: dict[str, str], terminal: bool, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    import sys

    assert Console().on(sys.stderr) is colored
    assert Console(color="always").on(sys.stderr) is True
    assert Console(color="never").on(sys.stderr) is False


# Verdicts and summaries.


def test_a_sentence_in_lines_loses_nothing() -> None:
    text = "a first clause of some length that ends here; " * 9 + "x" * 300 + " and an end"
    for taken in (0, 7, 50):
        lines = list(in_lines(text, taken))
        assert " ".join(lines) == text
        assert all(len(line) <= WIDTH - taken for line in lines if "xxx" not in line)
    assert list(in_lines("short")) == ["short"]


@pytest.mark.parametrize(
    ("name", "code", "verdict"),
    [("broken", 1, "error: 1 file: 1 error"), ("sound", 0, "note: 1 file: nothing")],
)
@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_a_report_in_a_file_leaves_the_verdict_on_the_terminal(
    name: str, code: int, verdict: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", f"{name}.txt", "--format", form, "-o", "report.out"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(verdict)
    assert line.endswith("; the report is in report.out")


def test_a_fix_says_what_it_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "broken.txt", "sound.txt", "--diff"]) == 1
    assert "note: 2 files: 1 would change, then nothing is wrong; " in capsys.readouterr().err
    assert main(["audit", "broken.txt", "sound.txt", "--fix"]) == 0
    out, err = capsys.readouterr()
    assert "+torchaudio==2.7.1" in out
    assert "note: broken.txt: 1 line changed\n" in err
    assert "note: 2 files: 1 changed; nothing is wrong; " in err
    assert main(["audit", "broken.txt", "--fix"]) == 0
    assert "note: 1 file: no change; nothing is wrong" in capsys.readouterr().err


def test_a_lock_sums_up_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["lock", "soundfile==0.13.1", "--offline", "--python", "3.12", "--platform", "linux-x86_64"]
    assert main([*line, "-o", "lock.txt"]) == 0
    assert re.match(r"note: lock\.txt: \d+ packages locked for Python 3\.12, ", capsys.readouterr().err)
    assert main(line) == 0
    assert re.match(r"note: standard output: \d+ packages locked for ", capsys.readouterr().err)
    assert main([*line, "-q"]) == 0
    assert capsys.readouterr().err == ""


# Comments that ignore nothing.


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("ignore", "this comment names no rule"),
        ("ignore[]", "this comment names no rule"),
        ("ignore TL101", "this comment names no rule"),
        ("ignore[TL999] because", "unknown rule TL999"),
        ("ignore[TL305] because", "TL305 was not found on this line"),
    ],
)
def test_a_comment_without_effect_is_reported(comment: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.txt").write_text(f"torch==2.7.1\ntorchaudio==2.5.1  # torchlock: {comment}\n")
    assert main(["audit", "list.txt", "-v"]) == 1
    assert said in capsys.readouterr().out


# Hints.


def hints(path: Path) -> list[tuple[int, str]]:
    """The literal parts of the hints in a file, each with its line."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values = [each.value for each in node.keywords if each.arg == "hint"] if isinstance(node, ast.Call) else []
        for value in values:
            parts = [part.value for part in ast.walk(value) if isinstance(part, ast.Constant)]
            found.append((node.lineno, " ".join(part for part in parts if isinstance(part, str))))
    return found


def module_of(command: str) -> Path:
    """The file of the module that runs a command."""
    places = (CLI / f"{command}.py", CLI.parent / command / "command.py", CLI.parent / "servers" / f"{command}.py")
    return next(path for path in places if path.exists())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hint_names_options_that_its_command_has(command: str) -> None:
    known = {option for action in parser_of(command)[0]._actions for option in action.option_strings}
    for line, text in hints(module_of(command)):
        if "torchlock " in text:  # another command
            continue
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text))
        assert named <= known, f"{command}.py:{line}"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        ("run without --offline", None),
        ("check the spelling, or name the index that has it with --extra-index-url", "check the spelling"),
        ("raise --deadline; a second run asks for less", "a second run asks for less"),
        ("run torchlock lock --offline first", "run torchlock lock --offline first"),
        ("use --no-build-isolation", "use --no-build-isolation"),
        ("name another Python with --python", "name another Python with --python"),
        (None, None),
    ],
)
def test_a_hint_leaves_out_options_of_other_commands(hint: str | None, said: str | None) -> None:
    everything = {"--offline", "--extra-index-url", "--deadline", "--python"}
    assert followable(hint, {"--python"}, lambda: everything) == said


def test_a_hint_that_can_be_followed_creates_no_other_parser() -> None:
    hint = "use --python"
    assert followable(hint, {"--python"}, lambda: pytest.fail("the parsers are not needed")) == hint


# What is said once.


def test_an_unreadable_file_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "missing.txt", "sound.txt"]) == 2
    out, err = capsys.readouterr()
    assert (out + err).count("there is no such file") == 1
    assert out.splitlines()[-1].startswith("2 files: 1 unreadable; ")


@pytest.mark.parametrize("command", ["audit sound.txt", "lock torch"])
def test_the_line_of_a_wrong_setting_is_named_once(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("torchlock.toml").write_text("\nplatform = 'lnux-x86_64'\n")
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert err.count("torchlock.toml:2") == 1
    assert "did you mean linux-x86_64?" in err
