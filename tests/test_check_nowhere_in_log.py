"""Names that no release has, packages in a folder of their source, and two other packages that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from torchlock.finding import Finding

SITE = "/env/lib/python3.8/site-packages"


def judged(path: str, code: str, error: str) -> list[Finding]:
    log = read_log(
        f'Traceback (most recent call last):\n  File "{path}", line 9, in <module>\n    {code}\n{error}\n'
    )
    return [each for each in by_log(context_of(log), log, []) if each.severity != "note"]


def test_a_name_of_the_stack_that_no_release_has() -> None:
    error = "AttributeError: module 'torchaudio' has no attribute '{0}'"
    meant = ". Did you mean: 'list_audio_backends'?"
    (finding,) = judged("/w/vad.py", "torchaudio.a()", error.format("list_available_backends") + meant)
    assert finding.rule == "TL702"
    assert "which no release of torchaudio from 0.3 to " in finding.message
    assert finding.remedy is not None
    assert finding.remedy.summary.startswith("Write torchaudio.list_audio_backends, which Python found there.")
    (old,) = judged("/w/read.py", "torchaudio.legacy.load(path)", error.format("legacy"))
    assert old.remedy is not None
    assert "code for torchaudio before 0.3 needs the torch of that time" in old.remedy.summary


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (f"{SITE}/torchaudio/functional.py", "AttributeError: module 'torchaudio' has no attribute 'foo'"),
        ("/w/use.py", "ImportError: cannot import name 'foo' from 'torchaudio' (/w/torchaudio.py)"),
        ("/w/use.py", "AttributeError: module 'torchaudio' has no attribute '_foo'"),
        ("/w/use.py", "AttributeError: partially initialized module 'torchaudio' has no attribute 'foo'"),
    ],
)
def test_a_name_that_has_another_cause(path: str, error: str) -> None:
    assert not any("which no release" in each.message for each in judged(path, "x", error))


@pytest.mark.parametrize("folder", ["/home/me/k2/k2/python/k2", "C:\\src\\k2"])
def test_a_package_in_a_folder_of_its_source(folder: str) -> None:
    error = "ModuleNotFoundError: No module named 'k2.torch_version'"
    (finding,) = judged(f"{folder}/__init__.py", "from .torch_version import k2_torch_cuda_version", error)
    assert finding.rule == "TL606"
    assert finding.message.startswith(f"Python imported k2 from a folder with its source, {folder}")
    assert finding.message.endswith("which has no k2.torch_version")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (f"{SITE}/k2/__init__.py", "ModuleNotFoundError: No module named 'k2.torch_version'"),
        ("/w/app/main.py", "ModuleNotFoundError: No module named 'k2.torch_version'"),
        ("/w/mine/__init__.py", "ModuleNotFoundError: No module named 'mine.parts'"),
    ],
)
def test_a_package_that_is_elsewhere(path: str, error: str) -> None:
    assert not any("a folder with its source" in each.message for each in judged(path, "import x", error))


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (
            "if isinstance(path, tuple(audioread.available_backends())):",
            "AttributeError: module 'audioread' has no attribute 'available_backends'",
            "librosa uses audioread.available_backends, which the audioread in the log does not have",
        ),
        (
            "from nemo.core.neural_types import (NeuralType, BatchTag,",
            "ImportError: cannot import name 'BatchTag'",
            "librosa imports nemo.core.neural_types.BatchTag, which the nemo-toolkit in the log does not have",
        ),
    ],
)
def test_two_packages_that_do_not_fit(code: str, error: str, said: str) -> None:
    (finding,) = judged(f"{SITE}/librosa/core/audio.py", code, error)
    assert finding.rule == "TL710"
    assert finding.message.startswith(said)


def test_own_code_may_be_wrong() -> None:
    error = "AttributeError: module 'audioread' has no attribute 'available_backend'"
    assert judged("/w/use.py", "audioread.available_backend()", error) == []


MODULES = "AttributeError: module 'torchaudio' has no attribute 'models'"


def test_a_module_that_its_package_does_not_import() -> None:
    pins = "\n[pip3] torch==1.9.0+cu111\n[pip3] torchaudio==0.9.0"
    (finding,) = judged("/w/a.py", "model = torchaudio.models.Wav2Vec2Model()", MODULES + pins)
    assert finding.rule == "TL702"
    assert (
        "uses the module torchaudio.models, which torchaudio 0.9.0 has, and which nothing imported"
        in finding.message
    )
    assert finding.remedy is not None
    assert finding.remedy.summary == "Write import torchaudio.models before that line."


@pytest.mark.parametrize(
    "pins", ["", "\n[pip3] torchaudio==0.5.0", "\n[pip3] torchaudio==0.9.0\ntorchaudio==0.10.0"]
)
def test_a_module_of_an_unknown_release(pins: str) -> None:
    found = judged("/w/a.py", "model = torchaudio.models.Wav2Vec2Model()", MODULES + pins)
    assert not any("nothing imported" in each.message for each in found)


LISTED = "peculiar   2.1\nuser-of-it  1.2.0\n"


@pytest.mark.parametrize(
    ("path", "error", "is_said"),
    [
        (f"{SITE}/user_of_it/a.py", "AttributeError: module 'peculiar.kinds' has no attribute 'Thing'", True),
        (
            f"{SITE}/user_of_it/a.py",
            f"ImportError: cannot import name 'Thing' from 'peculiar' ({SITE}/peculiar/__init__.py)",
            True,
        ),
        (
            f"{SITE}/user_of_it/a.py",
            "ImportError: cannot import name 'Thing' from 'peculiar' (/w/peculiar.py)",
            False,
        ),
        (f"{SITE}/user_of_it/a.py", "ModuleNotFoundError: No module named 'peculiar.kinds'", False),
        (
            f"{SITE}/user_of_it/a.py",
            "AttributeError: partially initialized module 'p' has no attribute 'a'",
            False,
        ),
        (f"{SITE}/peculiar/a.py", "AttributeError: module 'peculiar.kinds' has no attribute 'Thing'", False),
        (f"{SITE}/user_of_it/a.py", "AttributeError: module 'utils' has no attribute 'Thing'", False),
        ("/w/own.py", "AttributeError: module 'peculiar.kinds' has no attribute 'Thing'", False),
        (f"{SITE}/user_of_it/a.py", "AttributeError: module 'json' has no attribute 'Thing'", False),
    ],
)
def test_a_package_that_asks_another_one_for_what_it_lacks(path: str, error: str, is_said: bool) -> None:
    log = read_log(
        f'{LISTED}Traceback (most recent call last):\n  File "{path}", line 9, in <module>\n    f(x)\n{error}\n'
    )
    found = [each for each in by_log(context_of(log), log, []) if each.rule == "TL710"]
    assert len(found) == is_said
    for finding in found:
        assert "the peculiar 2.1 in the log does not have" in finding.message
        assert finding.remedy is not None and not finding.remedy.commands
