"""Environments of public threads about mixed and left packages, and working ones for other accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import dylib

if TYPE_CHECKING:
    from support.ground import Ground


@pytest.mark.sketched
def test_torchvision_of_an_earlier_torch(ground: Ground) -> None:
    """gitmylo/audio-webui issue 197."""
    site = ground.windows(python="3.10")
    ground.wheel(site, "torchaudio==2.1.0")
    ground.wheel(site, "torchvision==0.15.2")
    ground.torch(site, "2.1.0+cpu", made_for=["torchaudio==2.1.0", "torchvision==0.16.0"])
    done = ground.check(site)
    assert done.first.rule == "TL103"
    assert "torchvision 0.16.0 instead of 0.15.2" in done.first.remedy
    ground.cure(done)


@pytest.mark.sketched
def test_torchaudio_of_a_later_torch_that_names_a_library(ground: Ground) -> None:
    """TEAMuP-dev/audacitorch issue 9."""
    site = ground.linux(python="3.7", packages="dist-packages")
    ground.wheel(site, "torchaudio==0.10.0")
    ground.torch(site, "1.9.1+cu102", made_for=["torchaudio==0.9.1"])
    log = "OSError: libtorch_cuda_cpp.so: cannot open shared object file: No such file or directory\n"
    done = ground.check(site, log=log)
    assert (done.first.rule, done.command) == ("TL101", "python -m pip install torchaudio==0.9.1")
    ground.cure(done)


@pytest.mark.sketched
def test_a_library_of_the_homebrew_for_another_processor(ground: Ground) -> None:
    """librosa/librosa issue 1292."""
    site = ground.mac("Users/a/miniforge3/envs/TF", "3.8")
    write(site.path.parents[2] / "conda-meta/python-3.8.8-0.json", "{}")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.13.1")
    install(site.path, "SoundFile", "0.10.3.post1", {"soundfile.py": "__version__ = '0.10.3'\n"})
    write(site.root / "usr/local/lib/libsndfile.dylib", dylib("", machine="x86_64"))
    done = ground.check(site, root=True)
    assert done.first.rule == "TL608"
    assert "finds /usr/local/lib/libsndfile.dylib, which is for x86_64" in done.first.message
    assert done.command == 'python -m pip install "soundfile>=0.12.1"'
    ground.cure(done)


@pytest.mark.sketched
def test_a_folder_that_an_uninstallation_left(ground: Ground) -> None:
    site = ground.linux()
    ground.torch(site, "2.5.1+cu124", made_for=["torchaudio==2.5.1"])
    write(site.path / "torchaudio/__pycache__/__init__.cpython-311.pyc", bytes(20))
    done = ground.check(site, log="AttributeError: module 'torchaudio' has no attribute 'load'\n")
    assert done.first.message == "only a folder without __init__.py is left of torchaudio"
    ground.cure(done)


@pytest.mark.sketched
def test_wheels_for_glibc_in_an_image_with_musl(ground: Ground) -> None:
    site = ground.linux()
    write(site.root / "etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n")
    write(site.root / "lib/ld-musl-x86_64.so.1", elf("libc.musl-x86_64.so.1"))
    ground.torch(site, "2.5.1+cpu", made_for=[], needs={"libc10.so": ["libc.so.6"]})
    done = ground.check(site, root=True)
    assert done.first.message == "torch 2.5.1 (CPU build) was built for glibc, and this machine has musl"
    assert not done.command


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "label", "hip"), [("2.9.1+rocm6.4", "rocm6.4", "6.4.43484"), ("2.8.0+xpu", "xpu", "")]
)
def test_working_builds_for_other_accelerators(ground: Ground, torch: str, label: str, hip: str) -> None:
    public = torch.partition("+")[0]
    site = ground.linux(python="3.12")
    ground.wheel(site, f"torchaudio=={public}+cpu")
    ground.relabel(site, "torchaudio", f"{public}+{label}")
    ground.torch(site, torch, made_for=[f"torchaudio=={public}"], cuda="", hip=hip)
    assert not ground.check(site).bad
