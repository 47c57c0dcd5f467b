"""torch with a package for the accelerator of another vendor: never called a plain CPU build, never replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.site_folder import install
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import backends

if TYPE_CHECKING:
    from support.ground import Checked, Ground


def staged(ground: Ground, torch: str, backend: str, companion: str = "torchaudio==2.5.0") -> Checked:
    """A torch without CUDA beside a wheel of torchaudio for CUDA, and the package of a vendor."""
    site = ground.linux()
    ground.wheel(site, companion)
    ground.torch(site, torch, cuda="")
    install(site.path, backend, "2.5.0", {f"{backend.replace('-', '_')}/__init__.py": ""})
    return ground.check(site, platform="linux-x86_64")


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("backend", "words"), [("torch-musa", "Moore Threads GPUs"), ("habana-torch-plugin", "Intel Gaudi")]
)
def test_the_build_of_a_vendor_stays(ground: Ground, backend: str, words: str) -> None:
    done = staged(ground, "2.5.0", backend)
    assert "CPU build" not in done.text + done.first.message + done.first.because + done.first.remedy
    assert done.first.because == f"torchaudio was built for CUDA 12.4, and this torch (2.5.0) for {words}"
    assert "from where torch 2.5.0 came" in done.first.remedy
    assert done.command.endswith("git+https://github.com/pytorch/audio@v2.5.0")


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("torch-npu", "CPU build, with torch-npu for Ascend NPUs"),
        ("torch-mlu", "CPU build, with torch-mlu for Cambricon MLUs"),
        ("intel-extension-for-pytorch", "CPU build, with intel-extension-for-pytorch for Intel GPUs and CPUs"),
    ],
)
def test_a_plugin_of_a_cpu_build_is_named(ground: Ground, backend: str, words: str) -> None:
    done = staged(ground, "2.5.0+cpu", backend)
    assert done.first.rule == "TL201"
    assert "torchaudio==2.5.0+cpu" in done.command and " torch==" not in done.command
    ground.cure(done)
    assert words in ground.check(done.site, platform="linux-x86_64").text


def test_each_backend_has_a_source() -> None:
    matrix = Matrix()
    for each in backends().values():
        assert all(matrix.source(name).address.startswith("https://") for name in each.sources)
