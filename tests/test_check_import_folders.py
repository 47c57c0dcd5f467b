"""A second copy of torch in a folder that Python searches first: whether leaving the folder helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import first, run
from support.check import site as site
from support.site_folder import write

LOG = """\
  File "{script}", line 5, in <module>
    from torch.utils.data import DataLoader
  File "{folder}{slash}torch{slash}__init__.py", line 24, in <module>
    from .version import __version__
ModuleNotFoundError: No module named 'torch.version'
"""


def remedy(site: Path, folder: str, script: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The words and the command for a log in which torch came from this folder."""
    slash = "\\" if "\\" in folder else "/"
    log = write(site.parent / "log.txt", LOG.format(folder=folder, script=script, slash=slash))
    report = run(capsys, "--path", site, "--log", log, code=1)
    assert first(report)["rule"] == "TL606"
    return first(report)["remedy"]["summary"], report["command"] or ""


@pytest.mark.parametrize(
    "folder",
    [
        "C:\\Users\\ann\\AppData\\Local\\Programs\\Python\\Python311",
        "D:\\ComfyUI_windows_portable\\python_embeded",
        "C:\\tools\\python-3.11.9-embed-amd64",
    ],
)
def test_a_copy_beside_python_exe(site: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/pytorch/pytorch/issues/47968"""
    words, command = remedy(site, folder, "main.py", capsys)
    assert "the folder of python.exe wherever Python starts" in words
    assert command == f'move "{folder}\\torch" "{folder}\\my_torch"'


def test_a_script_beside_a_copy(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python searches the folder of the script, not the current one."""
    words, command = remedy(site, "/home/ann/pytorch", "/home/ann/pytorch/train.py", capsys)
    assert words.startswith("Move the script /home/ann/pytorch/train.py to another folder")
    assert command == ""


@pytest.mark.parametrize("folder", ["C:\\Users\\ann\\PycharmProjects\\pythonProject", "/home/ann/pytorch"])
def test_a_copy_in_the_current_folder(site: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, command = remedy(site, folder, "<stdin>", capsys)
    assert (words, command) == (f"Start Python outside of the folder {folder}.", "cd ..")
