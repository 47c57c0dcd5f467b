"""Failures of public threads that no test had: who replaced a module, whose a module is, and macOS symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.site_folder import install
from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from support.ground import Ground
    from torchlock.finding import Finding

SITE = "/home/k/venv/lib/python3.11/site-packages"
SINGLE = "ModuleNotFoundError: No module named '{0}.{1}'; '{0}' is not a package\n"


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


@pytest.mark.parametrize(
    ("module", "part", "rule", "releases"),
    [
        ("torchaudio.backend", "common", "TL701", "torchaudio 0.6 to 2.8"),
        ("torchaudio.sox_effects", "sox_effects", "TL701", "torchaudio 0.6 to 2.8"),
        ("torchvision.transforms", "functional_tensor", "TL705", "torchvision 0.5 to 0.16"),
    ],
)
def test_a_module_that_a_program_put_in_place_of_a_package(
    module: str, part: str, rule: str, releases: str
) -> None:
    """dubr1k/GigaAMGUI issue 25."""
    finding = judged(f"Reason: {SINGLE.format(module, part)}")[0]
    assert finding.rule == rule
    assert f"put a module of its own instead of {module}" in finding.message
    assert releases in finding.because
    assert finding.remedy is not None
    assert f"sys.modules['{module}']" in finding.remedy.summary


@pytest.mark.parametrize("package", ["torch", "torchaudio", "torchvision"])
def test_a_single_module_in_place_of_a_whole_package(package: str) -> None:
    finding = judged(SINGLE.format(package, "transforms"))[0]
    assert finding.rule == "TL606"
    assert finding.remedy is not None
    assert f"Rename the file {package}.py" in finding.remedy.summary


@pytest.mark.parametrize(("module", "part"), [("soundfile", "info"), ("torch.hub", "list"), ("mine", "part")])
def test_what_is_a_single_module_in_every_release_is_no_replacement(module: str, part: str) -> None:
    found = judged(SINGLE.format(module, part))
    assert not any("instead of" in each.message for each in found)


PERTH = """\
    self.watermarker = perth.PerthImplicitWatermarker()
                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
AttributeError: module 'perth' has no attribute 'PerthImplicitWatermarker'
"""
DAC = """\
  File "/home/k/codec/encode.py", line 4, in <module>
    from dac.model import DAC
ModuleNotFoundError: No module named 'dac.model'
"""
MATCHA = f"""\
  File "/home/k/cosy/flow.py", line 9, in <module>
    from matcha.hifigan import models
ImportError: cannot import name 'hifigan' from 'matcha' ({SITE}/matcha/__init__.py)
"""


@pytest.mark.parametrize(
    ("log", "wrong", "wanted"),
    [
        (PERTH, "perth", "resemble-perth"),
        (DAC, "dac", "descript-audio-codec"),
        (MATCHA, "matcha", "matcha-tts"),
    ],
    ids=["an attribute", "a module", "a name"],
)
def test_a_project_with_the_module_of_another_one(log: str, wrong: str, wanted: str) -> None:
    """neuphonic/neutts issue 10."""
    finding = judged(log)[0]
    assert finding.rule == "TL532"
    assert finding.remedy is not None
    line = f"python -m pip uninstall -y {wrong} && python -m pip install {wanted}"
    assert [each.line for each in finding.remedy.commands] == [line]


def test_a_file_of_the_user_is_no_other_project() -> None:
    own = MATCHA.replace(SITE, "/home/k/cosy")
    assert not any(each.rule == "TL532" for each in judged(own))


@pytest.mark.sketched
@pytest.mark.parametrize("installed", [{"perth": "1.0.0"}, {"perth": "1.0.0", "resemble-perth": "1.0.1"}, {}])
def test_whose_module_it_is_by_what_is_installed(ground: Ground, installed: dict[str, str]) -> None:
    site = ground.linux()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    for name, version in installed.items():
        install(site.path, name, version, {f"perth/{name.replace('-', '_')}.py": ""})
    done = ground.check(site, log=PERTH)
    if not installed:
        assert not done.bad
        return
    assert done.first.rule == "TL532"
    gone = " ".join(installed)
    assert done.command == f"python -m pip uninstall -y {gone} && python -m pip install resemble-perth"


@pytest.mark.sketched(real=False)
def test_a_library_for_macos_that_asks_a_later_torch(ground: Ground) -> None:
    """Vaibhavs10/insanely-fast-whisper pull request 283: the table of torch for macOS was called damaged."""
    site = ground.mac()
    ground.wheel(site, "torchcodec==0.14.0")
    ground.torch(site, "2.10.0", made_for=[])
    library = f"{site.path}/torchcodec/libtorchcodec_core8.dylib"
    log = f"OSError: dlopen({library}, 0x0006): Symbol not found: _torch_from_blob\n"
    done = ground.check(site, log=log, platform=site.platform)
    assert "libtorchcodec_core8.dylib lacks _torch_from_blob, which torch has from 2.11.0 on" in done.text


@pytest.mark.parametrize(
    ("torch", "library", "release"),
    [
        ("1.4.0a0+013ca32", "_torch_sox.cpython-37m-darwin.so", "audio@v0.4.0"),
        ("2.1.0a0+41361538.nv23.06", "torchaudio/lib/libtorchaudio.so", "audio@v2.1.0"),
        ("1.10.0a0+git36449ea", "torchtext/_torchtext.so", "text@v0.11.0"),
    ],
    ids=["from source", "Jetson", "a wheel of somebody"],
)
@pytest.mark.parametrize("shown", ["[pip] torch=={0}", "torch    {0}", "Python 3.8.10, torch {0}"])
def test_a_companion_of_a_torch_that_was_compiled_is_compiled_too(
    shown: str, torch: str, library: str, release: str
) -> None:
    """pytorch/audio issue 307: no release is made for that torch."""
    error = f"{SITE}/{library}: undefined symbol: _ZN3c1011CPUTensorIdEv"
    finding = judged(f"{shown.format(torch)}\nImportError: {error}\n")[0]
    assert finding.rule == "TL611"
    assert finding.remedy is not None
    assert f"torch {torch}, which was compiled from source" in finding.remedy.summary
    assert f"git+https://github.com/pytorch/{release}" in finding.remedy.summary


def test_two_such_torches_name_none() -> None:
    both = "torch==1.4.0a0+013ca32\ntorch==1.5.0a0+aaaaaaa\n"
    error = f"ImportError: {SITE}/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN3c1011CPUTensorIdEv\n"
    finding = judged(both + error)[0]
    assert finding.remedy is not None
    assert "compiled from source" not in finding.remedy.summary
