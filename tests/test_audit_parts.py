"""What one part of a file states counts for that part: Pythons, platforms and indexes of commands."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from torchlock.audit import Auditor, Options
from torchlock.manifests import read_document

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

PAGE = "https://download.pytorch.org/whl/cu117"


@cache
def auditor() -> Auditor:
    return Auditor(Options(docs=True))


def worse(path: Path, text: str) -> list[Finding]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [each for each in auditor().report(str(path)).findings if each.severity != "note"]


TWO_ROWS = """
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        include:
          - {python: '3.8', torch: 1.13.1}
          - {python: '3.12', torch: 2.5.0}
    steps:
      - run: conda install -n test python=${{ matrix.python }}
      - run: pip3 install torch==${{ matrix.torch }}
"""
TWO_JOBS = """
on: push
jobs:
  old:
    steps:
      - run: conda create -n a python=3.8 && conda run -n a pip install torch==1.13.1
  new:
    steps:
      - run: conda create -n b python=3.12 && conda run -n b pip install torch==2.5.0
  other:
    steps:
      - run: pip install torch==2.5.1
"""
BLOCKS = """
```bash
conda create -n a python=3.8
pip install torch==1.13.1
```
```bash
conda create -n b python=3.12
pip install torch==2.5.0
```
"""
RECIPES = (
    "old:\n\tconda create -n a python=3.8\n\tconda run -n a pip install torch==1.13.1\n"
    "new:\n\tconda create -n b python=3.12\n\tconda run -n b pip install torch==2.5.0\n"
)
BATCH = (
    "conda create -n a python=3.8\npip install torch==1.13.1\n"
    "conda create -n b python=3.12\npip install torch==2.5.0\n"
)
STAGES = (
    "FROM continuumio/miniconda3 AS build\nRUN conda install python=3.8 && pip install torch==1.13.1\n"
    "FROM python:3.12-slim\nRUN pip install torch==2.5.1\n"
)
COPIED = STAGES.replace("RUN pip", "COPY --from=build /opt/conda /opt/conda\nRUN pip")
UNKNOWN_STAGE = STAGES.replace("python:3.12-slim", "ubuntu:24.04")
SEVERAL = (
    "FROM continuumio/miniconda3\nRUN conda create -n a python=3.8\nRUN conda create -n b python=3.12\n"
    "RUN pip install torch==2.5.1\n"
)


@pytest.mark.leaves_alone("TL212", "TL403")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/rows.yml", TWO_ROWS),
        (".github/workflows/jobs.yml", TWO_JOBS),
        ("README.md", BLOCKS),
        ("Makefile", RECIPES),
        ("install.bat", BATCH),
        ("install.sh", BATCH),
        ("Dockerfile", STAGES),
        ("Dockerfile", COPIED),
        ("Dockerfile", UNKNOWN_STAGE),
        ("Dockerfile", SEVERAL),
        ("one.sh", "pip install --platform macosx_11_0_x86_64 --target x sox\npip install torch==2.5.1\n"),
    ],
)
def test_an_environment_has_its_own_python(tmp_path: Path, name: str, text: str) -> None:
    assert worse(tmp_path / name, text) == []


@pytest.mark.triggers("TL403")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".github/workflows/rows.yml", TWO_ROWS.replace("1.13.1", "2.5.0")),
        (".github/workflows/jobs.yml", TWO_JOBS.replace("torch==1.13.1", "torch==2.5.0")),
        ("README.md", BLOCKS.replace("torch==1.13.1", "torch==2.5.0")),
        ("README.md", "```\nconda create -n a python=3.8\n```\n```\npip install torch==2.5.0\n```\n"),
        ("install.sh", "conda create -n a python=3.8\npip install torch==2.5.0\n"),
        ("Dockerfile", "FROM continuumio/miniconda3\nRUN conda install python=3.8 && pip install torch==2.5.1\n"),
        ("one.sh", "pip install --platform macosx_11_0_x86_64 --target x torch==2.5.1\n"),
    ],
)
def test_a_wrong_python_is_still_seen(tmp_path: Path, name: str, text: str) -> None:
    assert {each.rule for each in worse(tmp_path / name, text)} <= {"TL403", "TL402", "TL404"}
    assert worse(tmp_path / name, text)


INDEX_JOBS = f"""
on: push
jobs:
  old:
    env:
      PIP_EXTRA_INDEX_URL: {PAGE}
    steps:
      - run: pip install torch==2.0.1+cu117
  new:
    steps:
      - run: pip install torch torchaudio
"""


@pytest.mark.leaves_alone("TL206", "TL213")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", f"```\npip install 'torch<2' --extra-index-url {PAGE}\n```\n```\npip install torch\n```\n"),
        (
            "README.md",
            "```\npip install torch==2.2.0+cu121 -f https://download.pytorch.org/whl/torch_stable.html\n```\n"
            "```\npip install torch==2.2.0\n```\n",
        ),
        (".github/workflows/jobs.yml", INDEX_JOBS),
        ("tox.ini", f"[testenv:a]\ndeps =\n  --extra-index-url {PAGE}\n  torch<2\n[testenv:b]\ndeps =\n  torch\n"),
    ],
)
def test_an_index_of_one_part_is_none_of_another(tmp_path: Path, name: str, text: str) -> None:
    assert worse(tmp_path / name, text) == []


@pytest.mark.triggers("TL213")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", f"```\npip install torch --extra-index-url {PAGE}\n```\n```\npip install librosa\n```\n"),
        (".github/workflows/jobs.yml", INDEX_JOBS.replace("torch==2.0.1+cu117", "torch")),
        ("tox.ini", f"[testenv:a]\ndeps =\n  --extra-index-url {PAGE}\n  torch\n[testenv:b]\ndeps =\n  torch\n"),
    ],
)
def test_an_index_counts_in_its_own_part(tmp_path: Path, name: str, text: str) -> None:
    assert {each.rule for each in worse(tmp_path / name, text)} == {"TL213"}


def test_the_indexes_of_a_file_are_for_the_commands_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text(f"--extra-index-url {PAGE}\ntorch\n", encoding="utf-8")
    script = tmp_path / "a.sh"
    script.write_text("pip install -r r.txt\npip install torchaudio\nuv pip install -r r.txt\n", encoding="utf-8")
    document = read_document(str(script))
    assert [(line.address, line.steps) for line in document.indexes] == [(PAGE, (1, 3))]
    assert [document.indexes[0].serves(step) for step in (0, 1, 2, 3)] == [True, True, False, True]


@pytest.mark.parametrize("jobs", [2, 3])
def test_one_index_of_several_parts_is_recorded_for_each(tmp_path: Path, jobs: int) -> None:
    job = f"  {{}}:\n    env:\n      PIP_EXTRA_INDEX_URL: {PAGE}\n    steps:\n      - run: pip install torch\n"
    path = tmp_path / "w.yml"
    path.write_text("on: push\njobs:\n" + "".join(job.format(f"j{at}") for at in range(jobs)), encoding="utf-8")
    document = read_document(str(path), kind="workflow")
    assert [step for line in document.indexes for step in line.steps] == list(range(1, jobs + 1))
