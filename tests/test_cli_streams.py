"""Standard streams that are closed, full or cut: the work is done, and the exit code is that of the result."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from torchlock.cli.main import main

ROOT = Path(__file__).parents[1]
BROKEN = "torch==2.7.1\ntorchaudio==2.5.1\n"
SOUND = "torch==2.7.1\ntorchaudio==2.7.1\n"
TARGET = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]
LOCK = ["lock", "torchaudio", *TARGET, "--no-hashes"]
APART = ["torchaudio==2.7.1", "torch==99", *TARGET]

# A command, and the exit code of its result.
COMMANDS = {
    "audit, clean": (["audit", "sound.txt"], 0),
    "audit, an error": (["audit", "broken.txt"], 1),
    "audit, as JSON": (["audit", "broken.txt", "--format", "json"], 1),
    "audit, as SARIF": (["audit", "broken.txt", "--format", "sarif"], 1),
    "audit, for GitHub": (["audit", "broken.txt", "--format", "github"], 1),
    "audit, no such file": (["audit", "broken.txt", "missing.txt"], 2),
    "audit, the difference": (["audit", "--diff", "broken.txt"], 1),
    "explain, together": (["explain", "torch==2.7.1", "torchaudio==2.7.1", *TARGET], 0),
    "explain a rule": (["explain", "TL101", "--json"], 0),
    "lock, not up to date": ([*LOCK, "--check", "-o", "broken.txt"], 1),
    "lock, into a file": ([*LOCK, "-o", "new.txt"], 0),
    "help": (["--help"], 0),
    "help of a command": (["lock", "--help"], 0),
    "version": (["--version"], 0),
    "no command": (["lok"], 2),
}
# What is worth nothing in part.
PRODUCTS = {
    "lock": LOCK,
    "lock, as JSON": [*LOCK, "--json"],
    "lock, not written": [*LOCK, "-o", "new.txt", "--dry-run"],
    "lock, written and told": [*LOCK, "-o", "new.txt", "--json"],
    "check, exported": ["check", "--export", "--path", "site-packages"],
}


class Failing:
    """A stream that fails after so many characters."""

    encoding = "utf-8"

    def __init__(self, error: Exception, after: int = 0) -> None:
        self.error = error
        self.left = after

    def write(self, text: str) -> int:
        self.left -= len(text)
        if self.left < 0:
            raise self.error
        return len(text)

    def flush(self) -> None:
        if self.left < 0:
            raise self.error

    def isatty(self) -> bool:
        return False


CUT = BrokenPipeError(errno.EPIPE, "Broken pipe")
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.txt").write_text(BROKEN)
    Path("sound.txt").write_text(SOUND)
    for name in ("torch", "torchaudio"):
        info = Path("site-packages", f"{name}-2.7.1.dist-info")
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.7.1\n")


@pytest.mark.parametrize("after", [0, 20])
@pytest.mark.parametrize(("arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_reader_that_leaves_changes_no_exit_code(
    arguments: list[str],
    code: int,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(CUT, after))
    assert main(arguments) == code
    assert "standard output" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lock", "explain"])
def test_a_reader_that_leaves_makes_no_solution(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(CUT))
    assert main([command, *APART]) == 1


@pytest.mark.parametrize(("arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_stream_that_was_closed_before_changes_no_exit_code(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python has no stream then; so has a program without a console on Windows."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(arguments) == code
    assert sys.stdout is None


@pytest.mark.parametrize(("arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_messages_that_nobody_takes_change_no_exit_code(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = ValueError("I/O operation on closed file")
    monkeypatch.setattr(sys, "stderr", Failing(closed if code == 2 else FULL if code else CUT))
    assert main([*arguments, "-v"] if arguments != ["--version"] else arguments) == code


@pytest.mark.parametrize(("arguments", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_full_disk_is_an_error(
    arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = arguments[:1] == ["lock"] and "--check" not in arguments and "--help" not in arguments
    monkeypatch.setattr(sys, "stdout", Failing(FULL))
    assert main(arguments) == (code if taken or arguments == ["lok"] else 2)
    said = capsys.readouterr().err
    assert said.count("standard output: No space left on device") == (code != 2 and not taken)


@pytest.mark.parametrize("error", [CUT, FULL])
@pytest.mark.parametrize("after", [0, 20])
@pytest.mark.parametrize("arguments", PRODUCTS.values(), ids=PRODUCTS)
def test_a_lock_that_is_cut_is_told(
    arguments: list[str],
    after: int,
    error: OSError,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", Failing(error, after))
    assert main(arguments) == (0 if error is CUT else 2)
    said = capsys.readouterr().err
    assert "the result was not written completely to standard output" in said
    written = Path("new.txt").exists()
    assert written == (arguments == PRODUCTS["lock, written and told"])
    assert ("new.txt was changed" in said) == (written and error is FULL)


@pytest.mark.parametrize("error", [CUT, FULL])
def test_files_are_mended_whatever_becomes_of_the_report(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{number}.txt" for number in range(30)]
    for name in names:
        Path(name).write_text(BROKEN)
    monkeypatch.setattr(sys, "stdout", Failing(error, 100))
    assert main(["audit", "--fix", *names]) == (0 if error is CUT else 2)
    assert {Path(name).read_text() for name in names} == {SOUND}
    assert ("30 of 30 files were changed, none is half-written" in capsys.readouterr().err) == (error is FULL)


# As it is for real: Python itself must have nothing to say when it ends.


def run(
    *arguments: str, stdout: int | IO[bytes] | None = subprocess.DEVNULL, script: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torchlock", *arguments]
    if script:
        command = ["/bin/sh", "-c", script, "sh", *command]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environ, check=False)


@pytest.fixture
def unread() -> int:
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize("arguments", [["audit", "broken.txt"], ["audit", "--help"], ["--version"]])
def test_a_pipe_without_a_reader(arguments: list[str], unread: int) -> None:
    done = run(*arguments, stdout=unread)
    os.close(unread)
    assert (done.returncode, done.stderr) == (int("broken.txt" in arguments), "")


def test_a_fix_into_a_pipe_without_a_reader(unread: int) -> None:
    done = run("audit", "--fix", "broken.txt", stdout=unread)
    os.close(unread)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, "note: broken.txt: 1 line changed")
    assert Path("broken.txt").read_text() == SOUND


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_device() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run("audit", "sound.txt", stdout=full)
        assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")
        done = run("audit", "broken.txt", stdout=full, script='"$@" 2>&1')
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_shell_closed(closed: str) -> None:
    """No file that is opened takes the number of one, so that no message goes into it."""
    done = run("audit", "--fix", "broken.txt", "missing.txt", script=f'"$@" {closed}')
    assert done.returncode == 2
    assert Path("broken.txt").read_text() == SOUND
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="devices with names")
@pytest.mark.parametrize(
    ("arguments", "code"), [([*LOCK, "-o", "/dev/stdout"], 0), (["audit", "broken.txt", "-o", "/dev/stdout"], 1)]
)
def test_standard_output_by_its_name(arguments: list[str], code: int, unread: int) -> None:
    done = run(*arguments, "-o", "/dev/stdout", stdout=unread)
    os.close(unread)
    assert done.returncode == code
    assert "/dev/stdout was closed by its reader before everything was written" in done.stderr
