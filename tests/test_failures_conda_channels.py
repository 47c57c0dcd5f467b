"""Failures of a companion beside a torch of conda: the remedy names releases that the channels have."""

from __future__ import annotations

import pytest

from support.ground import Ground
from support.site_folder import write
from support.skeletons import Site

FORGE_CPU = "pytorch-1.12.1-cpu_py39hf1faf6a_1"


def by_conda(site: Site, name: str, record: str) -> None:
    """Let conda have installed a package."""
    (info,) = site.path.glob(f"{name}-*.dist-info")
    write(info / "INSTALLER", "conda")
    write(site.path.parents[2] / "conda-meta" / f"{record}.json", "{}")
    write(site.path.parents[2] / "conda-meta" / "history", "")


def mixed(ground: Ground, torch: str, torchaudio: str, python: str = "3.9") -> Site:
    """A CPU build of torch and a torchaudio for another release of it."""
    site = ground.linux(python, prefix="opt/conda")
    ground.wheel(site, f"torchaudio=={torchaudio}")
    ground.torch(site, torch, made_for=[])
    return site


@pytest.mark.sketched
def test_a_release_that_conda_forge_never_had(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/91186"""
    site = mixed(ground, "1.12.1+cpu", "0.13.1")
    by_conda(site, "torch", FORGE_CPU)
    by_conda(site, "torchaudio", "torchaudio-0.13.1-py39_cu116")
    done = ground.check(site, root=True)
    assert done.first.rule == "TL101"
    assert "conda-forge has no torchaudio 0.12.1" in done.first.remedy
    assert done.command == (
        "conda install -y -p /opt/conda -c pytorch pytorch::pytorch=1.12.1 pytorch::torchaudio=0.12.1 cpuonly"
    )


@pytest.mark.sketched
def test_a_torch_of_the_channel_pytorch(ground: Ground) -> None:
    """Its companion is of that channel, not of conda-forge."""
    site = mixed(ground, "2.4.1+cpu", "2.5.1")
    by_conda(site, "torch", "pytorch-2.4.1-py3.9_cpu_0")
    by_conda(site, "torchaudio", "torchaudio-2.5.1-py39_cpu")
    done = ground.check(site, root=True)
    assert done.command.endswith("conda install -y -p /opt/conda -c pytorch pytorch::torchaudio=2.4.1")


@pytest.mark.sketched
def test_a_companion_of_which_the_releases_are_unknown(ground: Ground) -> None:
    """No table has the releases of torchvision on conda-forge: there are words, and no command."""
    site = mixed(ground, "2.6.0+cpu", "2.6.0")
    ground.wheel(site, "torchvision==0.20.1")
    by_conda(site, "torch", "pytorch-2.6.0-cpu_generic_py39hf1faf6a_1")
    by_conda(site, "torchaudio", "torchaudio-2.6.0-cpu_py39hf1faf6a_1")
    by_conda(site, "torchvision", "torchvision-0.20.1-cpu_py39hf1faf6a_1")
    done = ground.check(site, root=True)
    vision = next(each for each in done.bad if "torchvision 0.20.1" in each.message)
    assert "it is not known whether that channel has this release" in vision.remedy
    assert not vision.commands
