"""The README and the documents that it begins: every command in them runs, every claim of the table holds."""

from __future__ import annotations

import os
import re
import shlex
import venv
from pathlib import Path

import pytest

from support.check import remove, stage_audio, stage_torch
from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.knowledge.releases import Catalogue

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "docs/lock.md", "docs/audit.md", "docs/check.md")
SHELL = re.findall(r"```sh\n(.*?)\n```", README, re.S)


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def commands_of(document: str) -> list[str]:
    """The commands in the ``console`` blocks of a document."""
    blocks = re.findall(r"```console\n(.*?)```", text_of(document), re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ torchlock")]


def shown_in(document: str, beginning: str) -> str:
    """The output in a ``text`` block of a document that begins so."""
    return next(iter(re.findall(rf"```text\n({beginning}.*?)```", text_of(document), re.S)))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.in").write_text("torchaudio\nsoundfile\n")
    (tmp_path / "constraints.txt").write_text("torch<2.12\n")
    (tmp_path / "requirements.txt").write_text("torch==2.9.1\ntorchaudio==2.9.1\n")
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "failure.txt").write_text("OSError: libc10_cuda.so: cannot open shared object file\n")
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=os.name == "posix")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / ".venv"))
    site = next((tmp_path / ".venv").glob("lib/python*/site-packages"))
    stage_torch(site)
    stage_audio(site)
    return tmp_path


@pytest.mark.parametrize("document", ["README.md", "docs/check.md"])
def test_the_check_shown_is_the_check_given(
    document: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = shown_in(document, "error: torchaudio").removesuffix("…\n")
    site = next((project / ".venv").glob("lib/python*/site-packages"))
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.13.0+cpu", exports=("torch_library_impl",))
    needed = ("libc10_cuda.so", "libtorch_cuda.so", "libtorch_cpu.so")
    stage_audio(site, "2.11.0+cu130", needed=needed, uses=("torch_library_impl",))
    library = site / "torchaudio" / "lib" / "libtorchaudio.so"
    library.rename(library.with_suffix(".abi3.so"))
    record = next(site.glob("torchaudio-*.dist-info")) / "RECORD"
    record.write_text(record.read_text().replace("libtorchaudio.so", "libtorchaudio.abi3.so"))
    assert main(["check"]) == 1
    assert capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_run_in_their_order(document: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = commands_of(document)
    assert len(commands) >= 3
    for command in commands:
        expected = 1 if "torchaudio==2.11.0" in command or "torchaudio==2.5.1" in command else 0
        words = shlex.split(command)[1:]
        offline = ["--offline"] if words[0] in ("lock", "upgrade", "explain") else []
        assert main([*words, *offline]) == expected, command


@pytest.mark.parametrize("document", ["README.md", "docs/lock.md"])
def test_the_message_shown_is_the_message_given(
    document: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = shown_in(document, "error: no solution")
    request_ = ["torch==2.15.0", "torchaudio==2.11.0", "--python", "3.12", "--platform", "linux-x86_64"]
    main(["lock", *request_, "--offline"])
    given = capsys.readouterr().err.replace(f" as of {Catalogue().date}", "")
    for line in shown.splitlines():
        assert line.rstrip("…").strip() in given


def test_the_audit_shown_is_the_audit_given(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.txt").write_text("torch==2.7.1\ntorchaudio==2.5.1\n")
    main(["audit", "requirements.txt"])
    assert capsys.readouterr().out.startswith(shown_in("docs/audit.md", "requirements.txt\n"))


def test_the_first_command_locks(project: Path) -> None:
    command = SHELL[0].rpartition(".venv/bin/torchlock ")[2]
    assert main(shlex.split(command)) == 0
    assert "\ntorchaudio==" in (project / "requirements.txt").read_text()


def test_the_test_command_is_the_one_of_ci() -> None:
    assert SHELL[1].endswith("python -m pytest")
    ci = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"^python -m pytest$", ci, re.M)


@pytest.mark.parametrize(
    ("request_", "python", "expected"),
    [
        (["torch==2.12.1", "torchaudio"], "3.12", {"torch==2.12.1", "torchaudio==2.11.0"}),
        (["torch==2.9.1", "torchaudio"], "3.12", {"torch==2.9.1", "torchaudio==2.9.1"}),
        (["torch==2.3.1", "torchaudio"], "3.11", {"torch==2.3.1", "torchaudio==2.3.1"}),
        (["torch==2.8.0", "torchaudio", "torchcodec"], "3.12", {"torchaudio==2.8.0", "torchcodec==0.7.0"}),
        (["torch==2.1.2", "numpy"], "3.10", {"torch==2.1.2", "numpy==1.26.4"}),
    ],
)
def test_the_table_is_true(
    request_: list[str], python: str, expected: set[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ["--python", python, "--platform", "linux-x86_64", "--offline", "--no-hashes", "--no-annotate"]
    assert main(["lock", *request_, *target]) == 0
    assert expected <= set(capsys.readouterr().out.splitlines())


def test_every_option_has_help_and_the_readme_names_the_main_ones() -> None:
    for name in COMMANDS:
        assert f"torchlock {name}" in README
        parser, _ = parser_of(name)
        for action in parser._actions:
            assert action.help, action
