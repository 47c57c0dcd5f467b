"""Calls of which a later release changed the arguments or the result, as a log shows (TL709)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.check import run, site  # noqa: F401 - a fixture
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
OF_GRID = (
    "utils.save_image(sample, path, normalize=True, range=(-1, 1))",
    "make_grid() got an unexpected keyword argument 'range'",
)
OF_ROTATION = (
    "transforms.RandomRotation(30, resample=Image.BICUBIC)",
    "RandomRotation.__init__() got an unexpected keyword argument 'resample'",
)
OF_AFFINE = (
    "return F.affine(img, *ret, resample=self.resample, fill=self.fill)",
    "affine() got an unexpected keyword argument 'resample'",
)
OF_GRIFFIN = (
    "inverse = torchaudio.transforms.GriffinLim(n_fft=400, normalized=True)",
    "__init__() got an unexpected keyword argument 'normalized'",
)
OF_LOAD = (
    "x = torchaudio.load(path, normalization=True)",
    "load() got an unexpected keyword argument 'normalization'",
)


def told(site: Path, capsys: pytest.CaptureFixture[str], code: str, error: str) -> list[dict[str, Any]]:
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
        (OF_GRID, "fails since torchvision 0.16"),
        (OF_ROTATION, "fails since torchvision 0.14"),
        (OF_AFFINE, "fails since torchvision 0.14"),
        (OF_GRIFFIN, "fails since torchaudio 0.9"),
    ],
    ids=[
        *["a result", "a keyword", "arguments by place", "arguments by place of a module"],
        *["a range of a grid", "a keyword of a class", "a keyword of a function", "a keyword that went early"],
    ],
)
@pytest.mark.triggers("TL709")
def test_a_call_that_changed(
    site: Path,
    capsys: pytest.CaptureFixture[str],
    call: tuple[str, str],
    words: str,
) -> None:
    """https://github.com/facebookresearch/svoice/issues/94, https://github.com/Rudrabha/Wav2Lip/issues/769"""
    install(site, "librosa", "0.10.2", {"librosa/__init__.py": ""})
    install(site, "torchvision", "0.16.0", {"torchvision/__init__.py": ""})
    (found,) = told(site, capsys, *call)
    assert words in found["message"] and "line 34" in found["message"]
    assert found["remedy"]["summary"].startswith("Change that line: ")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("config = yaml.load(file)", "load() missing 1 required positional argument: 'Loader'"),
        ("x = resample(y, 3, 4)", "resample() takes 1 positional argument but 3 were given"),
        ("x = model.load(name, normalised=True)", "load() got an unexpected keyword argument 'normalised'"),
        ("x = scene.zoom(resample=1)", "zoom() got an unexpected keyword argument 'resample'"),
        ("x = Solver(max_iter=3)", "Solver.__init__() got an unexpected keyword argument 'max_iter'"),
    ],
    ids=[
        *["another package", "an own function", "another keyword", "a function of others", "a class of others"],
    ],
)
@pytest.mark.leaves_alone("TL709")
def test_a_call_of_something_else(
    site: Path,
    capsys: pytest.CaptureFixture[str],
    code: str,
    error: str,
) -> None:
    install(site, "librosa", "0.8.1", {"librosa/__init__.py": ""})
    install(site, "torchvision", "0.15.2", {"torchvision/__init__.py": ""})
    assert told(site, capsys, code, error) == []


@pytest.mark.parametrize("call", [OF_MEL, OF_GRID], ids=["librosa", "torchvision"])
def test_a_call_that_the_installed_release_accepts(
    site: Path,
    capsys: pytest.CaptureFixture[str],
    call: tuple[str, str],
) -> None:
    """The log is of another environment: what it means is only a note."""
    install(site, "librosa", "0.8.1", {"librosa/__init__.py": ""})
    install(site, "torchvision", "0.15.2", {"torchvision/__init__.py": ""})
    (found,) = told(site, capsys, *call)
    assert (found["severity"], found["remedy"]["commands"]) == ("note", [])
