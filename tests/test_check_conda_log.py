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
    lines = [each["line"] for each in first["remedy"]["commands"]]
    assert lines == ([] if log == OF_PIXI else ["conda install -y -c conda-forge torchaudio"])


def test_a_build_with_dots_in_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = OF_CONDA.replace("torchaudio", "pytorch==1.7.1=py3.8_cuda11.0.221_cudnn8.0.5_0")
    message = found(tmp_path, capsys, log)["message"]
    assert "has pytorch 1.7.1 py3.8_cuda11.0.221_cudnn8.0.5_0 for this platform" in message


def test_a_package_of_which_the_recipes_are_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = found(tmp_path, capsys, OF_MAMBA.replace("torchaudio", "torchtext"))
    assert first["remedy"]["commands"] == []


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


FOR_PYTHONS = """\
UnsatisfiableError: The following specifications were found
to be incompatible with the existing python installation in your environment:

Specifications:

  - torchaudio -> python[version='2.7.*|3.5.*|>=3.6,<3.7.0a0']
{}
Your python: {}

If python is on the left-most side of the chain, that's the version you've asked for.
"""


@pytest.mark.parametrize(
    ("more", "own", "names", "version"),
    [
        ("", "conda-forge/osx-64::python==3.10.4=h8b4d769_0_cpython", "torchaudio", "3.10"),
        ("", "python=3.11", "torchaudio", "3.11"),
        (
            "  - torchvision -> python[version='>=3.6,<3.7.0a0']\n",
            "python=3.12",
            "torchaudio and torchvision",
            "3.12",
        ),
    ],
)
def test_a_package_for_other_pythons(
    more: str, own: str, names: str, version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/pytorch/audio/issues/2729"""
    folder = tmp_path / "env" / "lib" / f"python{version}" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    log = write(tmp_path / "log.txt", f"$ conda install torchaudio\n{FOR_PYTHONS.format(more, own)}")
    report = run(capsys, "--path", folder, "--platform", "linux-x86_64", "--log", log)
    assert report["summary"] == f"no channel that was asked has {names} for Python {version}"


def test_specifications_without_a_python_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "env" / "lib" / "python3.10" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    text = FOR_PYTHONS.format("", "").replace("Your python: ", "")
    log = write(tmp_path / "log.txt", f"$ conda install torchaudio\n{text}")
    report = run(capsys, "--path", folder, "--platform", "linux-x86_64", "--log", log)
    assert report["summary"] == "the requirements of this installation exclude each other"
