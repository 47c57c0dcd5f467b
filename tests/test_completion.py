"""The completion scripts: they offer every option of every command, in the shells that are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from torchlock.cli.completions import SHELLS
from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, first_parser, parser_of

# Completes lines in a bash without a terminal, as Readline would.
BASH = """
source "$1"
shift
for line in "$@"; do
    read -r -a COMP_WORDS <<< "$line"
    if [[ $line == *' ' ]]; then COMP_WORDS+=(''); fi
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _torchlock
    echo "${COMPREPLY[*]}"
done
"""
FISH = 'source $argv[1]; for line in $argv[2..]; echo (complete -C "$line" | string split -f1 \\t); end'
# Types each line into a zsh on a terminal, and asks for the list of completions.
ZSH = """
zmodload zsh/zpty
zpty -b z zsh -f -i
zpty -w z "PROMPT= PS2= RPROMPT=; stty columns 250 rows 900; unsetopt zle_bracketed_paste"
zpty -w z "autoload -Uz compinit; compinit -u -D; source ${(q)1}; LISTMAX=100000; bindkey '^I' list-choices"
zpty -w z "print -r rea''dy"
zpty -r z text '*ready*'
shift
for line in "$@"; do
    zpty -w -n z "$line"$'\\t'$'\\x15'"print -r fini''shed"$'\\n'
    zpty -r z text '*finished*'
    print -r -- "$text"
    print -r -- '===='
done
zpty -d z || true
"""
LINES = {
    "torchlock a": {"audit"},
    "torchlock -q ch": {"check"},
    "torchlock audit --f": {"--format", "--fix"},
    "torchlock lock --platform mac": {"macos-arm64", "macos-x86_64"},
    "torchlock lock --system ubuntu-24": {"ubuntu-24.04"},
    "torchlock check --ignore TL61": {f"TL61{digit}" for digit in range(10)},
    "torchlock explain TL10": {f"TL10{digit}" for digit in range(1, 10)},
    "torchlock completion ": set(SHELLS),
}


def options_of(command: str) -> set[str]:
    parser = parser_of(command)[0] if command else first_parser()
    return {flag for action in parser._actions for flag in action.option_strings}


@cache
def text_of(shell: str) -> str:
    """The script, as the command writes it into a pipe."""
    command = [sys.executable, "-m", "torchlock", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def script(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for shell in SHELLS:
        found[shell] = tmp_path / f"torchlock.{shell}"
        found[shell].write_text(text_of(shell), encoding="utf-8")
    return found


def offered(shell: str, script: Path, lines: list[str]) -> list[set[str]]:
    """What a shell offers for each line."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    code = {"bash": BASH, "fish": FISH, "zsh": ZSH}[shell]
    head = {
        "bash": ["bash", "--norc", "-c", code, "bash"],
        "fish": ["fish", "-N", "-c", code],
        "zsh": ["zsh", "-f", "-c", code, "zsh"],
    }
    done = subprocess.run(
        [*head[shell], str(script), *lines], capture_output=True, text=True, check=True, cwd=script.parent
    )
    if shell != "zsh":
        return [set(line.split()) for line in done.stdout.splitlines()]
    blocks = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", done.stdout).split("====\n")[:-1]
    return [set(re.findall(r"(?<![\w-])(-{0,2}\w[\w.-]*)(?=  |\n|torchlock)", block)) for block in blocks]


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_a_shell_completes_commands_options_and_values(shell: str, script: dict[str, Path]) -> None:
    for line, found in zip(LINES, offered(shell, script[shell], list(LINES)), strict=True):
        assert LINES[line] <= found, line
        if shell != "zsh":  # whose list also has the line itself
            assert LINES[line] == found, line


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_a_shell_offers_every_option_of_every_command(shell: str, script: dict[str, Path]) -> None:
    commands = ["", *COMMANDS]
    lines = [f"torchlock {command} -".replace("  ", " ") for command in commands]
    if shell == "fish":  # lists short options for one dash alone
        lines += [f"{line}-" for line in lines]
    found = offered(shell, script[shell], lines)
    for number, command in enumerate(commands):
        here = found[number] | (found[number + len(commands)] if shell == "fish" else set())
        assert options_of(command) <= here, command


def test_powershell_offers_every_option_of_every_command() -> None:
    for command in ["", *COMMANDS]:
        listed = re.findall(rf"\$options\['{command}'\]\['(-[^']+)'\]", text_of("powershell"))
        assert set(listed) == options_of(command)
        assert len(listed) == len(set(listed))


def test_bash_completes_a_value_after_an_equals_sign(script: dict[str, Path]) -> None:
    """bash splits the word there."""
    assert offered("bash", script["bash"], ["torchlock audit --format = js", "torchlock audit --format ="]) == [
        {"json"},
        {"text", "json", "sarif", "github", "gitlab", "junit", "markdown"},
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_names_of_files_are_completed_by_the_shell(shell: str, script: dict[str, Path]) -> None:
    """Where a file is expected, the script has no words of its own."""
    found = offered(shell, script[shell], ["torchlock audit torchlock.ba", "torchlock lock -r torchlock.ba"])
    if shell == "bash":
        assert found == [set(), set()]
        assert "complete -o default" in text_of("bash")
    else:
        assert all("torchlock.bash" in each for each in found)


def test_the_scripts_are_the_same_with_every_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "torchlock.toml").write_text('platform = "windows-amd64"\nsystem = "windows"\n')
    monkeypatch.chdir(tmp_path)
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == text_of(shell)


def test_an_unknown_shell_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "powershell" in capsys.readouterr().err
