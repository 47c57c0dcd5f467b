"""Which environment is meant where nobody names one, and of which machine a tree is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from staged import write
from torchlock.inspect.choice import active, is_used_here, root_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders of POSIX")


def python_in(folder: Path, *, torch: bool = False) -> Path:
    if torch:
        (folder / "lib" / "python3.11" / "site-packages" / "torch").mkdir(parents=True)
    path = write(folder / "bin" / "python", "#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_activated_environment_comes_first(tmp_path: Path) -> None:
    mine, theirs = python_in(tmp_path / "a"), python_in(tmp_path / "b", torch=True)
    environ = {"VIRTUAL_ENV": str(tmp_path / "a"), "CONDA_PREFIX": str(tmp_path / "b"), "CONDA_DEFAULT_ENV": "x"}
    assert active(environ).python == str(mine)
    del environ["VIRTUAL_ENV"]
    assert active(environ).python == str(theirs)


def test_the_base_of_conda_does_not_hide_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = python_in(tmp_path / ".venv", torch=True)
    python_in(tmp_path / "conda")
    environ = {"CONDA_PREFIX": str(tmp_path / "conda"), "CONDA_DEFAULT_ENV": "base", "PATH": ""}
    assert active(environ).python == str(project)


def test_without_torch_anywhere_it_is_the_one_that_runs_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert active({"VIRTUAL_ENV": str(tmp_path / "gone")}).python == sys.executable


@pytest.mark.parametrize("mark", ["pipx_metadata.json", "uv-receipt.toml"])
def test_the_environment_of_this_tool_alone_comes_last(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = python_in(tmp_path / "system")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))
    assert active({}).python == sys.executable
    write(tmp_path / "tool" / mark)
    assert active({}).python == str(other)


def test_an_image_is_known_by_its_release(tmp_path: Path) -> None:
    site = tmp_path / "image" / "usr" / "lib" / "python3" / "dist-packages"
    site.mkdir(parents=True)
    assert root_of(str(site)) is None
    write(tmp_path / "image" / "etc" / "os-release", "ID=debian\n")
    assert root_of(str(site)) == str((tmp_path / "image").resolve())


def test_an_environment_whose_python_runs_here_is_of_this_machine(tmp_path: Path) -> None:
    assert not is_used_here("")
    assert not is_used_here(str(tmp_path))
    python_in(tmp_path)
    assert is_used_here(str(tmp_path)) is (sys.platform == "linux")
