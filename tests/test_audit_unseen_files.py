"""Kinds of files that real repositories have: parts of one environment, images, pages, and code blocks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "https://download.pytorch.org/whl"
IMAGE = "FROM pytorch/pytorch:2.3.1-cuda12.1-cudnn8-runtime"


@cache
def auditor() -> Auditor:
    return Auditor(Options(docs=True))


def worse(path: Path, text: str) -> list[Finding]:
    path.write_text(text, encoding="utf-8")
    return [each for each in auditor().report(str(path)).findings if each.severity != "note"]


def rules(path: Path, text: str) -> set[str]:
    return {each.rule for each in worse(path, text)}


@pytest.mark.triggers("TL101")
@pytest.mark.parametrize("pin", ["", "==2.11.0"])
@pytest.mark.parametrize("page", ["cu128", "cu130"])
def test_a_release_that_fits_on_another_platform_only(tmp_path: Path, page: str, pin: str) -> None:
    text = f"--index-url {PAGE}/{page}\ntorch==2.10.0\ntorchaudio{pin}\n"
    (found,) = worse(tmp_path / "requirements.txt", text)
    assert found.rule == "TL101"


@pytest.mark.leaves_alone("TL101")
def test_a_release_of_a_page_that_fits(tmp_path: Path) -> None:
    text = f"--index-url {PAGE}/cu130\ntorch==2.11.0\ntorchaudio\n"
    assert not rules(tmp_path / "requirements.txt", text)


VENV = """FROM python:3.12
RUN python3 -m venv /app/.venv && . /app/.venv/bin/activate && \\
    pip install torch==2.7.1 torchvision && \\
    if [ -f "x" ]; then pip install {}; fi
"""


@pytest.mark.parametrize(
    ("later", "found"), [("torch==2.11.0", {"TL103"}), ("torch==2.11.0 torchvision", set()), ("numpy", set())]
)
def test_a_branch_of_a_virtual_environment_has_the_rest_of_it(tmp_path: Path, later: str, found: set[str]) -> None:
    assert rules(tmp_path / "Dockerfile", VENV.format(later)) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("torch>=2.12.1 torchaudio>=2.11.0", {"TL103"}),
        ("torch>=2.12.1 torchaudio>=2.11.0 torchvision", set()),
        ("torch>=2.3 torchaudio", set()),
        ("torch<2.3", {"TL101", "TL103"}),
    ],
)
def test_a_range_that_excludes_the_torch_of_an_image(tmp_path: Path, asked: str, found: set[str]) -> None:
    words = " ".join(f'"{each}"' for each in asked.split())
    assert rules(tmp_path / "Dockerfile", f"{IMAGE}\nRUN pip install {words}\n") - {"TL510"} == found


def test_an_index_of_one_code_block(tmp_path: Path) -> None:
    first = f"```\nexport PIP_INDEX_URL={PAGE}/cu118\npip install torch==2.7.1\n```\n"
    second = "```\npip install torch==2.9.0 torchaudio==2.9.0\n```\n"
    assert not rules(tmp_path / "README.md", first + second)
    assert rules(tmp_path / "README.md", first.replace("pip install torch==2.7.1\n", "") + second)


def test_the_newest_of_an_index_that_is_not_the_public_one(tmp_path: Path) -> None:
    text = f"```\n# CUDA 11.8\npip install torch==2.1.0 torchvision==0.16.0 --index-url {PAGE}/cu118\n"
    text += f"pip install -U xformers --index-url {PAGE}/cu118\n```\n"
    (found,) = worse(tmp_path / "README.md", text)
    assert "the newest xformers of its index" in found.message


def test_two_virtual_environments_of_a_script(tmp_path: Path) -> None:
    one = "python3 -m venv {0}\nsource {0}/bin/activate\npip install {1}\ndeactivate\n"
    script = tmp_path / "install.sh"
    assert not rules(script, one.format("a", "torch==2.1.0 torchaudio==2.1.0") + one.format("b", "torch==2.4.0"))
    assert rules(script, one.format("a", "torch==2.1.0 torchaudio==2.0.1") + one.format("b", "torch==2.4.0"))
    same = one.format("a", "torch==2.1.0 torchaudio==2.1.0") + one.format("a", "torch==2.4.0")
    assert "TL101" in rules(script, same)


def test_torch_on_another_platform_only(tmp_path: Path) -> None:
    text = "torch==2.11.0; sys_platform == 'linux'\ntorchaudio==2.11.0\n"
    (found,) = worse(tmp_path / "requirements.txt", text)
    assert found.message.endswith("does not request it on Windows, Windows (arm64) and macOS")


@pytest.mark.triggers("TL502")
def test_a_build_from_source_in_requirements(tmp_path: Path) -> None:
    (found,) = worse(tmp_path / "requirements.txt", "torch==1.7.1\ntorchaudio==0.7.0a0+a853dff\nnumpy<2\n")
    assert found.rule == "TL502"
    assert "of commit a853dff" in found.message


@pytest.mark.leaves_alone("TL502")
def test_a_build_from_source_of_another_index(tmp_path: Path) -> None:
    text = "--index-url https://pkg.example.org/simple\ntorch==1.7.1\ntorchaudio==0.7.0a0+a853dff\n"
    assert not rules(tmp_path / "requirements.txt", text)


def test_a_pin_that_a_later_command_repeats(tmp_path: Path) -> None:
    text = f"FROM python:3.11\nRUN pip install torch==2.7.0 torchaudio --index-url {PAGE}/cu128\n"
    (found,) = worse(tmp_path / "Dockerfile", text + "RUN pip install torch==2.7.0 numpy\n")
    assert found.remedy is not None
    assert found.remedy.summary == "Write torchaudio<2.7.1 instead of torchaudio."


def test_the_torch_of_an_image_is_no_line_to_change(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torchcodec\n")
    text = "FROM pytorch/pytorch:2.4.0-cuda12.4-cudnn9-devel\nCOPY . .\nRUN pip install -r requirements.txt\n"
    (found,) = worse(tmp_path / "Dockerfile", text)
    assert found.remedy is not None
    assert "torchcodec 0.0.1, 0.0.2 or 0.0.3 with torch 2.4.0" in found.remedy.summary


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("requirements-mac.txt", set()),
        ("requirements_linux.txt", {"TL101"}),
        ("requirements-win-mac.txt", {"TL101"}),
        ("requirements-machine.txt", {"TL101"}),
    ],
)
def test_the_system_in_the_name_of_a_file(tmp_path: Path, name: str, found: set[str]) -> None:
    # On macOS torchaudio 2.11 works with torch 2.10.
    assert rules(tmp_path / name, "torch==2.10.0\ntorchaudio\n") == found


def test_a_cuda_page_in_a_file_for_macos(tmp_path: Path) -> None:
    text = f"--index-url {PAGE}/cu121\ntorch==2.5.1\n"
    assert rules(tmp_path / "requirements-mac.txt", text) == {"TL212"}
    assert not rules(tmp_path / "requirements.txt", text)


def test_an_error_that_becomes_a_warning_is_not_fixed(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    text = "torch==2.7.1; sys_platform == 'win32'\ntorch==2.7.0; sys_platform == 'linux'\n"
    text += "torch>=2.9.1; sys_platform == 'darwin'\ntorchcodec>=0.9.1\n"
    assert "TL102" in rules(path, text)
    after = auditor().fixed(str(path), ("error",))
    assert after is None or not rules(path, after.decode())
