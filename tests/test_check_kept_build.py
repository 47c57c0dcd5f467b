"""No command of check replaces the installed build by one for fewer devices, or for another CUDA major version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.check import audio_files, first, run, stage_audio, stage_torch, torch_files
from support.libraries import elf
from support.site_folder import install, write

GONE = ("_ZN5torch4gone3newEv",)
AARCH64 = 183
STABLE = ("torch_library_impl",)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def on_arm(site: Path, version: str, cuda: str) -> None:
    """A torch for aarch64: a CUDA build whose wheel has no label."""
    files = torch_files(version, cuda=f"'{cuda}'")
    for name in files:
        if name.endswith(".so"):
            soname = name.rpartition("/")[2]
            below = {"_C.so": ["libtorch_python.so"], "libtorch_python.so": ["libtorch_cpu.so"]}.get(soname, [])
            runpath = "$ORIGIN/lib" if soname == "_C.so" else "$ORIGIN"
            files[name] = elf(soname, below, runpath=runpath, machine=AARCH64)
    install(site, "torch", version, files, tag="cp311-cp311-manylinux_2_28_aarch64")


def of_windows(site: Path, name: str, version: str, cuda: str = "") -> None:
    """A package for Windows, without the DLLs of a machine."""
    text = f"__version__ = '{version}'\n" + (f"cuda = '{cuda}'\n" if cuda else "")
    headers = f"Requires-Dist: torch (=={version.partition('+')[0]})\n" if name == "torchaudio" else ""
    files: dict[str, bytes | str] = {f"{name}/__init__.py": "", f"{name}/version.py": text}
    install(site, name, version, files, headers=headers, tag="cp311-cp311-win_amd64")


def remedy(capsys: pytest.CaptureFixture[str], site: Path, *words: str | Path) -> dict[str, Any]:
    """The remedy of the first finding, with its lines by tool."""
    found = first(run(capsys, "--path", site, *words))["remedy"]
    assert isinstance(found, dict)
    return {**found, **{each["tool"]: each["line"] for each in found["commands"]}}


def lacking(site: Path) -> tuple[str, Path]:
    """A log of an import of the torchaudio that is not installed."""
    log = write(site.parents[3] / "log", "ModuleNotFoundError: No module named 'torchaudio'\n")
    return ("--log", log)


def test_a_torch_for_aarch64_whose_folder_has_no_torchaudio(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public index's torch 2.4.0 for aarch64 is a CPU build: torch stays, and torchaudio comes alone."""
    on_arm(site, "2.4.0", "12.4")
    found = remedy(capsys, site, *lacking(site))
    assert found["pip"] == "python -m pip install --no-deps torchaudio==2.4.0"
    assert found["uv"] == "uv pip install --no-deps torchaudio==2.4.0"
    assert (
        "torch stays as it is, and torchaudio is a CPU build: no file for CUDA 12.4 is known" in found["summary"]
    )


@pytest.mark.parametrize(("version", "cuda"), [("2.2.0", "12.1"), ("2.6.0", "11.8"), ("2.1.0", "11.8")])
def test_a_torch_for_aarch64_of_whose_folder_nothing_is_known(
    site: Path, version: str, cuda: str, capsys: pytest.CaptureFixture[str]
) -> None:
    on_arm(site, version, cuda)
    found = remedy(capsys, site, *lacking(site))["summary"]
    assert f"whether the index of PyTorch has such files for CUDA {cuda} is unknown" in found


def test_a_cpu_build_whose_page_has_no_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The public index has the pair, for CUDA, which computes on a CPU, too: the difference is said."""
    site = tmp_path / "env" / "lib" / "python3.7" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "1.4.0")
    stage_audio(site, "0.4.0", uses=GONE)
    found = remedy(capsys, site, "--ignore", "TL101")
    assert found["pip"] == "python -m pip install --force-reinstall torch==1.4.0 torchaudio==0.4.0"
    assert "torch 1.4.0 (CUDA 10.1) instead of 1.4.0" in found["summary"]
    assert "this torch is for CUDA 10.1 and computes on a CPU, too: no file for a CPU is known" in found["summary"]


def test_a_cuda_build_is_not_replaced_by_that_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "env" / "lib" / "python3.7" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "1.4.0+cu92", cuda="'9.2'")
    stage_audio(site, "0.4.0", uses=GONE)
    found = remedy(capsys, site, "--ignore", "TL101")
    assert "this torch is for CUDA 10.1" not in found["summary"]


def test_a_torch_for_aarch64_whose_folder_has_a_torchaudio_without_a_label(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_arm(site, "2.9.1", "12.8")
    found = remedy(capsys, site, *lacking(site))
    page = "https://download.pytorch.org/whl/cu128"
    assert found["pip"] == f"python -m pip install --index-url {page} torchaudio==2.9.1"


def test_a_damaged_torch_for_aarch64_comes_from_its_folder(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    on_arm(site, "2.4.0", "12.4")
    (site / "torch" / "functional.py").unlink()
    found = remedy(capsys, site)
    assert "--index-url https://download.pytorch.org/whl/cu124 torch==2.4.0" in found["pip"]
    assert "--torch-backend=cu124" in found["uv"]


def test_a_cuda_build_for_windows(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The public index's torch for Windows is a CPU build."""
    of_windows(site, "torch", "2.8.0+cu128", "12.8")
    found = remedy(capsys, site, "--platform", "windows-amd64", *lacking(site))
    assert "torchaudio==2.8.0+cu128" in found["pip"]
    assert " torch==" not in found["pip"]


def test_a_build_for_a_cuda_that_the_public_index_left(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.5.1+cu121", cuda="'12.1'")
    stage_audio(site, "2.3.1+cu121", uses=GONE)
    found = remedy(capsys, site)
    assert found["pip"].endswith("--index-url https://download.pytorch.org/whl/cu121 torchaudio==2.5.1+cu121")


@pytest.mark.parametrize(("label", "line"), [("rocm6.4", "hip = '6.4.43482'"), ("xpu", "xpu = '20250101'")])
def test_a_build_for_other_vendors(site: Path, label: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, f"2.8.0+{label}")
    write(site / "torch" / "version.py", f"__version__ = '2.8.0+{label}'\ncuda = None\n{line}\n")
    stage_audio(site, f"2.5.1+{label}", uses=GONE)
    found = remedy(capsys, site)
    assert f"/whl/{label}" in found["pip"]
    assert f"torchaudio==2.8.0+{label}" in found["pip"]
    assert " torch==" not in found["pip"]


def test_another_cuda_major_is_not_proposed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """cu132 has no torchaudio. cu130 serves the same devices; cu126 is for another major version of CUDA."""
    stage_torch(site, "2.12.0+cu132", cuda="'13.2'", exports=STABLE)
    stage_audio(site, "2.11.0+cu126", uses=STABLE, needed=("libtorch_cpu.so", "libcudart.so.12"))
    found = remedy(capsys, site)
    assert "/whl/cu130" in found["pip"]
    assert "cu12" not in found["pip"]


def test_a_build_with_fewer_devices_is_not_proposed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A torchaudio for cu129 may be unknown; cu126 has no code for Blackwell, which cu129 has."""
    stage_torch(site, "2.13.0+cu129", cuda="'12.9'", exports=STABLE)
    stage_audio(site, "2.8.0+cu129", uses=GONE)
    found = remedy(capsys, site)
    assert "cu126" not in found["summary"]


def test_what_is_asked_for_is_done(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.8.0+cu128", cuda="'12.8'")
    stage_audio(site, "2.5.1+cu128", uses=GONE)
    found = remedy(capsys, site, "--accelerator", "cpu")
    assert "torch==2.8.0+cpu torchaudio==2.8.0+cpu" in found["pip"]
    assert "https://download.pytorch.org/whl/cpu" in found["pip"]


def test_a_build_that_never_was_is_not_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage_torch(site, "2.13.0+cu130", cuda="'13.0'", exports=STABLE)
    files = audio_files("2.8.0+cu130", uses=GONE)
    install(site, "torchaudio", "2.8.0+cu130", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    found = remedy(capsys, site)
    assert "torchaudio==2.13" not in found["pip"]
    assert "torchaudio==2.11." in found["pip"]
