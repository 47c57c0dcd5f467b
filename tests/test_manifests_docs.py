"""Install commands in Markdown and rst, which are read on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.formats import asked, rules, scopes
from torchlock.audit import Auditor, Options
from torchlock.cli.main import main
from torchlock.manifests.document import Document
from torchlock.manifests.formats.text_document import read


def fenced(*lines: str, language: str = "bash") -> Document:
    return read(
        "\n".join(["# Install", f"```{language}", *lines, "```", "pip install torch==9"]) + "\n", "README.md"
    )


@pytest.mark.parametrize("language", ["bash", "", "sh", "console", "{.bash}", "shell-session", "text"])
def test_a_fenced_block(language: str) -> None:
    assert asked(fenced("pip install torch==2.0.1", language=language)) == [("torch", "==2.0.1")]


@pytest.mark.parametrize("language", ["yaml", "json", "diff", "cpp", "dockerfile"])
def test_a_block_of_another_language(language: str) -> None:
    assert not fenced("pip install torch==2.0.1", language=language).entries


@pytest.mark.parametrize(
    "prompt", ["$ ", "(venv) $ ", "user@host:~/x$ ", "root@host:/# ", "PS C:\\x> ", "C:\\x> ", "> ", "% "]
)
def test_a_prompt_is_no_part_of_a_command_and_output_is_left_out(prompt: str) -> None:
    document = fenced(
        f"{prompt}pip install torch==2.0.1 \\", "    torchaudio", "pip install numpy==1", language=""
    )
    assert asked(document) == [("torch", "==2.0.1"), ("torchaudio", "")]
    assert not document.issues


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        pytest.param(("# CUDA 11.8", "pip install torch==2.0.1"), ["torch"], id="a comment"),
        pytest.param(("pip install torch", "# or pip install numpy"), ["torch"], id="a comment behind"),
        pytest.param(("# pip install numpy", "pip install torch"), ["torch"], id="an alternative in a comment"),
        pytest.param(("# pip install torch", "Collecting torch"), ["torch"], id="the prompt of root"),
        pytest.param(("# Then", "$ pip install torch"), ["torch"], id="a comment beside prompts"),
    ],
)
def test_a_comment_is_no_prompt(lines: tuple[str, ...], names: list[str]) -> None:
    assert [name for name, _ in asked(fenced(*lines))] == names


def test_commands_of_a_notebook() -> None:
    text = ["import torch", "!pip install torch==2.0.1", "%pip install torchaudio", "subprocess.run(x)"]
    assert asked(fenced(*text, language="python")) == [("torch", "==2.0.1"), ("torchaudio", "")]


def test_windows() -> None:
    assert asked(fenced("pip install `", "  torch==2.0.1", language="powershell")) == [("torch", "==2.0.1")]
    assert asked(fenced("pip install ^", "  torch==2.0.1", language="bat")) == [("torch", "==2.0.1")]


def test_blocks_in_lists_and_quotes_and_without_an_end() -> None:
    text = "1. Do:\n   ~~~sh\n   pip install torch==2.0.1\n   ~~~\n> ```\n> pip install torchaudio\n> ```\n"
    text += "```\npip install numpy"
    document = read(text, "a.md")
    assert [name for name, _ in asked(document)] == ["torch", "torchaudio", "numpy"]


def test_blocks_are_separate() -> None:
    text = "```\npip install torch==2.0.1\n```\nor\n```\npip install torch==2.1.0\n```\n"
    assert scopes(read(text, "a.md")) == {"group:line-2": ["torch"], "group:line-6": ["torch"]}


@pytest.mark.parametrize(
    "written",
    [
        "torch==<version>",
        "torch==X.Y.Z",
        "torch==[version]",
        "torch==...",
        "torch==${VERSION}",
        "torch=={version}",
    ],
)
def test_what_the_reader_fills_in_is_unknown(written: str) -> None:
    document = fenced(f"pip install {written} numpy")
    assert [name for name, _ in asked(document)] == ["numpy"]
    assert [(rule, severity) for rule, severity, _ in rules(document)] == [("TL902", "note")]


@pytest.mark.parametrize(
    "opening",
    [
        ".. code-block:: bash",
        ".. code:: sh",
        ".. prompt:: bash $",
        "Then run::",
        "::",
        ".. code-block:: bash\n   :linenos:",
    ],
)
def test_restructured_text(opening: str) -> None:
    block = "   pip install torch==2.0.1\n\n   pip install torchaudio\n"
    text = f"Install\n=======\n\n{opening}\n\n{block}\npip install numpy\n"
    assert asked(read(text, "a.rst")) == [("torch", "==2.0.1"), ("torchaudio", "")]


def test_the_fix_changes_the_command_alone(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(b"# A\r\n```bash\r\n$ pip install torch==2.6.0 torchaudio==2.5.0\r\n```\r\nEnd\r\n")
    assert Auditor(Options(docs=True)).fixed(str(path)) == (
        b"# A\r\n```bash\r\n$ pip install torch==2.6.0 torchaudio==2.6.0\r\n```\r\nEnd\r\n"
    )


def test_only_with_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("torch==2.6.0\n", encoding="utf-8")
    (tmp_path / "docs").mkdir()
    block = "```\npip install torch==2.6.0 torchaudio==2.5.0\n```\n"
    (tmp_path / "docs" / "install.md").write_text(block, encoding="utf-8")
    (tmp_path / "docs" / "other.md").write_text("Nothing.\n", encoding="utf-8")
    assert main(["audit", "-R"]) == 0
    assert main(["audit", "docs/install.md"]) == 2
    assert "--docs" in capsys.readouterr().err
    assert main(["audit", "-R", "--docs"]) == 1
    assert main(["audit", "--docs", "docs/install.md"]) == 1
    assert "other.md" not in capsys.readouterr().out
