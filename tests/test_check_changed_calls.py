"""Calls of which a later release changed the arguments or the result, as a log shows (TL709)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import run, site  # noqa: F401
from support.site_folder import install, write

if TYPE_CHECKING:
    from pathlib import Path

OF_INFO = "siginfo, _ = torchaudio.info(file)", "cannot unpack non-iterable AudioMetaData object"
OF_MEL = (
    "mel_basis = mel(sample_rate, filter_length)",
    "mel() takes 0 positional arguments but 2 positional arguments (and 1 keyword-only argument) were given",
)
OF_RESAMPLE = (
    "y = librosa.resample(y, 44100, 16000)",
    "resample() takes 1 positional argument but 3 were given",
)
OF_LOAD = (
    "x = torchaudio.load(path, normalization=True)",
    "load() got an unexpected keyword argument 'normalization'",
)


def told(site: Path, capsys: pytest.CaptureFixture[str], code: str, error: str) -> list[dict[str, Any]]:  # noqa: F811
    text = f'Traceback (most recent call last):\n  File "app/use.py", line 34, in run\n    {code}\n'
    text += f"TypeError: {error}\n"
    report = run(capsys, "--path", site, "--ignore", "TL602", "--log", write(site.parent / "log", text))
    return [each for each in report["files"][0]["findings"] if each["rule"] == "TL709"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (OF_INFO, "fails since torchaudio 0.8"),
        (OF_LOAD, "fails since torchaudio 0.8"),
        (OF_MEL, "fails since librosa 0.10"),
        (OF_RESAMPLE, "fails since librosa 0.10"),
    ],
    ids=["a result", "a keyword", "arguments by place", "arguments by place of a module"],
)
@pytest.mark.triggers("TL709")
def test_a_call_that_changed(
    site: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    call: tuple[str, str],
    words: str,
) -> None:
    """https://github.com/facebookresearch/svoice/issues/94, https://github.com/Rudrabha/Wav2Lip/issues/769"""
    install(site, "librosa", "0.10.2", {"librosa/__init__.py": ""})
    (found,) = told(site, capsys, *call)
    assert words in found["message"] and "line 34" in found["message"]
    assert found["remedy"]["summary"].startswith("Change that line: ")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("config = yaml.load(file)", "load() missing 1 required positional argument: 'Loader'"),
        ("x = resample(y, 3, 4)", "resample() takes 1 positional argument but 3 were given"),
        OF_MEL,
        ("x = model.load(name, normalised=True)", "load() got an unexpected keyword argument 'normalised'"),
    ],
    ids=["another package", "an own function", "an earlier librosa", "another keyword"],
)
@pytest.mark.leaves_alone("TL709")
def test_a_call_of_something_else(
    site: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    code: str,
    error: str,
) -> None:
    install(site, "librosa", "0.8.1", {"librosa/__init__.py": ""})
    assert told(site, capsys, code, error) == []
