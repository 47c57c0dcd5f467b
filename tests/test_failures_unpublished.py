"""Builds that no index has: numbered by conda-forge, made by NVIDIA for a Jetson, compiled by somebody."""

from __future__ import annotations

import json

import pytest

from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import MACHINES, Site, Uses

OLD, NEW = (
    f"_ZN5torch3jit17parseSchemaOrNameERK{strings}"
    for strings in ("Ss", "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE")
)
XFORMERS = """\
WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:
    PyTorch 2.8.0 with CUDA 1209 (you have 2.8.0)
    Python  3.12.3 (you have 3.10.12)
"""


def of_conda(ground: Ground, audio: str) -> Site:
    """pytorch 2.4.1 as conda-forge numbers it, and a wheel of torchaudio."""
    site = ground.linux("3.10", prefix="home/m/tts/env")
    channel = "https://conda.anaconda.org/conda-forge/linux-64"
    rows = [("python", "3.10.14", "h955ad1f_1"), ("pytorch", "2.4.1", "cpu_generic_py310h1_0")]
    for name, version, build in rows:
        record = {"name": name, "version": version, "build": build, "channel": channel}
        write(site.path.parents[2] / f"conda-meta/{name}-{version}-{build}.json", json.dumps(record))
    ground.wheel(site, audio)
    ground.torch(site, "2.4.1.post3", made_for=["torchaudio==2.4.1+cpu"], cuda="")
    (site.path / "torch-2.4.1.post3.dist-info/INSTALLER").write_text("conda\n")
    ground.image()
    return site


@pytest.mark.sketched
def test_a_numbered_build_is_judged_by_its_files(ground: Ground) -> None:
    """https://github.com/rsxdalv/TTS-WebUI/issues/407: no rule of the public index is about this torch."""
    done = ground.check(of_conda(ground, "torchaudio==2.3.1+cpu"), root=True)
    assert done.first.rule == "TL611"
    assert "torch 2.4.1.post3 (CPU build) is of conda, which is another build" in done.first.message
    assert "-c conda-forge torchaudio=2.4.1" in done.command


@pytest.mark.sketched
def test_a_numbered_build_whose_symbols_are_all_there(ground: Ground) -> None:
    done = ground.check(of_conda(ground, "torchaudio==2.4.1+cpu"), root=True)
    assert done.bad == []


@pytest.mark.sketched
def test_a_torchaudio_with_other_strings_beside_the_torch_of_a_jetson(ground: Ground) -> None:
    """https://github.com/KumaTea/pytorch-aarch64/issues/5"""
    site = ground.linux("3.6", "dist-packages", machine="aarch64")
    ground.torch(site, "1.8.0", cuda="10.2", made_for=[], uses=Uses({"libtorch_cpu.so": {NEW}}, set()))
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "from . import extension\n",
        "torchaudio/version.py": "__version__ = '0.8.0'\n",
        "torchaudio/extension/__init__.py": "",
        "torchaudio/_torchaudio.so": elf("", ["libtorch_cpu.so"], [], [OLD], machine=MACHINES["aarch64"]),
    }
    headers = "Requires-Dist: torch==1.8.0\n"
    install(site.path, "torchaudio", "0.8.0", files, headers=headers, tag="cp36-cp36m-linux_aarch64")
    ground.image(machine="aarch64", system="ubuntu-18.04")
    done = ground.check(site, root=True)
    assert "was compiled with the old C++ string ABI" in done.first.message
    assert "git+https://github.com/pytorch/audio@v0.8.0" in done.command


@pytest.mark.sketched
@pytest.mark.parametrize("there", ["libcudart.so.10.2", "libcudart.so.11.0"])
def test_a_torch_for_another_jetpack(ground: Ground, there: str) -> None:
    """https://github.com/dusty-nv/jetson-inference/issues/559: the names of CUDA 10 have its minor version."""
    site = ground.linux("3.6", "dist-packages", machine="aarch64")
    ground.torch(site, "1.4.0", cuda="10.0", made_for=[], nvidia=False)
    needs = elf("libtorch_cuda.so", ["libcudart.so.10.0"], runpath="$ORIGIN", machine=MACHINES["aarch64"])
    write(site.path / "torch/lib/libtorch_cuda.so", needs)
    ground.unrecord(site, "torch/.*")
    folder = "usr/local/cuda-10.2/lib64"
    ground.image(there, machine="aarch64", system="ubuntu-18.04", folder=folder)
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert "Install the torch that NVIDIA built for the JetPack of this machine" in done.first.remedy
    assert there in done.first.remedy


def with_xformers(ground: Ground) -> Site:
    site = ground.linux("3.10", "dist-packages", machine="aarch64")
    ground.torch(site, "2.8.0", cuda="12.6", made_for=[], nvidia=False)
    own = '{"version": {"cuda": 1209, "torch": "2.8.0", "python": "3.12.3"}}'
    module = elf("", ["libc10.so"], machine=MACHINES["aarch64"])
    files: dict[str, bytes | str] = {
        "xformers/__init__.py": "",
        "xformers/cpp_lib.json": own,
        "xformers/_C.so": module,
    }
    install(site.path, "xformers", "0.0.33", files, headers="Requires-Dist: torch\n")
    root = ground.image("libcudart.so.12", machine="aarch64", folder="usr/local/cuda/lib64")
    write(root / "etc/ld.so.conf", "/usr/local/cuda/lib64\n")
    return site


@pytest.mark.sketched
@pytest.mark.triggers("TL611")
def test_an_xformers_for_another_build_of_the_same_torch(ground: Ground) -> None:
    """https://github.com/dusty-nv/jetson-inference/issues/1946"""
    done = ground.check(with_xformers(ground), root=True, log=XFORMERS)
    assert (done.first.rule, done.first.severity) == ("TL611", "warning")
    assert "it was built for torch 2.8.0, CUDA 12.9, Python 3.12" in done.first.message
    assert "compile it against this torch" in done.first.remedy
    assert not done.commands


@pytest.mark.sketched
def test_an_xformers_without_a_log_is_not_blamed(ground: Ground) -> None:
    assert ground.check(with_xformers(ground), root=True).bad == []
