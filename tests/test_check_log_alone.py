"""What a log shows by itself: the package that it is about is not installed here, or is a nightly build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import run, torch_files
from support.site_folder import install, write

if TYPE_CHECKING:
    from pathlib import Path

TOO_OLD = "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update it"
NO_KERNEL = """\
NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.
The current PyTorch install supports CUDA capabilities sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90.
RuntimeError: CUDA error: no kernel image is available for execution on the device
"""

OLD = "/p/software/torchaudio/0.11.0-gcc/lib/python3.11/site-packages/torchaudio"
NEW = ["the module is there", "a release in a path", "a release that was printed", "a function"]

GPUS = ["a GPU", "an older GPU", "a GPU of CUDA 11"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment with pip alone."""
    folder = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    return folder


def bad(site: Path, capsys: pytest.CaptureFixture[str], log: str) -> list[dict[str, Any]]:
    words = ["--path", site, "--platform", "linux-x86_64", "--log", write(site.parent / "log", log)]
    report = run(capsys, *words)
    assert report["command"] is None or "torch" in [each.name for each in site.iterdir()]
    return [each for each in report["files"][0]["findings"] if each["severity"] != "note"]


@pytest.mark.parametrize(
    ("log", "rule", "message", "remedy"),
    [
        (
            "AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'",
            "TL702",
            "torchaudio.list_audio_backends, which torchaudio 0.6 added and 2.9 removed",
            "Use torchaudio>=0.6,<2.9",
        ),
        (
            "ModuleNotFoundError: No module named 'torchaudio.backend'",
            "TL701",
            "torchaudio.backend, which torchaudio 0.6 added and 2.9 removed",
            "Use torchaudio>=0.6,<2.9",
        ),
        ("AttributeError: module 'torch' has no attribute 'irfft'", "TL704", "1.8 removed", "Use torch<1.8"),
        (
            "ModuleNotFoundError: No module named 'torchvision.transforms.functional_tensor'",
            "TL705",
            "torchvision 0.5 added and 0.17 removed",
            "Use torchvision>=0.5,<0.17",
        ),
        (
            "AttributeError: module 'torch' has no attribute 'compile'",
            "TL706",
            "new in torch 2.0",
            "Use torch>=2.0",
        ),
        # What Python names is there: a release without torchaudio.io is not the one of the log.
        (
            "AttributeError: module 'torchaudio.io' has no attribute 'AudioEffector'",
            "TL706",
            "which is new in torchaudio 2.1",
            "Use torchaudio>=2.1,<2.9 with",
        ),
        (
            f"ImportError: cannot import name 'download_asset' from 'torchaudio.utils' ({OLD}/utils/__init__.py)",
            "TL706",
            "which is new in torchaudio 0.12",
            "Use torchaudio>=0.12,<2.9 with",
        ),
        (
            "torchaudio==2.9.1\nAttributeError: module 'torchaudio' has no attribute 'list_audio_backends'",
            "TL702",
            "torchaudio.list_audio_backends, which torchaudio 2.9 removed",
            "Use torchaudio<2.9 with",
        ),
        (
            "torchaudio>=2.1\nAttributeError: module 'torchaudio.functional' has no attribute 'forced_align'",
            "TL706",
            "which is new in torchaudio 2.1",
            "Use torchaudio>=2.1 with",
        ),
        (TOO_OLD, "TL202", "supports CUDA 11.4", "/whl/cu118"),
        (NO_KERNEL, "TL208", "no code for NVIDIA GeForce RTX 5090 (sm_120), only for sm_50", "/whl/cu128."),
        (
            "NVIDIA GeForce GTX 1080 with CUDA capability sm_61 is not compatible with the current PyTorch "
            "installation.\n",
            "TL208",
            "no code for NVIDIA GeForce GTX 1080 (sm_61)",
            "/whl/cu126.",
        ),
        (
            "Tesla K80 with CUDA capability sm_37 is not compatible with the current PyTorch installation.\n",
            "TL208",
            "no code for Tesla K80 (sm_37)",
            "Install torch 2.0.0 to 2.7.1 and its companions from https://download.pytorch.org/whl/cu118.",
        ),
    ],
    ids=["torchaudio", "a module", "torch", "torchvision", "a new name", *NEW, "a driver", *GPUS],
)
def test_a_cause_that_the_log_names(
    site: Path, capsys: pytest.CaptureFixture[str], log: str, rule: str, message: str, remedy: str
) -> None:
    """https://github.com/NavodPeiris/speechlib/issues/56, https://github.com/RVC-Boss/GPT-SoVITS/issues/83"""
    (found,) = bad(site, capsys, log)
    assert (found["rule"], found["severity"]) == (rule, "warning")
    assert message in found["message"]
    assert remedy in found["remedy"]["summary"] and not found["remedy"]["commands"]


@pytest.mark.parametrize(
    "log",
    [
        "AttributeError: module 'torchaudio' has no attribute 'list_available_backends'",
        "AttributeError: partially initialized module 'torchaudio' has no attribute 'list_audio_backends' "
        "(most likely due to a circular import)",
        "ImportError: cannot import name 'set_audio_backend' from 'torchaudio' (/home/me/torchaudio.py)",
        "AttributeError: module 'psycopg2' has no attribute 'connect'",
    ],
    ids=["in no release", "a circular import", "an own file", "another package"],
)
def test_a_log_that_names_no_cause(site: Path, capsys: pytest.CaptureFixture[str], log: str) -> None:
    assert bad(site, capsys, log) == []


def test_a_gpu_that_a_nightly_build_has_no_code_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/pytorch/pytorch/issues/167244: the log lists what it has code for"""
    install(site, "torch", "2.7.0.dev20250310+cu124", torch_files("2.7.0.dev20250310+cu124", cuda="'12.4'"))
    found = next(each for each in bad(site, capsys, NO_KERNEL) if each["rule"] == "TL208")
    assert "only for sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90" in found["message"]
    assert "/whl/cu128 torch==2.7.0+cu128" in found["remedy"]["commands"][0]["line"]


def test_a_driver_of_a_program_without_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/slackr31337/wyoming-whisper-gpu/issues/12"""
    line = "RuntimeError: CUDA failed with error CUDA driver version is insufficient for CUDA runtime version"
    first = bad(site, capsys, line)[0]
    assert first["rule"] == "TL202"
    assert "no NVIDIA driver, or one that is older" in first["message"]


@pytest.mark.parametrize("place", ["", "Looks like your LD_LIBRARY_PATH contains incompatible version of cudnn"])
def test_a_cudnn_that_comes_first(place: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/gladiaio/gladia/issues/928"""
    line = (
        "RuntimeError: cuDNN version incompatibility: PyTorch was compiled  against (8, 5, 0) but found runtime "
    )
    first = bad(site, capsys, f"{line}version (8, 4, 1). {place}")[0]
    assert first["rule"] == "TL616"
    assert "against cuDNN 8.5.0, and cuDNN 8.4.1 is loaded" in first["message"]
    assert ("LD_LIBRARY_PATH" in first["message"]) is bool(place)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_numpy_that_was_replaced(is_own: bool, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/sdatkinson/neural-amp-modeler/issues/543"""
    install(site, "numpy", "2.0.2", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.0.2'\n"})
    module = "numpy/random/mtrand.pyx in init numpy.random.mtrand()" if is_own else "demo/_x.pyx in init demo._x()"
    line = "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, "
    log = write(site.parent / "log", f"{module}\n\n{line}got 88 from PyObject\n")
    found = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)["files"][0]["findings"]
    first = next(each for each in found if each["severity"] != "note")
    assert first["rule"] == "TL106"
    assert ("Restart" in first["remedy"]["summary"]) is is_own
