"""A remedy of audit is known to cure: its releases exist there, and a GPU build stays one of the same kind."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "https://download.pytorch.org/whl"
BOTH = ("error", "warning")


@cache
def auditor() -> Auditor:
    return Auditor()


def worse(tmp_path: Path, text: str, name: str = "requirements.txt") -> list[Finding]:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return [each for each in auditor().report(str(path)).findings if each.severity != "note"]


def fixed(tmp_path: Path) -> str | None:
    (path,) = tmp_path.iterdir()
    after = auditor().fixed(str(path), BOTH)
    return None if after is None else after.decode()


UNKNOWN = [
    pytest.param(
        "x.bat", f"pip install torch torchvision torchaudio --index-url {PAGE}/rocm5.6\n", id="no ROCm there"
    ),
    pytest.param(
        "requirements.txt", "torch==0.4.1\ntorchvision==0.2.1\n", id="a torch that the table does not have"
    ),
    pytest.param(
        "pyproject.toml",
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = ["torch==2.7.0+cu128"]\n'
        f'[tool.uv]\nextra-index-url = ["{PAGE}/cu128"]\n',
        id="no wheel for the declared Python",
    ),
]


@pytest.mark.parametrize(("name", "text"), UNKNOWN)
def test_what_is_not_known_to_cure_is_not_offered(name: str, text: str, tmp_path: Path) -> None:
    found = worse(tmp_path, text, name)
    assert found
    assert not any(each.remedy and each.remedy.edits for each in found)
    assert fixed(tmp_path) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("torch\ntorchvision\ntorchaudio\n", "torch\ntorchvision\ntorchaudio<2.1\n", id="all bare"),
        pytest.param("torch>=2.0\n", "torch>=2.0,<2.1\n", id="a range"),
    ],
)
def test_a_page_that_ends_bounds_what_is_taken_from_it(before: str, after: str, tmp_path: Path) -> None:
    head = f"# CUDA 11.7\n--extra-index-url {PAGE}/cu117\n"
    found = worse(tmp_path, head + before)
    assert {each.rule for each in found} == {"TL213"}
    assert all(each.remedy and each.remedy.edits for each in found)
    assert fixed(tmp_path) == head + after
    assert worse(tmp_path, head + after) == []


def test_bare_names_of_another_branch_are_not_tried(tmp_path: Path) -> None:
    text = (
        'if [[ "$OSTYPE" == "darwin"* ]]; then\npip3 install torch torchvision torchaudio\nelse\n'
        f"pip3 install --find-links {PAGE}/torch_stable.html \\\n"
        "    torch==1.11.0+cpu \\\n    torchvision==0.9.1+cpu \\\n    torchaudio==0.8.1\nfi\n"
    )
    found = worse(tmp_path, text, "setup.sh")
    assert {each.rule for each in found} == {"TL101", "TL103"}
    after = fixed(tmp_path)
    assert after == text.replace("1.11.0+cpu", "1.8.1+cpu")


def test_where_a_build_has_wheels_is_said(tmp_path: Path) -> None:
    found = worse(tmp_path, f"pip install torch --index-url {PAGE}/rocm5.6\n", "x.bat")
    (remedy,) = [each.remedy for each in found if each.rule == "TL212"]
    assert remedy is not None
    assert "wheels for Python 3.8 to 3.12 on Linux (x86_64)" in remedy.summary


def test_included_pins_are_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.3.0+cu121\ntorchaudio==2.3.1+cu121\n")
    path = tmp_path / "requirements-dev.txt"
    path.write_text("-r requirements.txt\npytest\n")
    found = [each for each in auditor().report(str(path)).findings if each.rule == "TL101"]
    assert [each.remedy and each.remedy.summary for each in found] == [
        "Write releases that work together: torchaudio 2.3.0 works with torch 2.3.0; torch 2.3.1 works with "
        "torchaudio 2.3.1."
    ]


def test_an_older_pip_is_named(tmp_path: Path) -> None:
    (found,) = worse(tmp_path, "omegaconf==2.0.6\n")
    assert found.remedy is not None
    assert "pip install 'pip<24.1'" in found.remedy.summary


def test_a_release_that_only_the_index_of_pytorch_has(tmp_path: Path) -> None:
    (found,) = worse(tmp_path, "torchaudio==0.2\n")
    assert (found.rule, found.severity) == ("TL502", "error")
    assert "only the index of PyTorch has it" in found.message
    for rest in ("torch==0.4.1\n", f"-f {PAGE}/torch_stable.html\ntorchaudio==0.2\n"):
        assert "TL502" not in {each.rule for each in worse(tmp_path, rest)}


def test_the_newest_torchvision_stays_when_its_torch_is_replaced(tmp_path: Path) -> None:
    found = worse(tmp_path, "pip install torch torchvision\npip install torch==2.0.0\n", "install.sh")
    assert [(each.rule, each.place.line) for each in found] == [("TL103", 1)]
    assert "torchvision 0.29.2 of that command stays" in found[0].message
    for named in (
        "pip install torch torchvision\npip install torch==2.0.0 torchvision==0.15.1\n",
        "pip install torch==2.1.0 torchvision\npip install torch==2.0.0 torchvision\n",
    ):
        assert worse(tmp_path, named, "install.sh") == []


def test_a_command_without_run(tmp_path: Path) -> None:
    text = "FROM python:3.11\nRUN pip install torch==2.9.1\ngit clone https://example.org/a.git\n"
    (found,) = worse(tmp_path, text, "Dockerfile")
    assert (found.rule, found.place.line) == ("TL501", 3)
    for other in (
        text.replace("git clone", "RUN git clone"),
        "# syntax=example.org/own\n" + text,
        "FROM python:3.11\nRUN <<EOF\ngit clone https://example.org/a.git\nEOF\nRUN pip install torch==2.9.1\n",
    ):
        assert worse(tmp_path, other, "Dockerfile") == []
