"""Tracebacks as VS Code copies them: each number and path is a link of Markdown."""

from __future__ import annotations

import pytest

from torchlock.check.log import read_log
from torchlock.check.tracebacks import missing_names

LACK = "\nAttributeError: module 'torchaudio' has no attribute 'list_audio_backends'\n"
CODE = "torchaudio.list_audio_backends()"


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        (
            "Cell In[2], [line 5](vscode-notebook-cell:?execution_count=2&line=5)\n"
            "      [3](vscode-notebook-cell:?execution_count=2&line=3) import torchaudio\n"
            f"----> [5](vscode-notebook-cell:?execution_count=2&line=5) {CODE}\n",
            "Cell In[2]",
            5,
        ),
        (
            "File [c:\\Users\\u\\site-packages\\sb\\io.py:9](file:///C:/Users/u/site-packages/sb/io.py:9)\n"
            "      [8](file:///C:/Users/u/site-packages/sb/io.py:8) import torch\n"
            f"----> [9](file:///C:/Users/u/site-packages/sb/io.py:9) {CODE}\n",
            "c:\\Users\\u\\site-packages\\sb\\io.py",
            9,
        ),
        (
            "File [~/app/use.py:7](vscode-remote://ssh-remote+host/u/app%20(x86)/use.py:7), in main()\n"
            f"----> [7](vscode-remote://ssh-remote+host/u/app%20(x86)/use.py:7) {CODE}\n",
            "~/app/use.py",
            7,
        ),
    ],
)
def test_links_are_read_as_their_text(text: str, path: str, line: int) -> None:
    (missing,) = missing_names(f"{text}{LACK}")
    assert missing.caller is not None
    assert missing.caller == (path, line, CODE)


def test_a_folder_of_packages_does_not_begin_with_a_bracket() -> None:
    text = "File [c:\\v\\site-packages\\sb\\io.py:9](file:///c:/v/site-packages/sb/io.py:9)\n----> 9 x\n"
    assert "c:\\v\\site-packages" in read_log(f"{text}{LACK}").sites


def test_other_brackets_stay() -> None:
    text = "use [soundfile](https://example.org/a) for cell[3](x): module 'torchaudio' has no attribute 'info'\n"
    assert missing_names(text)[0].name == "torchaudio.info"
    assert "[soundfile](https" in read_log(text).text
