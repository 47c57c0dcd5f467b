"""An application of PyInstaller in a log alone: the module or the file that its builder left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from torchlock.finding import Finding

HEAD = """\
Traceback (most recent call last):
  File "torchaudio/_internal/__init__.py", line 2, in <module>
ModuleNotFoundError: No module named 'torchaudio._internal.fb'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 8, in <module>
"""
LOADER = '  File "PyInstaller/loader/pyimod02_importers.py", line 419, in exec_module\n'
LACK = "ModuleNotFoundError: No module named 'torch._C'\n"


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


def test_a_module_that_was_left_out() -> None:
    (finding,) = judged(f"{HEAD}{LOADER}{LACK}")
    assert finding.rule == "TL609"
    assert "built by PyInstaller without the module torch._C" in finding.message
    assert finding.remedy is not None
    assert "--collect-all torch" in finding.remedy.summary


def test_without_a_freezer_it_is_another_failure() -> None:
    assert [each.rule for each in judged(f"{HEAD}{LACK}")] == ["TL608"]


@pytest.mark.parametrize("folder", ["D:/Vink/_internal", "C:/Users/u/AppData/Local/Temp/_MEI170282"])
def test_a_file_that_was_left_out(folder: str) -> None:
    (finding,) = judged(
        f"FileNotFoundError: [Errno 2] No such file or directory: '{folder}/whisper/assets/mel.npz'\n"
    )
    assert finding.rule == "TL601"
    assert "without the file mel.npz of whisper" in finding.message


def test_a_folder_of_torchaudio_is_no_application() -> None:
    file = "/env/lib/python3.11/site-packages/torchaudio/_internal/fb/names.txt"
    assert judged(f"FileNotFoundError: [Errno 2] No such file or directory: '{file}'\n") == []


def test_windows_did_not_find_what_torchaudio_needs() -> None:
    file = "G:/Python310/Lib/site-packages/torchaudio/lib/libtorchaudio.pyd"
    (finding,) = judged(f"FileNotFoundError: Could not find module '{file}' (or one of its dependencies). Try\n")
    assert finding.rule == "TL610"
    assert "the torch that it was built for" in finding.because
