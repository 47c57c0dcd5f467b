"""Failures of public threads of 2026: each shows a kind of evidence that was read wrongly, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.site_folder import install, write
from torchlock.knowledge.registry import meanings

if TYPE_CHECKING:
    from support.ground import Ground

UV = """\
  x No solution found when resolving dependencies:
  `-> Because there is no version of torchaudio==2.11.0 and vllm==0.27.1 depends on torchaudio==2.11.0, we can
      conclude that vllm==0.27.1 cannot be used.

      hint: `torchaudio` was found on https://download.pytorch.org/whl/cu132, but not at the requested
      version (torchaudio==2.11.0). A compatible version may be available on a subsequent index.
"""
NUMBA = """\
  File "/usr/local/lib/python3.11/dist-packages/nemo/core/utils/cuda_python_utils.py", line 19, in <module>
    from numba.cuda.utils import redirect_numba_module
ImportError: cannot import name 'redirect_numba_module' from 'numba.cuda.utils' \
(/usr/local/lib/python3.11/dist-packages/numba_cuda/numba/cuda/utils.py)
"""
NPP = "OSError: libnppicc.so.12: cannot open shared object file: No such file or directory\n"
TOKEN = "TypeError: hf_hub_download() got an unexpected keyword argument 'use_auth_token'\n"
DECODING = "ImportError: To support decoding audio data, please install 'torchcodec'.\n"
XPU = "AssertionError: Torch not compiled with XPU enabled\n"


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("log", "rule", "message", "remedy"),
    [
        (UV, "TL205", "whl/cu132 does not have torchaudio 2.11.0", "whl/cu130"),
        (NUMBA, "TL710", "which is new in numba-cuda 0.21", "Install numba-cuda>=0.21"),
        (NPP, "TL610", "libnppicc.so.12, a library of NPP", "python -m pip install nvidia-npp-cu12"),
    ],
    ids=["the first index of uv", "a module of another project", "a library of NPP"],
)  # fmt: skip
def test_what_a_log_alone_shows(ground: Ground, log: str, rule: str, message: str, remedy: str) -> None:
    """pytorch/pytorch issue 193651; NVIDIA-NeMo/Speech issue 15331; RVC-Boss/GPT-SoVITS issue 2779."""
    site = ground.linux()
    install(site.path, "pip", "24.0", {"pip/__init__.py": ""})
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == rule
    assert message in done.first.message
    assert remedy in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("log", "rule", "message", "command"),
    [
        (TOKEN, "TL709", "huggingface-hub 1.0 no longer takes", '"huggingface-hub<1"'),
        (DECODING, "TL609", "did not find it", "torchcodec==0.7"),
        (XPU, "TL236", "a build without XPU", ""),
    ],
)
def test_a_line_that_proves_it_here_too(ground: Ground, log: str, rule: str, message: str, command: str) -> None:
    """debpalash/VoiceStudio issue 167; huggingface/datasets issue 7707; vladmandic/sdnext issue 4357."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.8.0+cu128")
    write(site.path / "huggingface_hub-1.7.2.dist-info" / "METADATA", "Name: huggingface-hub\nVersion: 1.7.2\n")
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == rule
    assert message in done.first.message
    assert "does not show it" not in done.text
    assert command in done.command


@pytest.mark.sketched
def test_an_import_of_torchcodec_that_surely_ends_is_an_error(ground: Ground) -> None:
    """pytorch/pytorch's torchcodec issue 912: the exit code was 0."""
    site = ground.windows()
    ground.wheel(site, "torchcodec==0.8.0")
    ground.torch(site, "2.8.0+cpu", made_for=[])
    done = ground.check(site, platform="windows-amd64")
    assert (done.first.rule, done.first.severity, done.code) == ("TL102", "error", 1)
    assert done.command.endswith("torchcodec==0.7.0")


@pytest.mark.sketched
@pytest.mark.parametrize("torch", ["2.8.0+cpu"])
def test_a_missing_ffmpeg_is_no_error(ground: Ground, torch: str) -> None:
    site = ground.linux()
    ground.wheel(site, "torchcodec==0.7.0")
    ground.torch(site, torch, made_for=["torchcodec==0.7.0"])
    ground.image()
    done = ground.check(site, root=True, platform="linux-x86_64")
    assert done.code == 0


def test_each_failure_that_is_not_ours_says_how_it_is_known() -> None:
    mine = [each for each in meanings() if each.rule == "TL229"]
    assert len(mine) > 10
    assert len({each.because for each in mine}) == len(mine)


@pytest.mark.sketched
def test_a_nightly_torch_gets_the_torchcodec_of_a_night(ground: Ground) -> None:
    """The remedy for a missing torchcodec installed torch and torchaudio, and no torchcodec."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.9.0")
    ground.torch(site, "2.10.0.dev20251214+cu128", made_for=["torchaudio==2.9.0"])
    log = "ImportError: TorchCodec is required for load_with_torchcodec. Please install torchcodec to use it.\n"
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert done.first.rule == "TL305"
    assert "torchcodec of one night from https://download.pytorch.org/whl/nightly/cu128" in done.first.remedy
    assert not done.command or "torchcodec==" in done.command
