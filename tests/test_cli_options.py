"""What every option has in common: of two values one is never dropped in silence."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parse, parser_of
from torchlock.errors import InputError

SINGLE = [
    pytest.param(command, option, id=f"{command} {option.option_strings[-1]}")
    for command in COMMANDS
    for option in parser_of(command)[0]._actions
    if option.option_strings and option.nargs is None and not isinstance(option.default, list)
]


# The examples in the help of each command: the command line ends where a remark begins, after two spaces.
EXAMPLES = [
    shlex.split(found)
    for command in COMMANDS
    for found in re.findall(
        r"\btorchlock ((?:\S| (?! ))+)",
        import_module(f"torchlock.cli.options.{command}").EPILOG.partition("To ignore")[0],
    )
]


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_each_example_of_the_help_can_be_parsed(words: list[str]) -> None:
    words = words[: next((at for at, word in enumerate(words) if word in (">", ">>")), None)]
    assert parse(words).run


def values(option: argparse.Action) -> tuple[str, str]:
    if option.choices:
        first, second, *_ = option.choices
        return str(first), str(second)
    return ("1", "2") if option.type in (float, int) else ("one", "another")


def arguments(command: str) -> list[str]:
    if command in ("completion", "schema"):
        return [command, {"completion": "bash", "schema": "audit"}[command]]
    return [command, "torch"] if command in ("lock", "explain") else [command]


@pytest.mark.parametrize(("command", "option"), SINGLE)
def test_an_option_of_one_value_is_given_one(
    command: str,
    option: argparse.Action,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").touch()  # for --config
    first, second = values(option)
    for name in option.option_strings:
        line = [*arguments(command), name, first, option.option_strings[-1], second]
        assert main(line) == 2
        assert "takes one value" in capsys.readouterr().err
        parse([*arguments(command), name, first, option.option_strings[-1], first])


def test_what_is_repeatable_stays_so() -> None:
    line = ["lock", "torch", "-r", "a", "-r", "b", "--extra", "a", "--extra", "b", "--system-lib", "glibc=2.31"]
    parsed = parse([*line, "--system-lib", "ffmpeg=6", "-P", "a", "-P", "b", "-c", "a", "-c", "b"])
    assert parsed.files == ["a", "b"]
    assert parsed.extras == ["a", "b"]
    assert parsed.system_lib == ["glibc=2.31", "ffmpeg=6"]


def test_equal_values_are_compared_as_read() -> None:
    assert parse(["check", "--probe-seconds", "120", "--probe-seconds=120.0"]).probe_seconds == 120
    with pytest.raises(InputError, match=r"--python 3\.11 and --python 3.12"):
        parse(["explain", "torch", "--python", "3.11", "--python=3.12"])
