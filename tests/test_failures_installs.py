"""Installations that found no file: of a label, of a page, of a release, of a source; and what exists instead."""

from __future__ import annotations

import pytest

from support.ground import Checked, Ground
from support.site_folder import install
from support.skeletons import Site

PAGE = "https://download.pytorch.org/whl"


def no_match(requirement: str, versions: str = "none") -> str:
    return (
        f"ERROR: Could not find a version that satisfies the requirement {requirement} (from "
        f"versions: {versions})\n"
        f"ERROR: No matching distribution found for {requirement.partition(' ')[0]}\n"
    )


def checked(ground: Ground, site: Site, log: str) -> Checked:
    """Check an environment that has pip only."""
    install(site.path, "pip", "24.0")
    return ground.check(site, log=log, platform=site.platform)


@pytest.mark.sketched
def test_a_build_without_a_wheel_for_this_machine(ground: Ground) -> None:
    """torch 2.1.2+cu118 is there for x86_64 only; for aarch64, the page has other wheels or none."""
    site = ground.linux("3.10", machine="aarch64")
    done = checked(ground, site, f"Looking in indexes: {PAGE}/cu118\n{no_match('torch==2.1.2+cu118')}")
    assert done.first.rule == "TL212"
    assert "torch==2.1.2+cu118 has no wheel for Linux (aarch64)" in done.first.message
    assert done.command == "python -m pip install torch==2.1.2"
    ground.cure(done)


@pytest.mark.sketched
def test_a_label_for_a_mac_of_which_the_release_has_no_wheel_either(ground: Ground) -> None:
    site = ground.mac(python="3.12")
    done = checked(ground, site, no_match("torch==2.1.2+cpu"))
    assert done.first.rule == "TL212"
    assert "the label +cpu does not exist for macOS" in done.first.message
    assert done.command == "python -m pip install torch==2.2.0"
    ground.cure(done)


@pytest.mark.sketched
def test_the_page_of_a_build_that_this_release_never_had(ground: Ground) -> None:
    site = ground.linux("3.11")
    log = f"Looking in indexes: {PAGE}/cu121\n{no_match('torch==2.7.1', '2.5.0+cu121, 2.5.1+cu121')}"
    done = checked(ground, site, log)
    assert done.first.rule == "TL205"
    assert done.first.message == f"the page {PAGE}/cu121 does not have torch 2.7.1"
    assert done.command == f"python -m pip install --index-url {PAGE}/cu126 torch==2.7.1+cu126"
    ground.cure(done)


@pytest.mark.sketched
def test_a_page_of_a_cuda_that_no_build_is_for(ground: Ground) -> None:
    site = ground.linux("3.11")
    log = f"Looking in indexes: {PAGE}/cu127\n{no_match('torchaudio==2.5.1')}"
    done = checked(ground, site, log)
    assert done.first.rule == "TL205"
    assert "has no page cu127" in done.first.message
    assert done.command == f"python -m pip install --index-url {PAGE}/cu124 torchaudio==2.5.1+cu124"


@pytest.mark.sketched
def test_what_else_the_command_asked_for_is_a_second_step(ground: Ground) -> None:
    site = ground.linux("3.10")
    log = f"pip install torch==2.1.2+cu118 librosa\n{no_match('torch==2.1.2+cu118', '2.1.0, 2.1.1, 2.1.2')}"
    done = checked(ground, site, log)
    assert done.first.rule == "TL507"
    assert done.command == (
        f"python -m pip install --index-url {PAGE}/cu118 torch==2.1.2+cu118 && python -m pip install librosa"
    )


@pytest.mark.sketched
def test_a_release_that_never_was(ground: Ground) -> None:
    site = ground.linux("3.11")
    done = checked(ground, site, no_match("torchaudio==2.3.2", "2.3.0, 2.3.1, 2.4.0"))
    assert done.first.rule == "TL502"
    assert done.first.message == "torchaudio 2.3.2 was never published"
    assert done.command == "python -m pip install torchaudio==2.4.0"


@pytest.mark.sketched
@pytest.mark.parametrize(("version", "command"), [("0.8.0a0+a751e1d", ""), ("2.5.1a0+1661daf", "2.5.1")])
def test_the_version_of_somebodys_build_from_source(version: str, command: str, ground: Ground) -> None:
    site = ground.linux("3.11")
    done = checked(ground, site, no_match(f"torchaudio=={version}", "2.3.0, 2.3.1, 2.4.0"))
    assert done.first.rule == "TL502"
    assert "is a build from source, of commit" in done.first.message
    assert done.command == (f"python -m pip install torchaudio=={command}" if command else "")


@pytest.mark.sketched
def test_a_range_without_a_wheel_for_this_python(ground: Ground) -> None:
    site = ground.linux("3.13")
    done = checked(ground, site, no_match("torch<2.0", "2.5.0, 2.5.1, 2.6.0"))
    assert done.first.rule == "TL403"
    assert "no release of torch<2.0 has a wheel for Python 3.13" in done.first.message
    assert done.command.startswith("python3.11 -m venv .venv && .venv/bin/python -m pip install torch==1.13.1")


@pytest.mark.sketched
def test_a_wheel_that_was_named_by_its_file(ground: Ground) -> None:
    site = ground.linux("3.11")
    log = "ERROR: torch-2.0.1-cp310-cp310-win_amd64.whl is not a supported wheel on this platform.\n"
    done = checked(ground, site, log)
    assert done.first.rule == "TL403"
    assert "its tags are cp310-cp310-win_amd64" in done.first.message
    assert done.command == "python -m pip install torch==2.0.1"
    ground.cure(done)


@pytest.mark.sketched
def test_a_companion_for_a_torch_that_is_there(ground: Ground) -> None:
    """torchcodec 0.11 is the first one with wheels for this machine; its torch comes with it."""
    site = ground.linux("3.12", machine="aarch64")
    ground.torch(site, "2.10.0", made_for=[], cuda="")
    install(site.path, "pip", "24.0")
    done = ground.check(site, log=no_match("torchcodec==0.7.0", "0.11.0, 0.11.1"))
    assert done.first.rule == "TL403"
    assert "torchcodec 0.7.0 has no wheel for Linux (aarch64)" in done.first.message
    assert " torch==2." in done.command and " torchcodec==0." in done.command
