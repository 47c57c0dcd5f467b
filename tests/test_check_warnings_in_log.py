"""Warnings that Python prints after the path and the line of a file: the rest of the line is what failed."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import install
from torchlock.check.log import read_log

SITE = "/home/u/venv/lib/python3.9/site-packages"
NUMPY = (
    "UserWarning: Failed to initialize NumPy: module compiled against API version 0xf but this version of numpy "
    "is 0xe (Triggered internally at ../torch/csrc/utils/tensor_numpy.cpp:77.)"
)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (f"{SITE}/torchaudio/compliance/kaldi.py:22: {NUMPY}", "TL105"),
        (
            f"{SITE}/torchvision/io/image.py:13: UserWarning: Failed to load image Python extension: "
            f"'{SITE}/torchvision/image.so: undefined symbol: _ZN3c1017RegisterOperatorsD1Ev'",
            "TL611",
        ),
        (
            f"{SITE}/torchaudio/backend/utils.py:53: UserWarning: No audio backend is available.",
            "TL306",
        ),
        (
            f"{SITE}/torch/cuda/__init__.py:107: UserWarning: CUDA initialization: The NVIDIA driver on your "
            "system is too old (found version 10010).",
            "TL202",
        ),
        ("~/app/main.py:7: ModuleNotFoundError: No module named 'torchaudio'", "TL615"),
    ],
)
def test_a_message_after_a_path(line: str, rule: str) -> None:
    """Such a line is no head of IPython, after which the numbered lines are source."""
    log = read_log(f"{line}\n  warnings.warn(\n")
    assert log.first is not None and rule in log.first.rules


@pytest.mark.parametrize(
    "head",
    [
        f"File {SITE}/torchaudio/__init__.py:1, in <module>",
        f"File {SITE}/torchaudio/__init__.py:1",
        f"{SITE}/torchaudio/__init__.py in <module>",
        f"{SITE}/torchaudio/__init__.py:1 in <module>",
        "~/app/main.py:1: in main",
    ],
)
def test_source_under_a_head_is_no_failure(head: str) -> None:
    log = read_log(f"{head}\n----> 1 raise OSError('libsox.so: cannot open shared object file')\n")
    assert log.first is None


@pytest.mark.sketched
@pytest.mark.parametrize("pinned", [True, False])
def test_a_numpy_older_than_that_of_torch(ground: Ground, pinned: bool) -> None:
    """https://github.com/coqui-ai/TTS/issues/2273: numpy 1.23.5 cures, although TTS pins another one."""
    site = ground.linux("3.9", machine="aarch64")
    ground.torch(site, "1.13.1", cuda="", made_for=[])
    install(site.path, "numpy", "1.21.6", {"numpy/__init__.py": "", "numpy/version.py": "version = '1.21.6'\n"})
    install(site.path, "numba", "0.56.4", headers="Requires-Dist: numpy<1.24,>=1.18\n")
    if pinned:
        install(site.path, "TTS", "0.10.1", headers="Requires-Dist: numpy==1.21.6; python_version < '3.10'\n")
    done = ground.check(site, log=f"{SITE}/torchaudio/compliance/kaldi.py:22: {NUMPY}\n")
    assert done.first.rule == "TL106"
    assert done.first.message.startswith("torch 1.13.1 (CPU build) is compiled for a later NumPy than 1.21.6")
    assert done.command == 'python -m pip install "numpy>=1.22,<1.24"'
    assert ("although tts requires numpy==1.21.6" in done.first.remedy) is pinned


def test_an_error_counts_more_than_a_warning_before_it() -> None:
    warning = f"{SITE}/torchaudio/backend/utils.py:53: UserWarning: No audio backend is available."
    log = read_log(f"{warning}\n  warnings.warn(\nOSError: libcudart.so.11.0: cannot open shared object file\n")
    assert log.first is not None and log.first.library == "libcudart.so.11.0"
