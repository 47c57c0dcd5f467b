"""The hooks, as pre-commit runs them: what they look at, what they let pass and what they stop."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.local_index import publish
from torchlock.cli.main import main
from torchlock.cli.parser import parse
from torchlock.manifests import kind_of

ROOT = Path(__file__).parents[1]
EXAMPLES = Path(__file__).parent / "hooks"
TEXT = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")


def hooks() -> dict[str, dict[str, str]]:
    """The hooks by their identifiers: the plain keys of the file, and the folded pattern."""
    found = {}
    for block in re.split(r"^- ", TEXT, flags=re.M)[1:]:
        keys = dict(re.findall(r"^ *(\w+): ([^>\n]+)$", block, re.M))
        pattern = re.search(r"files: >\n((?:    .*\n)+)", block)
        keys["files"] = pattern[1].strip() if pattern else ""
        found[keys["id"]] = keys
    return found


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-dev.in",
        "dev_requirements.txt",
        "requirements/audio.txt",
        "packages/asr/requirements.txt",
        "constraints.txt",
        "pyproject.toml",
        "apps/tts/pyproject.toml",
        "setup.cfg",
        "setup.py",
        "Pipfile",
        "Pipfile.lock",
        "environment.yml",
        "environment_dml.yaml",
        "docker/Dockerfile.gpu",
        "asr.dockerfile",
        "Containerfile",
        "poetry.lock",
        "uv.lock",
        "pdm.lock",
        "pylock.toml",
        "pylock.gpu.toml",
        "requirements.lock",
        "conda-lock.yml",
        "conda-linux-64.lock",
        "env.yaml",
        "pixi.toml",
        "pixi.lock",
        "tox.ini",
        "noxfile.py",
        "cog.yaml",
        "Makefile",
        "mk/rules.mk",
        "justfile",
        "scripts/install.sh",
        "install.bat",
        "install.ps1",
        "notebooks/demo.ipynb",
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Taskfile.yml",
    ],
)
def test_the_audit_looks_at_every_format_in_any_folder(name: str) -> None:
    assert re.search(hooks()["torchlock-audit"]["files"], name)
    assert kind_of(name, "")


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "src/requirements.py",
        "package-lock.json",
        "docs/environment.md",
        "Cargo.lock",
        "a.txt",
        "train.py",
    ],
)
def test_and_at_nothing_else(name: str) -> None:
    assert not re.search(hooks()["torchlock-audit"]["files"], name)


@pytest.mark.parametrize("name", ["Dockerfile.md", "docker/Dockerfile.dockerignore", ".github/dependabot.yml"])
def test_and_at_nothing_that_has_no_reader(name: str) -> None:
    assert not re.search(hooks()["torchlock-audit"]["files"], name)


def test_the_entries_are_commands() -> None:
    for hook in hooks().values():
        command = hook["entry"].split()
        assert command[0] == "torchlock"
        parse([*command[1:], *re.findall(r"[\w./-]+", hook.get("args", ""))])


@pytest.mark.parametrize("name", sorted(path.name for path in (EXAMPLES / "ok").iterdir()))
def test_what_is_let_pass(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--strict", str(EXAMPLES / "ok" / name)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(path.name for path in (EXAMPLES / "bad").iterdir()))
def test_what_is_stopped(name: str) -> None:
    assert main(["audit", str(EXAMPLES / "bad" / name)]) == 1


LINUX = ["--python", "3.12", "--platform", "linux-x86_64"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a new lock, whose releases only an index of this machine has."""
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)
    publish(tmp_path / "simple", "uncatalogued", "1.0")
    publish(tmp_path / "simple", "tqdm", "99.0")
    monkeypatch.setenv("PIP_INDEX_URL", str(tmp_path / "simple"))
    (tmp_path / "requirements.in").write_text("tqdm\nuncatalogued\n")
    command = ["-r", "requirements.in", "-o", "requirements.txt", *LINUX, "--cache-dir", "cache-of-a-developer"]
    assert main(["lock", *command, "-P", "tqdm==99.0"]) == 0
    return tmp_path


def lock_hook(cache: str) -> int:
    """Run the hook for the lock, with the arguments that the README gives it."""
    entry = hooks()["torchlock-lock"]["entry"].split()[1:]
    return main([*entry, "-r", "requirements.in", "-o", "requirements.txt", *LINUX, "--cache-dir", cache])


def test_the_lock_hook_passes_a_valid_lock_with_an_empty_cache(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a new CI job, with releases that the catalogue does not have: its --offline made this fail."""
    assert (project / "requirements.txt").read_text().count("==") >= 2
    assert lock_hook("new") == 0, capsys.readouterr().err


def test_the_lock_hook_stops_an_old_lock_with_an_empty_cache(project: Path) -> None:
    with (project / "requirements.in").open("a") as lines:
        lines.write("filelock\n")
    assert lock_hook("new") == 1


@pytest.mark.parametrize("how", ["offline", "no network"])
def test_a_lock_that_cannot_be_looked_up_is_not_called_old(
    how: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (project / "requirements.in").read_text().replace("uncatalogued\n", "")
    (project / "requirements.in").write_text(lines)
    command = ["-r", "requirements.in", "-o", "requirements.txt", *LINUX, "--cache-dir", "new"]
    assert main(["lock", *command, "-P", "tqdm==99.0"]) == 0
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    more = ["--offline"] if how == "offline" else []
    capsys.readouterr()
    assert main(["lock", "--check", *command[:-1], "another", *more]) == 2
    error = capsys.readouterr().err
    assert "cannot say whether requirements.txt is up to date: no index was asked for tqdm 99.0" in error
    assert "not up to date" not in error
    assert main(["lock", "--diff", *command[:-1], "another", *more]) == 2
    assert "the data do not have tqdm 99.0" in capsys.readouterr().err


@pytest.mark.network
def test_pre_commit_itself(tmp_path: Path) -> None:
    """The real pre-commit installs this repository into an environment of its own, and runs the hooks."""
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", "*.pyc", "__pycache__", ".venv", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, source, ignore=ignored)
    commit(source)
    work = tmp_path / "work"
    shutil.copytree(EXAMPLES / "ok", work)
    (work / "requirements.in").write_text("torchaudio\nsoundfile\nunidecode\n")  # the last: in no catalogue
    lock = [sys.executable, "-m", "torchlock", "lock", "-r", "requirements.in", "-o", "locked.txt"]
    target = ["--python", "3.12", "--platform", "linux-x86_64"]
    subprocess.run([*lock, *target], cwd=work, check=True)
    (work / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {source}\n  rev: {git(source, 'rev-parse', 'HEAD')}\n  hooks:\n"
        "  - id: torchlock-audit\n"
        "  - id: torchlock-lock\n"
        f"    args: [-r, requirements.in, -o, locked.txt, {', '.join(repr(word) for word in target)}]\n"
    )
    commit(work)
    assert pre_commit(work, tmp_path).returncode == 0
    shutil.copyfile(EXAMPLES / "bad" / "requirements.txt", work / "requirements.txt")
    (work / "locked.txt").write_text("torch==2.7.1\n")
    done = pre_commit(work, tmp_path)
    assert done.returncode == 1
    assert "requirements.txt:2:1: error TL101" in done.stdout
    assert "locked.txt is not up to date with its input" in done.stdout


def pre_commit(work: Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"]
    environment: dict[str, Any] = {**os.environ, "PRE_COMMIT_HOME": str(home / "cache")}
    environment["TORCHLOCK_CACHE_DIR"] = str(home / "empty")
    return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
