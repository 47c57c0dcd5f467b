"""The stage for failures: environments of real wheels, and commands that mend them."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground


@pytest.mark.sketched
def test_an_environment_that_loads_is_clean(ground: Ground) -> None:
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu124")
    ground.image(*ffmpeg(6))
    assert ground.check(site).bad == []


@pytest.mark.sketched
def test_a_command_is_applied_to_the_tree(ground: Ground) -> None:
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.4.1")
    ground.torch(site, "2.5.1+cu124", made_for=["torchaudio==2.5.1"])
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert (done.first.rule, done.first.severity) == ("TL101", "error")
    assert "torchaudio==2.5.1" in done.command
    ground.cure(done)
    assert ground.version(site, "torchaudio").startswith("2.5.1")


@pytest.mark.sketched
def test_the_page_of_a_build_is_used(ground: Ground) -> None:
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.4.1+cu121")
    ground.torch(site, "2.5.1+cu121")
    ground.image(*ffmpeg(6))
    done = ground.check(site)
    assert "https://download.pytorch.org/whl/cu121" in done.command
    ground.cure(done)
    assert ground.version(site, "torchaudio") == "2.5.1+cu121"


@pytest.mark.sketched
def test_packages_of_the_system_are_installed(ground: Ground) -> None:
    site = ground.linux("3.11")
    ground.wheel(site, "torchcodec==0.7.0")
    ground.torch(site, "2.8.0+cu128")
    ground.image()
    done = ground.check(site)
    assert done.first.rule == "TL304"
    ground.cure(done)


@pytest.mark.sketched
def test_a_command_that_is_not_known_fails(ground: Ground) -> None:
    from support.appliers import Shell

    with pytest.raises(AssertionError, match="how is this done"):
        Shell(ground, ground.linux()).run("make me a sandwich")


@pytest.mark.sketched
def test_a_mac(ground: Ground) -> None:
    site = ground.mac()
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1")
    done = ground.check(
        site, root=True, log="RuntimeError: Couldn't find appropriate backend to handle uri a.wav\n"
    )
    assert (done.first.rule, done.command) == ("TL306", "python -m pip install soundfile")
    ground.cure(done)


@pytest.mark.sketched
def test_a_windows_machine(ground: Ground) -> None:
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu124")
    assert ground.check(site).bad == []
