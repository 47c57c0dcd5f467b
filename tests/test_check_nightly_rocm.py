"""Nightly builds for ROCm whose wheels lack a library of ROCm."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import audio_files, first, run, stage_torch
from support.site_folder import install, write

ROCM = "2.9.0.dev20250801+rocm6.4"


@pytest.mark.parametrize(("night", "later"), [("20250801", True), ("20250730", False)])
def test_a_torchaudio_that_needs_the_openmp_of_rocm(
    tmp_path: Path, night: str, later: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/pytorch/audio/pull/3575: both packages may be of one night."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, ROCM)
    write(site / "torch/version.py", f"__version__ = '{ROCM}'\ncuda = None\nhip = '6.4.43482'\n")
    version = f"2.8.0.dev{night}+rocm6.4"
    files = audio_files(version, needed=("libtorch_cpu.so", "libomp.so"))
    install(site, "torchaudio", version, files, tag="cp311-cp311-manylinux_2_28_x86_64")
    report = run(capsys, "--path", site, "--root", tmp_path, "--platform", "linux-x86_64")
    found = [each for each in report["files"][0]["findings"] if each["rule"] == "TL610"]
    words = (found or [first(report)])[0]["remedy"]["summary"]
    assert ("of one later night from" in words) is later
    assert "/opt/rocm/llvm/lib" in words
