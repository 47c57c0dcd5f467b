"""Logs alone: modules of several projects, private parts, libraries with a shown user, tracebacks in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of

if TYPE_CHECKING:
    from torchlock.finding import Finding

CV2 = """\
  File "/app/main.py", line 2, in <module>
    import cv2
  File "/usr/lib/python3.11/site-packages/cv2/__init__.py", line 181, in <module>
    bootstrap()
"""
BOTH = "opencv-python              4.9.0.80\nopencv-python-headless     4.5.5.64\n"


def judged_alone(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


def test_two_projects_with_one_module() -> None:
    (finding,) = judged_alone(
        f"Traceback (most recent call last):\n{CV2}ImportError: numpy.core.multiarray failed to import\n\n{BOTH}"
    )
    assert finding.rule == "TL620"
    assert (
        "opencv-python 4.9.0.80 and opencv-python-headless 4.5.5.64 each install the module cv2" in finding.message
    )
    assert finding.remedy is not None
    assert finding.remedy.commands[0].line.endswith("&& python -m pip install opencv-python")


def test_own_files_that_lack_a_name_are_no_file_of_the_user() -> None:
    own = CV2.replace("cv2/__init__.py", "cv2/gapi/__init__.py")
    lacks = "AttributeError: partially initialized module 'cv2' has no attribute 'gapi_wip' (most likely due to a)"
    (finding,) = judged_alone(f"Traceback (most recent call last):\n{own}{lacks}\n")
    assert finding.rule == "TL620"
    assert "cv2/gapi/__init__.py needs gapi_wip, which the module lacks" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        # A slip of the user, with one project, or with two of one release.
        "AttributeError: module 'cv2' has no attribute 'imred'\nopencv-python 4.9.0.80\n",
        "AttributeError: module 'cv2' has no attribute 'imred'\n"
        "opencv-python 4.9.0.80\nopencv-python-headless 4.9.0.80\n",
        # One was removed before the other was installed.
        "AttributeError: module 'cv2' has no attribute 'imred'\n    Uninstalling opencv-python-4.5.0.1:\n"
        "Successfully installed opencv-python-headless-4.9.0.80\n",
    ],
)
def test_one_project_is_not_blamed(text: str) -> None:
    assert [each.rule for each in judged_alone(text) if each.rule == "TL620"] == []


def test_a_library_of_the_desktop_needs_a_shown_user() -> None:
    lacks = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory\n"
    (finding,) = judged_alone(f"Traceback (most recent call last):\n{CV2}{lacks}")
    assert (finding.rule, "opencv-python-headless" in (finding.remedy.summary if finding.remedy else "")) == (
        "TL610",
        True,
    )
    assert judged_alone(lacks) == []
    assert judged_alone(f"./blender: error while loading shared libraries: {lacks[13:]}") == []


@pytest.mark.parametrize(
    "before",
    [
        "",
        "Original error was: ",
        "[stderr] Error loading model: OSError: ",
        "Error: Could not import 'torchaudio': ",
    ],
)
def test_a_library_behind_the_words_of_a_program(before: str) -> None:
    (finding,) = judged_alone(
        f"{before}libcudart.so.12: cannot open shared object file: No such file or directory\n"
    )
    assert (finding.rule, "libcudart.so.12, a library of CUDA 12" in finding.message) == ("TL610", True)


def test_a_private_part_of_a_package_without_its_caller() -> None:
    file = "/env/lib/python3.9/site-packages/torchaudio/_extension/utils.py"
    line = f"ImportError: cannot import name '_LazyImporter' from 'torchaudio._extension.utils' ({file})\n"
    (finding,) = judged_alone(line)
    assert finding.rule == "TL602"
    assert "torchaudio._extension.utils lacks _LazyImporter" in finding.message


def test_a_folder_that_several_projects_share_is_named_by_the_code() -> None:
    frame = '  File "/app/a.py", line 4, in <module>\n    from pyannote.audio import Pipeline\n'
    (finding,) = judged_alone(
        f"Traceback (most recent call last):\n{frame}ModuleNotFoundError: No module named 'pyannote'\n"
    )
    assert "no module pyannote.audio, which the project pyannote-audio has" in finding.message
    assert judged_alone("ModuleNotFoundError: No module named 'pyannote'\n") == []


IN_ONE_LINE = (
    'Traceback (most recent call last): File "/app/main.py", line 1, in <module> import torchaudio '
    'File "/env/lib/python3.10/site-packages/torch/_ops.py", line 852, in load_library ctypes.CDLL(path) ^^^^^^^ '
    "OSError: /env/lib/python3.10/site-packages/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN2at4_ops"
)
AS_JSON = (
    '{"level": "ERROR", "exc": "Traceback (most recent call last):\\n  File \\"/a/w.py\\", line 3, in <module>\\n'
    "    from torchaudio.utils import download_asset\\nImportError: cannot import name 'download_asset' from "
    "'torchaudio.utils' (/env/lib/python3.10/site-packages/torchaudio/utils/__init__.py)\"}"
)
AS_BYTES = (
    'failed: b\'Traceback (most recent call last):\\n  File "/w.py", line 1, in <module>\\n    import torchaudio'
    "\\nModuleNotFoundError: No module named \\'torchaudio\\'\\n'"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [(IN_ONE_LINE, "undefined symbol"), (AS_JSON, "download_asset"), (AS_BYTES, "named 'torchaudio'")],
)
def test_a_traceback_in_one_line(text: str, said: str) -> None:
    log = read_log(f"{text}\n")
    assert log.first is not None
    assert said in log.first.text
    assert not log.first.text.lstrip().startswith(("{", "Traceback", "failed"))
    assert judged_alone(f"{text}\n") != []


def test_a_path_with_escapes_stays_one_line() -> None:
    log = read_log("ERROR: C:\\new\\torch\\run.py: No module named 'torchaudio'\n")
    assert log.first is not None
    assert log.first.text == "ERROR: C:\\new\\torch\\run.py: No module named 'torchaudio'"


LACK = "WARNING:root:backend unavailable: module 'torchaudio' has no attribute 'list_audio_backends'\n"


def test_a_warning_before_the_end_of_the_program_is_its_reason() -> None:
    (finding,) = judged_alone(f"{LACK}ERROR:root:No usable backend. Exiting.\n")
    assert finding.rule == "TL702"
    # Another error follows, or the program goes on.
    assert judged_alone(f"{LACK}ERROR:root:database connection refused\n") == []
    assert judged_alone(f"{LACK}INFO:root:server started\n") == []
