"""Workflows and other lists of jobs as the audit reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.formats import asked, errors, read, rules, scopes, stretches

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = ".github/workflows/ci.yml"


def job(*steps: str, head: str = "") -> str:
    lines = "".join(f"      {line}\n" for step in steps for line in step.split("\n"))
    return f"on: push\njobs:\n  test:\n{head}    steps:\n{lines}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "on: push\n",
        job("- uses: actions/checkout@v4"),
        job("- name: pip install torch", "- run: echo pip install torch"),
        job("- run: |\n    # pip install torch\n    pytest -k torch"),
        job("- uses: x/y@v1\n  with:\n    packages: torch==2.0"),
        job("- shell: python\n  run: |\n    print('pip install torch')"),
        job("- env:\n    TORCH: torch==2.0\n  run: make"),
    ],
)
def test_jobs_that_install_nothing(text: str) -> None:
    document = read(GITHUB, text)
    assert not document.entries
    assert not document.issues


@pytest.mark.parametrize(
    "step",
    [
        "- run: pip install torch==2.0.1",
        "- name: x\n  run: python -m pip install 'torch==2.0.1'",
        "- run: |\n    set -e\n\n    pip install \\\n      torch==2.0.1\n    # end",
        "- run: |-\n    pip install torch==2.0.1",
        "- run: >\n    pip install\n    torch==2.0.1",
        "- run: >-\n    pip install\n    -q torch==2.0.1",
        '- run: "pip install torch==2.0.1"',
        "- run: 'pip install torch==2.0.1'",
        "- shell: pwsh\n  run: |\n    pip install `\n      torch==2.0.1",
        "- shell: cmd\n  run: |\n    pip install ^\n      torch==2.0.1",
    ],
)
def test_the_ways_to_write_a_step(step: str) -> None:
    document = read(GITHUB, job("- uses: actions/checkout@v4", step))
    assert asked(document) == [("torch", "==2.0.1")]
    assert stretches(document) == ["==2.0.1"]


def test_what_the_host_fills_in_is_unknown() -> None:
    document = read(GITHUB, job("- run: pip install torch==${{ matrix.torch }} numpy==1.26.4"))
    assert asked(document) == [("numpy", "==1.26.4")]
    assert rules(document) == [("TL902", "note", 5)]


def test_jobs_are_apart_and_steps_under_a_condition_too() -> None:
    text = (
        "jobs:\n  a:\n    steps:\n      - run: pip install torch==1\n"
        "      - if: matrix.x\n        run: pip install scipy\n"
        "  b:\n    steps:\n      - run: pip install torch==2\n"
    )
    assert scopes(read(GITHUB, text)) == {"group:a": ["torch"], "group:a-line-6": ["scipy"], "group:b": ["torch"]}


def test_a_job_is_judged_on_its_machine_and_python() -> None:
    old = "- run: pip install torch==1.13.1 torchaudio==0.13.1"
    setup = "- uses: actions/setup-python@v5\n  with:\n    python-version: '%s'"
    assert errors(GITHUB, job(setup % "3.10", old, head="    runs-on: ubuntu-latest\n").encode()) == []
    found = errors(GITHUB, job(setup % "3.12", old, head="    runs-on: ubuntu-latest\n").encode())
    assert {rule for rule, _ in found} == {"TL403"}


def test_commands_among_the_values_of_a_matrix() -> None:
    text = (
        "jobs:\n  a:\n    strategy:\n      matrix:\n        install:\n          - pip install torch==1.0\n"
        "          - pip install torch==2.0\n"
        "    steps:\n      - run: ${{ matrix.install }}\n      - run: pip install numpy\n"
    )
    found = scopes(read(GITHUB, text))
    assert found == {"group:a-line-6": ["torch"], "group:a-line-7": ["torch"], "group:a": ["numpy"]}


def test_files_are_those_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    path = tmp_path / ".github" / "workflows" / "ci.yml"
    assert asked(read(str(path), job("- run: pip install -r requirements.txt"))) == [("torch", "==2.0.1")]
    assert [rule for rule, _, _ in rules(read(str(path), job("- run: pip install -r none.txt")))] == ["TL901"]


def test_windows_runs_powershell() -> None:
    document = read(
        GITHUB, job("- run: |\n    pip install `\n      torch==2.0.1", head="    runs-on: windows-2022\n")
    )
    assert asked(document) == [("torch", "==2.0.1")]


def test_indexes_from_the_environment() -> None:
    document = read(
        GITHUB, f"env:\n  PIP_EXTRA_INDEX_URL: https://example.org/whl\n{job('- run: pip install torch')}"
    )
    assert [(line.kind, line.address) for line in document.indexes] == [("extra", "https://example.org/whl")]


def test_gitlab() -> None:
    text = (
        "image: python:3.10\nbefore_script:\n  - pip install torch==2.0\n"
        "a:\n  script:\n    - pip install torchaudio==2.1\n"
        "b:\n  image: python:3.9\n  script:\n    - |\n      pip install scipy\n"
    )
    document = read(".gitlab-ci.yml", text)
    assert scopes(document) == {"": ["torch"], "group:a": ["torchaudio"], "group:b": ["scipy"]}
    assert [entry.marker for entry in document.entries if entry.name == "scipy"] == ["python_version == '3.9'"]


def test_azure() -> None:
    text = (
        "pool:\n  vmImage: ubuntu-22.04\nsteps:\n"
        "- bash: pip install torch==2.0\n- pwsh: pip install torchaudio==2.1\n"
    )
    assert scopes(read("azure-pipelines.yml", text)) == {"": ["torch", "torchaudio"]}


def test_circleci() -> None:
    text = (
        "version: 2.1\njobs:\n  a:\n    docker:\n      - image: cimg/python:3.10\n"
        "    steps:\n      - run: pip install torch\n"
    )
    document = read(".circleci/config.yml", text)
    assert asked(document) == [("torch", "")]
    assert document.entries[0].marker == "python_version == '3.10'"


@pytest.mark.parametrize(
    "text", ["jobs:\n  a: [\n", "jobs:\n\t- x\n", "jobs: {a: {steps: [{run: 1}, {run: [[]]}]}}\n"]
)
def test_broken_yaml_is_told(text: str) -> None:
    document = read(GITHUB, text)
    assert all(rule == "TL901" for rule, _, _ in rules(document))


@pytest.mark.parametrize(
    "written",
    [
        '"pip install torch==2.0.1 \\\n        numpy==1.26.4\\n"',
        '"pip install torch==2.0.1\n        numpy==1.26.4"',
        "'pip install ''torch==2.0.1''\n        numpy==1.26.4'",
        '"pip install \\"torch==2.0.1\\"\n        numpy==1.26.4"',
    ],
)
def test_a_quoted_command_over_several_lines(written: str) -> None:
    document = read(GITHUB, job(f"- run: {written}"))
    assert asked(document) == [("torch", "==2.0.1"), ("numpy", "==1.26.4")]
    assert not document.issues
