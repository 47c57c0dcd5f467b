"""The remedy: the fewest lines, the least deliberate ones, and not a byte beside them."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import pytest

from support.amount import amount
from torchlock.audit import Auditor
from torchlock.audit.fix.remedies import rewritten
from torchlock.manifests import read_document

if TYPE_CHECKING:
    from pathlib import Path


@cache
def auditor() -> Auditor:
    return Auditor()


def fix(tmp_path: Path, text: str, *severities: str, name: str = "requirements.txt") -> str | None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    fixed = auditor().fixed(str(path), severities or ("error",))
    return None if fixed is None else fixed.decode()


def errors(text: str) -> int:
    findings = auditor().judge(read_document("requirements.txt", raw=text.encode(), kind="requirements"))
    return sum(finding.severity == "error" for finding in findings)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("torch==2.5.1\ntorchaudio==2.5.1\n", id="in order"),
        pytest.param("torch==2.3.1\ntorchaudio\n", id="only a warning"),
        pytest.param("torch==2.3.1+cu118\n", id="nothing that a version mends"),
        pytest.param("", id="empty"),
    ],
)
def test_left_alone(tmp_path: Path, text: str) -> None:
    assert fix(tmp_path, text) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "torch==2.7.1\ntorchaudio==2.5.1\n",
            "torch==2.7.1\ntorchaudio==2.7.1\n",
            id="torch outweighs torchaudio",
        ),
        pytest.param(
            "torch==2.4.0\ntorchvision==0.13.0\ntorchaudio==0.12.0\n",
            "torch==1.12.0\ntorchvision==0.13.0\ntorchaudio==0.12.0\n",
            id="one line before two, though it is torch",
        ),
        pytest.param(
            "# top\r\n\r\ntorch == 2.7.1   # why\r\n  torchaudio == 2.5.1 ; python_version > '3'  # and why\r\n",
            "# top\r\n\r\ntorch == 2.7.1   # why\r\n  torchaudio == 2.7.1 ; python_version > '3'  # and why\r\n",
            id="spaces, comments, markers and line ends stay",
        ),
        pytest.param(
            "torch~=2.2.1\ntorchvision~=0.15.1", "torch~=2.2.1\ntorchvision~=0.17.2", id="the operator stays"
        ),
        pytest.param(
            "--extra-index-url https://example.org/whl/cu118\ntorch==2.2.1+cu121\ntorchaudio==2.2.1+cu118\n",
            "--extra-index-url https://example.org/whl/cu118\ntorch==2.2.1+cu118\ntorchaudio==2.2.1+cu118\n",
            id="the build that the index carries",
        ),
        pytest.param("torch==2.5.2\n", "torch==2.5.1\n", id="the nearest release there is"),
        pytest.param("torch~=2.1.2\ntorch==2.1.0\n", None, id="two demands on one package"),
    ],
)
def test_the_smallest_change(tmp_path: Path, before: str, after: str | None) -> None:
    fixed = fix(tmp_path, before)
    if after is not None:
        assert fixed == after
    assert fixed is not None
    assert errors(fixed) == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("torch==2.3.1\ntorchaudio\n", "torch==2.3.1\ntorchaudio<2.4\n", id="a bare companion"),
        pytest.param(
            "torch\ntorchaudio==2.11.0\n", "torch<2.15\ntorchaudio==2.11.0\n", id="the newest builds do not fit"
        ),
        pytest.param(
            "torch==2.3.1\ntorchaudio>=2.0,<3\n",
            "torch==2.3.1\ntorchaudio>=2.0,<2.4\n",
            id="a lower upper end",
        ),
        pytest.param("torch==2.2.2\nnumpy\n", "torch==2.2.2\nnumpy<2\n", id="NumPy"),
    ],
)
def test_warnings_are_mended_when_they_count(tmp_path: Path, before: str, after: str) -> None:
    assert fix(tmp_path, before, "error", "warning") == after


def test_other_encodings_stay(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes("# früher\r\ntorch==2.7.1\r\ntorchaudio==2.5.1\r\n".encode("utf-16"))
    assert auditor().fixed(str(path)) == "# früher\r\ntorch==2.7.1\r\ntorchaudio==2.7.1\r\n".encode("utf-16")
    path.write_bytes(b"\xef\xbb\xbftorch==2.7.1\ntorchaudio==2.5.1\n")
    assert auditor().fixed(str(path)) == b"\xef\xbb\xbftorch==2.7.1\ntorchaudio==2.7.1\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        pytest.param(
            "pyproject.toml",
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.7.1", "torchaudio == 2.5.1"] # a\n',
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch==2.7.1", "torchaudio == 2.7.1"] # a\n',
            id="pyproject",
        ),
        pytest.param(
            "pyproject.toml",
            '[tool.poetry.dependencies]\npython = "^3.10"\ntorch = "2.7.1"\ntorchaudio = {version = "2.5.1"}\n',
            '[tool.poetry.dependencies]\npython = "^3.10"\ntorch = "2.7.1"\ntorchaudio = {version = "2.7.1"}\n',
            id="poetry",
        ),
        pytest.param(
            "environment.yml",
            "dependencies:\n  - pytorch=2.1.0\n  - pip:\n    - torchaudio==2.0.2  # old\n",
            "dependencies:\n  - pytorch=2.1.0\n  - pip:\n    - torchaudio==2.1.0  # old\n",
            id="conda",
        ),
        pytest.param(
            "Pipfile",
            '[packages]\ntorch = "==2.7.1"\ntorchaudio = "==2.5.1"\n',
            '[packages]\ntorch = "==2.7.1"\ntorchaudio = "==2.7.1"\n',
            id="Pipfile",
        ),
        pytest.param(
            "setup.cfg",
            "[options]\ninstall_requires =\n    torch==2.7.1\n    torchaudio==2.5.1\n",
            "[options]\ninstall_requires =\n    torch==2.7.1\n    torchaudio==2.7.1\n",
            id="setup.cfg",
        ),
        pytest.param(
            "setup.py",
            "import setuptools\nsetuptools.setup(install_requires=['torch==2.7.1', 'torchaudio==2.5.1'])\n",
            "import setuptools\nsetuptools.setup(install_requires=['torch==2.7.1', 'torchaudio==2.7.1'])\n",
            id="setup.py",
        ),
        pytest.param(
            "Dockerfile",
            "FROM python:3.11\nRUN pip install torch==2.7.1 \\\n      torchaudio==2.5.1\n",
            "FROM python:3.11\nRUN pip install torch==2.7.1 \\\n      torchaudio==2.7.1\n",
            id="Dockerfile",
        ),
    ],
)
def test_every_format_that_people_write(tmp_path: Path, name: str, before: str, after: str) -> None:
    assert fix(tmp_path, before, name=name) == after


def test_markers_are_mended_apart(tmp_path: Path) -> None:
    before = "".join(
        f"torch=={torch}; python_version {where}\ntorchaudio=={audio}; python_version {where}\n"
        for torch, audio, where in (("2.1.2", "2.1.1", "< '3.9'"), ("2.5.1", "2.5.0", ">= '3.9'"))
    )
    assert fix(tmp_path, before) == before.replace("audio==2.1.1", "audio==2.1.2").replace(
        "audio==2.5.0", "audio==2.5.1"
    )


def test_many_conflicts_that_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    extras = "".join(f'e{number} = ["torch==2.0.0", "torchaudio==2.1.0"]\n' for number in range(8))
    before = f'[project]\nname = "x"\nversion = "1"\n[project.optional-dependencies]\n{extras}'
    after = before.replace("torchaudio==2.1.0", "torchaudio==2.0.1")
    assert fix(tmp_path, before, name="pyproject.toml") == after


def test_hashed_pins_are_not_edited(tmp_path: Path) -> None:
    digest = "0" * 64
    before = f"torch==2.7.1 --hash=sha256:{digest}\ntorchaudio==2.5.1 --hash=sha256:{digest}\n"
    assert fix(tmp_path, before) is None


def test_a_shell_gets_its_quotes(tmp_path: Path) -> None:
    before = "pip install torch==2.2.2 numpy 'torchaudio'\n"
    after = "pip install torch==2.2.2 \"numpy<2\" 'torchaudio<2.3'\n"
    assert fix(tmp_path, before, "error", "warning", name="install.sh") == after


def test_locks_are_not_edited(tmp_path: Path) -> None:
    lock = 'version = 1\nrequires-python = ">=3.10"\n'
    for package, version in (("torch", "2.7.1"), ("torchaudio", "2.5.1")):
        lock += f'\n[[package]]\nname = "{package}"\nversion = "{version}"\n'
        lock += 'source = { registry = "https://example.org/simple" }\n'
    assert fix(tmp_path, lock, name="uv.lock") is None
    findings = auditor().report(str(tmp_path / "uv.lock")).findings
    remedy = next(finding.remedy for finding in findings if finding.severity == "error")
    assert remedy is not None
    assert remedy.edits == ()
    assert "torchaudio==2.7.1" in remedy.summary


@pytest.mark.sampled
def test_no_smaller_change_would_do() -> None:
    """Against every release of every single line: a cure of two lines only where none of one does."""
    draw, stack = random.Random(3), auditor().known.stack
    tried = 0
    for _ in range(amount(60, quick=3)):
        lines = {}
        for name in ("torch", "torchaudio", "torchvision"):
            texts = [text for text in stack.packages[name].versions if text >= "1" or name != "torch"]
            lines[name] = draw.choice(texts[8:])
        text = "".join(f"{name}=={version}\n" for name, version in lines.items())
        if not errors(text):
            continue
        fixed = auditor().fixed("requirements.txt", raw=text.encode())
        if fixed is None:
            assert not _one_line(lines)
            continue
        assert errors(fixed.decode()) == 0
        changed = sum(was != now for was, now in zip(text.splitlines(), fixed.decode().splitlines(), strict=True))
        if changed > 1:
            tried += 1
            assert not _one_line(lines)
    assert tried > amount(10, quick=0)


def _one_line(lines: dict[str, str]) -> bool:
    """Whether some release of some line alone mends all."""
    for name in lines:
        package = auditor().known.stack.packages[name]
        for version in package.versions:
            if not errors("".join(f"{each}=={version if each == name else pin}\n" for each, pin in lines.items())):
                return True
    return False


@pytest.mark.parametrize(
    ("written", "new", "style", "expected"),
    [
        ("==2.0.1", "==2.1.0", "pep440", "==2.1.0"),
        (" == 2.0.1", "==2.1.0", "pep440", " == 2.1.0"),
        ("", "<2.15", "pep440", "<2.15"),
        (">=2.0", ">=2.0,<2.15", "pep440", ">=2.0,<2.15"),
        ("2.0.1", "==2.1.0", "poetry", "2.1.0"),
        ("==2.0.1", "==2.1.0", "poetry", "==2.1.0"),
        ("=1.7.1", "==2.0.1", "conda", "=2.0.1"),
        ("==1.7.1", "==2.0.1", "conda", "==2.0.1"),
    ],
)
def test_spelling(written: str, new: str, style: str, expected: str) -> None:
    assert rewritten(written, new, style) == expected


COMMANDS = {
    "Makefile": ("x:\n\tpip install {}\n", '"'),
    "justfile": ("x:\n    pip install {}\n", '"'),
    ".github/workflows/a.yml": ("jobs:\n  a:\n    steps:\n      - run: pip install {}\n", '"'),
    "install.bat": ("pip install {}\r\n", '"'),
    "install.ps1": ("pip install {}\r\n", '"'),
    "a.ipynb": ('{{"cells": [{{"cell_type": "code", "source": ["!pip install {}\\n"]}}]}}', "'"),
    "tox.ini": ("[testenv]\ncommands = pip install {}\n", '"'),
    "cog.yaml": ("build:\n  run:\n    - pip install {}\n", '"'),
    "run.py": ('import os\nos.system("pip install {}")\n', "'"),
    "install.sh": ('bash -c "pip install {}"\n', "'"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_range_in_a_command_is_quoted(tmp_path: Path, name: str) -> None:
    template, mark = COMMANDS[name]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    path = tmp_path / name
    path.write_bytes(template.format("torch==2.7.0 torchaudio").encode())
    fixed = auditor().fixed(str(path), ("error", "warning"))
    assert fixed is not None
    assert fixed.decode() == template.format(f"torch==2.7.0 {mark}torchaudio<2.7.1{mark}")


@pytest.mark.parametrize(
    ("name", "text", "new"),
    [
        ("tox.ini", "[testenv]\ndeps =\n  torch==2.7.0\n  {}\n", "torchaudio<2.7.1"),
        ("cog.yaml", "build:\n  python_packages:\n    - torch==2.7.0\n    - {}\n", "torchaudio<2.7.1"),
        ("Dockerfile", 'FROM python:3.11\nRUN ["pip", "install", "torch==2.7.0", "{}"]\n', "torchaudio<2.7.1"),
        ("install.bat", 'cmd /c "pip install torch==2.7.0 {}"\r\n', "torchaudio"),
    ],
)
def test_a_range_in_a_list_is_not(tmp_path: Path, name: str, text: str, new: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.format("torchaudio").encode())
    fixed = auditor().fixed(str(path), ("error", "warning")) or path.read_bytes()
    assert fixed.decode() == text.format(new)


@pytest.mark.parametrize(
    ("name", "text", "fixed"),
    [
        ("a.sh", "pip install torch>=2.2.1+cu121\n", 'pip install "torch==2.2.1+cu121"\n'),
        ("a.sh", "pip install librosa>=0.9,<0.11\n", 'pip install "librosa>=0.9,<0.11"\n'),
        ("a.sh", "pip install numpy<2\n", 'pip install "numpy<2"\n'),
        # --pre on its own line would be for every package.
        ("r.txt", "torch --pre --extra-index-url https://example.org/simple\nnumpy\n", None),
        # A build of conda stays if the package of pip alone is wrong.
        (
            "environment.yml",
            "dependencies:\n  - pytorch=1.13.1=py3.10_cuda11.7_cudnn8_0\n  - pip:\n    - torch==2.1.2\n"
            "    - torchaudio==0.13.1\n    - torchvision==0.16.2\n",
            "dependencies:\n  - pytorch=1.13.1=py3.10_cuda11.7_cudnn8_0\n  - pip:\n    - torch==2.1.2\n"
            "    - torchaudio==2.1.2\n    - torchvision==0.16.2\n",
        ),
    ],
)
def test_a_fix_changes_what_is_wrong_and_no_more(tmp_path: Path, name: str, text: str, fixed: str | None) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    severities = ("error",) if name == "environment.yml" else ("error", "warning")
    assert auditor().fixed(str(path), severities) == (None if fixed is None else fixed.encode())


def test_findings_about_versions_that_a_shell_takes_share_the_correction(tmp_path: Path) -> None:
    path = tmp_path / "a.sh"
    path.write_text(
        "pip install torch>=2.2 --extra-index-url https://download.pytorch.org/whl/cu121\n", encoding="utf-8"
    )
    found = auditor().report(str(path)).findings
    assert {each.remedy.summary for each in found if each.severity != "note" and each.remedy} == {
        "Put it in quotes"
    }
