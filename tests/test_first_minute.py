"""docs/guides/first-minute.md on each Python that torchlock supports: a fresh environment, one installation."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.documented import File, missing, steps

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "first-minute.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> str | None:
    """A Python of this machine, from the path or of pyenv; None if it has none of this version."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for path in (shutil.which(f"python{version}"), *kept.glob(f"{version}.*/bin/python")):
        if path is None:
            continue
        # What pyenv puts on the path need not lead to a Python.
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.mark.network
@pytest.mark.parametrize("version", PYTHONS)
def test_a_stranger_needs_two_commands_for_each_job(version: str, wheel: Path, tmp_path: Path) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    fresh, project = tmp_path / "fresh", tmp_path / "project"
    project.mkdir()
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("TORCHLOCK_", "VIRTUAL_ENV"))
    }
    environ |= {"HOME": str(tmp_path), "PATH": f"{fresh / 'bin'}", "NO_COLOR": "1"}
    uv = [sys.executable, "-m", "uv", "--no-config"]
    subprocess.run([*uv, "venv", "--quiet", "--python", python, fresh], check=True)
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", fresh / "bin" / "python", wheel], check=True)
    ran = 0
    for step in steps(GUIDE.read_text(encoding="utf-8")):
        if isinstance(step, File):
            step.write(project)
            continue
        program, *words = shlex.split(step.command)
        command = [fresh / "bin" / program, *words]
        done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)
        lacks = [
            missing(step.output, printed) for printed in (done.stderr + done.stdout, done.stdout + done.stderr)
        ]
        assert None in lacks, f"{step.command}: {lacks[0]}\n{done.stderr}{done.stdout}"
        assert done.returncode == step.exit_code, step.command
        ran += 1
    assert ran == 3
