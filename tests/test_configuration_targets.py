"""What the configuration says of targets, and what the command line says instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torchlock.cli.main import main

TWO = """\
[[target]]
name = "a"
python = "3.12"
platform = "linux-x86_64"

[[target]]
name = "b"
python = "3.11"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    return tmp_path


def configured(text: str) -> None:
    Path("torchlock.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (f'{TWO}platfrom = "x"\n', 9, "unknown key 'platfrom'"),
        (f"{TWO}platform = 3\n", 9, "platform = 3 is not a string"),
        (f'{TWO}platform = "linus"\n', 9, "unknown platform"),
        (f"{TWO}platform = []\n", 9, "platform = [] names no value"),
        (TWO.replace('"b"', '"a"'), 7, "the name 'a' is used twice"),
        (TWO.replace('"b"', '"b b"'), 7, "a target needs a name"),
        ('[target]\nname = "a"\n', 1, "[target] is a single table"),
    ],
)
def test_a_wrong_table_is_blamed_on_the_line_of_its_key(
    text: str, line: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(text)
    assert main(["lock", "six", "--offline"]) == 2
    err = capsys.readouterr().err
    assert f"torchlock.toml:{line}: " in err and said in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("universal = true\n", ["--python", "3.12", "--platform", "linux-x86_64"]),
        ('python = "3.12"\nplatform = "linux-x86_64"\n', ["--universal"]),
        (f"universal = true\n{TWO}", ["--target", "a"]),
        ('emit = "constraints"\n', ["--format", "requirements"]),
        ("offline = true\nrefresh = false\n", ["--offline"]),
    ],
)
def test_the_command_line_wins(text: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configured(text)
    assert main(["lock", "six", "--offline", *words]) == 0, capsys.readouterr().err


def test_two_settings_of_one_file_that_exclude_each_other_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    configured('python = "3.12"\nuniversal = true\n')
    assert main(["lock", "six", "--offline"]) == 2
    assert "torchlock.toml:2: universal excludes python" in capsys.readouterr().err


def test_show_has_the_values_of_each_target(capsys: pytest.CaptureFixture[str]) -> None:
    configured(f'accelerator = "cpu"\n{TWO}')
    assert main(["config", "show", "lock"]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "accelerator cpu torchlock.toml:1" in rows
    assert "target.a.platform linux-x86_64 torchlock.toml:5" in rows
    assert "target.b.python 3.11 torchlock.toml:9" in rows


@pytest.mark.parametrize("words", [["--json", "--format", "text"], ["--format", "text", "--json"]])
def test_json_and_another_format_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "a.txt", "b.txt", *words]) == 2
    assert "this option takes one value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lock", "six", "--python", "3.10-3.99"], "the range '3.10-3.99' ends with an unknown Python"),
        (["lock", "six", "-P", "six==abc"], "'abc' is not a version of six"),
        (["lock", "./in.in"], "to lock what it asks for, use -r ./in.in"),
        (["lock", "six", "-o", "req-{python.txt"], "a brace has no partner"),
        (["lock", "six", "-o", "req-python}.txt"], "a brace has no partner"),
        (["matrix", "torch[x]"], "the matrix knows no extras"),
    ],
)
def test_wrong_use_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.in").write_text("six\n", encoding="utf-8")
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_file_for_one_target_is_the_same_alone_and_beside_others() -> None:
    configured(TWO.replace('"b"\n', '"b"\nplatform = "macos-arm64"\n'))
    words = ["lock", "six", 'tqdm; sys_platform == "linux"', "--offline", "-o", "req-{target}.txt"]
    assert main(words) == 0
    texts = {name: Path(f"req-{name}.txt").read_text(encoding="utf-8") for name in "ab"}
    for name, text in texts.items():
        assert main([*words, "--target", name]) == 0
        alone = Path(f"req-{name}.txt").read_text(encoding="utf-8")
        assert alone.splitlines()[2:] == text.splitlines()[2:]
