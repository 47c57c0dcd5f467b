"""The packages that conda, mamba and pixi found in no channel, as they print it (TL528)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.site_folder import install, write

if TYPE_CHECKING:
    from pathlib import Path

OF_CONDA = """\
> conda env create -f environment.yml
Collecting package metadata (repodata.json): done
Solving environment: failed

ResolvePackageNotFound:
  - torchaudio
"""
OF_MAMBA = "Encountered problems while solving.\nProblem: nothing provides requested torchaudio\n"
OF_LIBMAMBA = """\
LibMambaUnsatisfiableError: Encountered problems while solving:
  - nothing provides torchaudio needed by speech-1.0-py_0
"""
OF_MAMBA_2 = """\
error    libmamba Could not solve for environment specs
    The following package could not be installed
    └─ torchaudio =* * does not exist (perhaps a typo or a missing channel).
"""
OF_PIXI = "  × failed to solve the environment\n  ╰─▶ Cannot solve the request because of: "
OF_PIXI += "No candidates were found for torchaudio *.\n"


@pytest.mark.parametrize(
    "log",
    [OF_CONDA, OF_MAMBA, OF_LIBMAMBA, OF_MAMBA_2, OF_PIXI],
    ids=["conda", "mamba", "libmamba", "mamba 2", "pixi"],
)
def test_a_package_that_no_channel_has(tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str) -> None:
    """https://github.com/ageron/handson-mlp/issues/3 and https://github.com/escape2020/school2022/issues/35"""
    first = found(tmp_path, capsys, log)
    assert first["rule"] == "TL528"
    assert first["message"] == "no channel that was asked has torchaudio for this platform"
    assert (
        first["remedy"]["summary"] == "Add the channel conda-forge, or install torchaudio with pip, after torch."
    )


def test_a_channel_that_was_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = f"$ conda install -c conda-forge torchaudio\n{OF_MAMBA}"
    assert found(tmp_path, capsys, log)["remedy"]["summary"].startswith("Add the channel pytorch")


def test_a_release_that_no_channel_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = "LibMambaUnsatisfiableError: Encountered problems while solving:\n"
    log += "  - nothing provides cudatoolkit 11.1.* needed by pytorch-1.8.0-py3.8_cuda11.1_cudnn8.0.5_0\n"
    first = found(tmp_path, capsys, log)
    assert first["message"] == "no channel that was asked has cudatoolkit 11.1.* for this platform"
    assert "version" in first["remedy"]["summary"]


def found(tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str) -> dict[str, dict[str, str]]:
    """The first finding in an environment of conda without torch."""
    site = tmp_path / "env" / "lib" / "python3.10" / "site-packages"
    install(site, "pip", "24.0", {"pip/__init__.py": ""})
    report = run(capsys, "--path", site, "--platform", "macos-arm64", "--log", write(tmp_path / "log", log))
    return next(each for each in report["files"][0]["findings"] if each["severity"] != "note")
