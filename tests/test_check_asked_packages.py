"""TL609 and TL709 by a log: packages that another one asks for by name, and arguments that later releases have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import bad, run
from support.check import site as site
from support.site_folder import install, write
from torchlock.check.log import read_log

if TYPE_CHECKING:
    from pathlib import Path

DATASETS = "datasets/features/audio.py"
ASKS = "ImportError: To support decoding audio data, please install 'torchcodec'."
NOT_FOUND = (
    "ImportError: VideoProcessor requires the torchvision library but it was not found in your environment."
)
PYAV = "ImportError: PyAV is not installed, and is necessary for the video operations in torchvision."
KEPT = "AttributeError: 'ImportError' object has no attribute 'open'"


def report_of(
    site: Path, capsys: pytest.CaptureFixture[str], file: str, error: str, code: str = "raise error"
) -> dict[str, Any]:
    text = f'Traceback (most recent call last):\n  File "{site}/{file}", line 7, in load\n    {code}\n{error}\n'
    log = write(site.parent / "log.txt", text)
    return run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)


@pytest.mark.parametrize(
    ("owner", "file", "error", "name", "command"),
    [
        ("datasets", DATASETS, ASKS, "torchcodec", "torchcodec==0.7.0"),
        ("transformers", "transformers/utils.py", NOT_FOUND, "torchvision", "pip install"),
        (
            "lhotse",
            "lhotse/io.py",
            "RuntimeError: You need to install torchvision first",
            "torchvision",
            "torchvision",
        ),
        ("torchvision", "torchvision/io/video.py", PYAV, "av", "pip install av"),
        ("torchvision", "torchvision/io/video_reader.py", KEPT, "av", "pip install av"),
    ],
)
def test_a_package_that_is_not_installed(
    owner: str,
    file: str,
    error: str,
    name: str,
    command: str,
    site: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """https://github.com/huggingface/datasets/issues/7707, https://github.com/pytorch/vision/issues/7166"""
    version = "0.23.0" if owner == "torchvision" else "4.0.0"
    install(site, owner, version, {file: "", f"{owner}/version.py": f"__version__ = '{version}+cpu'\n"})
    report = report_of(site, capsys, file, error)
    assert ("error", "TL609") in bad(report)
    assert report["summary"].endswith(f"needs {name} for what the log shows, and {name} is not installed")
    assert report["summary"].startswith(f"{owner} {version}")
    assert command in report["command"]


def test_what_is_installed_is_not_asked_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "datasets", "4.0.0", {DATASETS: ""})
    install(
        site,
        "torchcodec",
        "0.7.0",
        {"torchcodec/__init__.py": "", "torchcodec/version.py": "__version__ = '0.7.0'\n"},
    )
    assert "TL609" not in [rule for _, rule in bad(report_of(site, capsys, DATASETS, ASKS))]


def test_own_code_may_ask_for_anything(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site.parent / "log.txt", f'  File "/app/use.py", line 7, in load\n    raise error\n{ASKS}\n')
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", site.parent / "log.txt")
    assert "needs torchcodec for what the log shows" not in str(report)


def test_other_words_ask_for_nothing() -> None:
    first = read_log("ImportError: 'ImportError' object has no attribute 'x'\n").first
    assert first is None or first.rules[0] != "TL609"


@pytest.mark.parametrize("name", ["torchlock", "numpy-financial"])
def test_what_a_text_asks_for_is_named_as_it_is(name: str, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not as the package of the stack with which its name begins."""
    log = site.parent / "log.txt"
    write(log, f'  File "/app/a.py", line 1, in f\nImportError: please install {name}\n')
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log)
    assert f"did not import {name}:" in str(report)


@pytest.mark.parametrize(
    ("version", "code", "error", "said"),
    [
        (
            "0.13.1",
            "audio, _ = torchaudio.load(path, backend=backend)",
            "TypeError: load() got an unexpected keyword argument 'backend'",
            "passes backend or buffer_size to torchaudio, which torchaudio before 2.1 refuses",
        ),
        (
            "0.8.1",
            "self.mel = torchaudio.transforms.MelSpectrogram(",
            "TypeError: __init__() got an unexpected keyword argument 'mel_scale'",
            "passes mel_scale to MelSpectrogram, which torchaudio before 0.9 refuses",
        ),
        (
            "0.7.2",
            "mel = T.MelSpectrogram(16000, norm='slaney')",
            "TypeError: __init__() got an unexpected keyword argument 'norm'",
            "passes norm to MelSpectrogram, which torchaudio before 0.8 refuses",
        ),
        (
            "2.1.0",
            "torchaudio.load(path, backend=1)",
            "TypeError: load() got an unexpected keyword argument 'backend'",
            "",
        ),
        (
            "0.13.1",
            "json.load(path, backend=1)",
            "TypeError: load() got an unexpected keyword argument 'backend'",
            "",
        ),
    ],
)
def test_arguments_that_came_later(
    version: str, code: str, error: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/speechbrain/speechbrain/issues/2820"""
    site = tmp_path / "env" / "lib" / "python3.9" / "site-packages"
    files: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": f"__version__ = '{version}'\n",
    }
    install(site, "torchaudio", version, files)
    install(site, "speechbrain", "1.0.2", {"speechbrain/io.py": ""})
    report = report_of(site, capsys, "speechbrain/io.py", error, code)
    found = [
        each for each in report["files"][0]["findings"] if each["rule"] == "TL709" and each["severity"] != "note"
    ]
    assert [each["message"] for each in found] == ([f"speechbrain 1.0.2 {said}"] if said else [])
