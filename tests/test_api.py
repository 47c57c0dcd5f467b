"""The public functions: results are the documented JSON, typed and frozen; calls share nothing."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import torchlock
from support.check import stage_audio, stage_torch
from torchlock import api, redaction
from torchlock.cli.interface import interface
from torchlock.cli.main import main
from torchlock.index import pending
from torchlock.report.schemas import schema

ROOT = Path(__file__).parents[1]
LINUX = {"python": "3.12", "platform": "linux-x86_64"}
WORDS = ["--python", "3.12", "--platform", "linux-x86_64"]
PAIR = "torch==2.3.1\ntorchaudio==2.2.0\n"
# Options of a terminal, of the exit code, or of what is written: a library has none of them.
OF_THE_COMMAND = {
    *("help", "quiet", "verbose", "color", "config", "no_config", "json", "strict"),
    *("fix", "diff", "check", "dry_run", "wheelhouse", "report", "export", "allow_sdist", "stdin_name"),
}


def site(folder: Path, audio: str = "2.7.0+cpu") -> str:
    packages = folder / "site"
    packages.mkdir()
    stage_torch(packages, "2.7.1+cpu")
    stage_audio(packages, audio)
    return str(packages)


def results(folder: Path) -> dict[str, api.Result]:
    (folder / "requirements.txt").write_text(PAIR)
    return {
        "audit": api.audit(folder / "requirements.txt"),
        "check": api.check(path=site(folder), platform="linux-x86_64"),
        "explain": api.explain("torch==2.3.1", "torchaudio", offline=True, **LINUX),
        "lock": api.lock("torch==2.3.1", "torchaudio", offline=True, **LINUX),
        "matrix": api.matrix("torch==2.9.*", "torchaudio", platform="linux-x86_64"),
    }


def test_what_is_public_is_listed() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = text.partition("<!-- public -->")[2].partition("<!-- end -->")[0]
    named = {word.strip("`,.") for word in listed.split() if word.startswith("`")}
    assert named == set(api.__all__)
    assert all(getattr(api, name) is not None for name in api.__all__)


@pytest.mark.parametrize("command", ["audit", "check", "explain", "lock", "matrix"])
def test_keywords_are_the_options_of_the_command(command: str) -> None:
    options = {
        option.flags[-1][2:].replace("-", "_")
        for each in interface()
        if each.name == command
        for option in each.options
    }
    own = {"settings", "on_message", "on_progress", "log_text"}
    left_out = OF_THE_COMMAND | (set() if command == "lock" else {"output", "format"})
    parameters = inspect.signature(getattr(api, command)).parameters.values()
    keywords = {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert keywords - own == options - left_out


def test_results_are_the_documented_json_frozen_and_picklable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, result in results(tmp_path).items():
        Draft202012Validator(schema(command)).validate(result.to_dict())
        assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 (our own bytes)
        assert hash(result)
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.data = ""  # type: ignore[misc]
    assert capsys.readouterr() == ("", "")


def test_the_command_prints_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = results(tmp_path)
    pair = ["torch==2.3.1", "torchaudio", "--offline", *WORDS]
    commands = {
        "audit": [str(tmp_path / "requirements.txt")],
        "check": ["--path", str(tmp_path / "site"), "--platform", "linux-x86_64"],
        "explain": pair,
        "lock": pair,
        "matrix": ["torch==2.9.*", "torchaudio", "--platform", "linux-x86_64"],
    }
    for command, words in commands.items():
        capsys.readouterr()
        main([command, *words, "--json", "--no-config"])
        assert json.loads(capsys.readouterr().out) == found[command].to_dict()


@pytest.mark.triggers("TL101")
def test_an_audit_of_a_text() -> None:
    result = api.audit_text(PAIR, "web/requirements.txt")
    (finding,) = [each for each in result.findings if each.rule == "TL101"]
    assert (result.ok, result.files[0].path, finding.line) == (False, "web/requirements.txt", 2)
    assert finding.remedy is not None
    assert finding.remedy.changes[0].new == "torchaudio==2.3.1"


def test_a_lock_is_a_text_and_writes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "requirements.txt"
    result = api.lock("torch==2.3.1", offline=True, output=output, **LINUX)
    assert not output.exists()
    assert "torch==2.3.1 \\" in result.text
    assert "torchlock lock" in result.text
    assert {package.name: package.version for package in result.packages}["torch"] == "2.3.1"
    output.write_text(result.text)
    again = api.lock("torch", offline=True, output=output, **LINUX)
    assert "torch==2.3.1 \\" in again.text


def test_no_solution_is_a_result(tmp_path: Path) -> None:
    result = api.lock("torch==2.3.1", "torchaudio==2.2.0", offline=True, **LINUX)
    assert not result.ok
    assert result.targets[0].status == "left out"
    assert any("torchaudio 2.2.0" in each for each in result.targets[0].because)
    Draft202012Validator(schema("lock")).validate(result.to_dict())
    many = {"python": ["3.11", "3.12"], "platform": "linux-x86_64"}
    both = api.lock("torch==2.3.1", "torchaudio==2.2.0", offline=True, **many)
    assert [each.status for each in both.targets] == ["left out", "left out"]
    with pytest.raises(ValueError, match="0 files"):
        _ = result.text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: api.lock(), "nothing to lock"),
        (lambda: api.audit(), "no file or folder"),
        (lambda: api.explain(), "no rule and no requirement"),
        (lambda: api.audit("-"), "standard input"),
        (lambda: api.lock("torch", python="banana"), "banana"),
        (lambda: api.lock("torch", fork="never"), "never"),
        (lambda: api.check(path="no-such-folder"), "no-such-folder"),
        (lambda: api.check(log="a.log", log_text="a"), "exclude each other"),
        (lambda: api.matrix("flask"), "flask"),
        (lambda: api.audit(".", settings="no-such.toml"), "no-such.toml"),
    ],
)
def test_errors_are_typed_and_can_be_pickled(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(api.InputError) as raised:
        call()
    assert said in str(raised.value)
    copy = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 (our own bytes)
    assert (str(copy), copy.hint) == (str(raised.value), raised.value.hint)


def test_an_error_with_more_arguments_can_be_pickled() -> None:
    for error in (
        api.UnknownPackage("a", "b", hint="c"),
        api.DataError("a", path="b"),
        api.InputError("a", line=3),
    ):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
        assert (type(copy), copy.__dict__, copy.args) == (type(error), error.__dict__, error.args)


def test_settings_count_only_if_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchlock.toml").write_text('ignore = ["TL101"]\n')
    (tmp_path / "requirements.txt").write_text(PAIR)
    monkeypatch.setenv("TORCHLOCK_PYTHON", "3.9")
    monkeypatch.chdir(tmp_path)
    assert "TL101" in {each.rule for each in api.audit("requirements.txt").findings}
    assert api.audit("requirements.txt").to_dict()["target"]["python"] is None
    named = api.audit("requirements.txt", settings=tmp_path / "torchlock.toml")
    assert "TL101" not in {each.rule for each in named.findings}
    monkeypatch.delenv("TORCHLOCK_PYTHON")
    found = api.audit("requirements.txt", settings="search")
    assert "TL101" not in {each.rule for each in found.findings}


def test_messages_are_heard_and_have_no_secrets(tmp_path: Path) -> None:
    heard: list[api.Message] = []
    (tmp_path / "empty").mkdir()
    result = api.audit(tmp_path / "empty", on_message=heard.append)
    assert tuple(heard) == result.messages
    assert "no file that can be audited" in heard[0].text
    with pytest.raises(api.TorchlockError) as raised:
        api.lock("x", index_url="ftp://me:hunter2hunter2@example.org/simple", **LINUX)
    assert "hunter2" not in f"{raised.value} {raised.value.hint} {raised.value.args}"


def test_a_secret_of_one_call_is_not_masked_in_another() -> None:
    secret = "--extra-index-url https://me:sesame-sesame@example.org/simple\ntorch\n"
    assert "sesame-sesame" not in api.audit_text(secret).document
    assert redaction.masked("sesame-sesame") == "sesame-sesame"
    plain = api.audit_text(PAIR.rstrip() + "  # sesame-sesame\n")
    assert "sesame-sesame" in plain.document


def test_calls_in_threads_give_what_they_give_one_after_the_other(tmp_path: Path) -> None:
    """Other inputs at the same time, started together, several times."""
    environment = site(tmp_path)

    def calls() -> list[Callable[[], api.Result]]:
        return [
            lambda: api.lock("torch==2.3.1", "torchaudio", offline=True, **LINUX),
            lambda: api.lock("torch", "torchcodec", offline=True, python=["3.11", "3.13"], platform="macos-arm64"),
            lambda: api.audit_text(PAIR),
            lambda: api.audit_text("torch==2.9.0\ntorchcodec==0.4.0\n", accelerator="cu128", python="3.12"),
            lambda: api.check(path=environment, platform="linux-x86_64"),
            lambda: api.matrix("torchcodec", platform="windows-amd64"),
            lambda: api.explain("torch==2.8.0", "torchaudio==2.7.0", offline=True, **LINUX),
        ]

    # In a process of its own nothing is loaded yet; here tables may be.
    alone = [call() for call in calls()]
    for _ in range(2):
        found: dict[int, api.Result] = {}
        start = threading.Barrier(len(alone))

        def work(number: int, call: Callable[[], api.Result], start: threading.Barrier = start) -> None:
            start.wait()
            found[number] = call()  # noqa: B023 (joined below)

        threads = [threading.Thread(target=work, args=each) for each in enumerate(calls())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[number] for number in range(len(alone))] == alone


def test_the_first_calls_of_a_process_may_be_in_threads() -> None:
    """Rules and tables are loaded by the first call that needs them; two may come at once."""
    code = """
import sys, threading
sys.setswitchinterval(1e-5)
from torchlock import api
texts = ["torch==2.3.1\\ntorchaudio==2.2.0\\n", "torch==2.9.0\\ntorchcodec==0.4.0\\n"] * 2
found = {}
def work(number):
    found[number] = api.audit_text(texts[number])
threads = [threading.Thread(target=work, args=[number]) for number in range(len(texts))]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert [found[number] for number in range(4)] == [api.audit_text(text) for text in texts]
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TORCHLOCK_NO_CONFIG": "1"})


def test_a_thread_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlock.index.course import Deadline

    monkeypatch.setattr(pending, "_REST", 0.01)
    before = set(threading.enumerate())
    pool = pending.Pool(Deadline(60), lambda _: None)
    for _ in range(2):
        assert pool.wait(pool.ask(lambda: 7, "a number")) == 7
        for thread in set(threading.enumerate()) - before:
            thread.join(30)
        assert set(threading.enumerate()) <= before


def test_import_of_the_package_is_cheap() -> None:
    code = "import sys, torchlock; print(*[name for name in sys.modules if name.startswith('torchlock')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["torchlock"]
    assert torchlock.api is api
    with pytest.raises(AttributeError, match="nothing"):
        _ = torchlock.nothing  # type: ignore[attr-defined]


def test_a_typed_program_passes_mypy(tmp_path: Path) -> None:
    """The examples of the documentation, and one that must not pass; with the cache of the project's own check."""
    from support.examples import examples

    assert (ROOT / "src" / "torchlock" / "py.typed").exists()
    good = [tmp_path / f"good{number}.py" for number, _ in enumerate(examples(ROOT / "docs" / "api.md"))]
    for path, example in zip(good, examples(ROOT / "docs" / "api.md"), strict=True):
        path.write_text(example)
    bad = tmp_path / "bad.py"
    bad.write_text("import torchlock\n\ntorchlock.api.audit(3)\ntorchlock.api.lock('torch').files.append(1)\n")
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    run = [sys.executable, "-m", "mypy", *settings, *map(str, [*good, bad])]
    process = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path)
    assert "good" not in process.stdout, process.stdout
    assert process.stdout.count("bad.py:") == 2, process.stdout


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from support.examples import examples

    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text(PAIR)
    (tmp_path / "requirements.in").write_text("torch==2.3.1\ntorchaudio\n")
    (tmp_path / "failure.log").write_text("ModuleNotFoundError: No module named 'torchaudio'\n")
    for example in examples(ROOT / "docs" / "api.md"):
        exec(compile(example, "docs/api.md", "exec"), {})  # noqa: S102
