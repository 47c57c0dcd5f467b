"""Kinds of environments that were kept back from the rules, and what else fails in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.libraries import elf
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


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("module", "needed", "other", "part"),
    [
        ("mmcv", "mmcv-full", "mmcv", "mmcv._ext"),
        ("opencv_tools", "opencv-tools-contrib", "opencv-tools", "opencv_tools.aruco"),
        ("apex", "nvidia-apex", "apex", "apex.amp._lib"),
    ],
    ids=["weiyithu/SurroundOcc issue 56", "contrib", "deep"],
)
@pytest.mark.parametrize("is_recorded", [True, False], ids=["recorded", "in no record"])
def test_a_part_that_one_of_two_distributions_has(
    module: str, needed: str, other: str, part: str, is_recorded: bool, ground: Ground
) -> None:
    site = ground.linux(python="3.8")
    ground.wheel(site, "torchaudio==0.10.1+cu111")
    ground.torch(site, "1.10.1+cu111")
    lost = f"{part.replace('.', '/')}.cpython-38-x86_64-linux-gnu.so"
    own = {f"{module}/__init__.py": "__version__ = '1.4.0'\n", f"{module}/loader.py": "import importlib\n"}
    install(site.path, needed, "1.4.0", {**own, lost: elf()} if is_recorded else own)
    install(site.path, other, "2.0.1", {f"{module}/__init__.py": "v = 2\n", f"{module}/loader.py": "import os\n"})
    (site.path / lost).unlink(missing_ok=True)
    log = f"""\
  File "{site.path}/{module}/loader.py", line 13, in load_ext
    ext = importlib.import_module('{module}.' + name)
ModuleNotFoundError: No module named '{part}'
"""
    done = ground.check(site, log=log)
    found = [each for each in done.findings if each.rule == "TL620"]
    assert bool(found) is is_recorded
    if is_recorded:
        assert done.first is not None and done.first.rule == "TL620"
        assert f"only {needed} contains {part}" in found[0].because
        assert f"install --no-cache-dir {needed}==1.4.0" in done.command


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("project", "file", "module"),
    [
        ("k2", "k2/dense_fsa.py", "_k2"),
        ("kaldifeat", "kaldifeat/feature.py", "_kaldifeat"),
        ("pydecoders", "pydecoders/__init__.py", "_pydecoders_c"),
    ],
    ids=["k2-fsa/k2 issue 288", "kaldifeat", "another"],
)
def test_a_wheel_without_its_compiled_part(project: str, file: str, module: str, ground: Ground) -> None:
    site = ground.linux(python="3.7")
    ground.wheel(site, "torchaudio==0.6.0")
    ground.torch(site, "1.6.0+cu102", made_for=["torchaudio==0.6.0"])
    install(site.path, project, "0.0.6", {f"{project}/__init__.py": "", file: f"import {module}\n"})
    log = f"""\
  File "{site.path}/{file}", line 1, in <module>
    import {module}
ModuleNotFoundError: No module named '{module}'
"""
    done = ground.check(site, log=log)
    assert done.first.rule == "TL609"
    assert f"imports {module}, which is not installed: names like this" in done.first.message
    assert f"Install another build of {project} that contains {module}" in str(done.first.remedy)
    assert done.command == ""


@pytest.mark.sketched
def test_a_compiled_module_of_another_project(ground: Ground) -> None:
    site = ground.linux(python="3.7")
    ground.wheel(site, "torchaudio==0.6.0")
    ground.torch(site, "1.6.0+cu102", made_for=["torchaudio==0.6.0"])
    install(site.path, "pydecoders", "0.0.6", {"pydecoders/__init__.py": "import _cffi_backend\n"})
    log = f"""\
  File "{site.path}/pydecoders/__init__.py", line 1, in <module>
    import _cffi_backend
ModuleNotFoundError: No module named '_cffi_backend'
"""
    assert "another build of pydecoders" not in str([each.remedy for each in ground.check(site, log=log).findings])
