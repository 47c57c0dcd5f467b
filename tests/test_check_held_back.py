"""Kinds of environments that were kept back from the rules, and what else fails in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.site_folder import install

if TYPE_CHECKING:
    from support.ground import Checked, Ground
    from support.skeletons import Site

TAKES = "import sys\nif {condition}:\n    import os\n    import pkg_resources\n"


def rules(done: Checked) -> list[str]:
    return [each.rule for each in done.findings if each.severity != "note"]


def windows(ground: Ground, name: str, source: str, setuptools: str = "82.0.0") -> Site:
    site = ground.windows(python="3.11")
    ground.wheel(site, "torchaudio==2.8.0+cu128")
    ground.torch(site, "2.8.0+cu128")
    install(site.path, name, "4.6.0", {f"{name}/__init__.py": source}, headers="Requires-Dist: torch\n")
    if setuptools:
        extra = {"pkg_resources/__init__.py": ""} if setuptools < "82" else {}
        install(site.path, "setuptools", setuptools, {"setuptools/__init__.py": "", **extra})
    return site


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("ctranslate2", 'sys.platform == "win32"'),
        ("faster_whisper", 'os.name == "nt"'),
        ("pydub", 'sys.platform.startswith("win")'),
        ("pyannote_audio", 'not (platform.system() != "Windows")'),
        ("ctranslate2", 'sys.platform in ("cygwin", "win32") or TYPE_CHECKING'),
    ],
    ids=["debpalash/VoiceStudio issue 116", "os.name", "startswith", "not", "or"],
)
def test_an_import_on_windows_only(name: str, condition: str, ground: Ground) -> None:
    done = ground.check(windows(ground, name, TAKES.format(condition=condition)))
    assert done.first.rule == "TL107"
    assert "takes pkg_resources, which the installed setuptools does not have" in done.first.message
    assert done.command.endswith('install "setuptools<82"')


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("source", "setuptools"),
    [
        (TAKES.format(condition='sys.platform == "darwin"'), "82.0.0"),
        (TAKES.format(condition='os.name != "nt"'), "82.0.0"),
        (TAKES.format(condition='sys.platform == "win32" and wanted()'), "82.0.0"),
        ("try:\n    import pkg_resources\nexcept ImportError:\n    pass\n", "82.0.0"),
        (TAKES.format(condition='sys.platform == "win32"'), "81.0.0"),
    ],
    ids=["macOS", "not Windows", "unknown", "try", "setuptools 81"],
)
def test_an_import_that_does_not_run_or_does_not_fail(source: str, setuptools: str, ground: Ground) -> None:
    assert rules(ground.check(windows(ground, "ctranslate2", source, setuptools))) == []


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("import torchaudio as ta\n\ndef save(wav, path):\n    ta.save(path, wav, 44100)\n", "torchaudio.save"),
        ("import torchaudio\n\ndef read(path):\n    return torchaudio.load(path)\n", "torchaudio.load"),
        ("from torchaudio import load\n", "torchaudio.load"),
        ("import torchaudio\n\nREAD = torchaudio.load\n", "torchaudio.load"),
        ("import torchaudio\n\ntry:\n    read = torchaudio.load\nexcept Exception:\n    read = None\n", ""),
        ("import torchaudio\n\nWORDS = 'torchaudio.load'\nresample = torchaudio.functional.resample\n", ""),
    ],
    ids=["byrongamatos/slopsmith issue 203", "load", "from", "name", "try", "text"],
)
def test_a_package_that_loads_or_saves_without_torchcodec(source: str, call: str, ground: Ground) -> None:
    site = ground.windows(python="3.12")
    ground.wheel(site, "torchaudio==2.11.0")
    ground.torch(site, "2.11.0+cpu", made_for=["torchaudio==2.11.0"])
    files = {"demucs/__init__.py": "", "demucs/audio.py": source}
    install(site.path, "demucs", "4.0.1", files, headers="Requires-Dist: torchaudio>=0.8\n")
    done = ground.check(site)
    found = next(each for each in done.findings if each.rule == "TL305")
    assert found.severity == ("warning" if call else "note")
    assert f"demucs 4.0.1 calls {call} in line" in found.because if call else "demucs" not in found.because
    assert ("install torchcodec==" in done.command) is bool(call)


@pytest.mark.sketched
def test_builds_of_two_accelerators_that_load(ground: Ground) -> None:
    """pyannote/pyannote-audio issue 1029: the labels differ, and nothing shows that this pair fails."""
    site = ground.linux(python="3.8")
    ground.wheel(site, "torchaudio==0.10.1+rocm4.1")
    ground.torch(site, "1.10.1+cu111", made_for=["torchaudio==0.10.1"])
    done = ground.check(site)
    assert rules(done) == []
    found = next(each for each in done.findings if each.rule == "TL203")
    assert (found.severity, "so that it loads" in found.because) == ("note", True)
