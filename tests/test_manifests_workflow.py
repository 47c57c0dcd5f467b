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
    assert found == {
        "group:a-pip-install-torch-1.0": ["torch", "numpy"],
        "group:a-pip-install-torch-2.0": ["torch", "numpy"],
    }


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


MATRIX = """\
jobs:
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      matrix:
        os: [ubuntu-latest, windows-latest]
        torch: ["2.5.1", "2.6.0"]
        exclude:
          - {os: windows-latest, torch: "2.5.1"}
        include:
          - {os: ubuntu-latest, torch: "2.6.0", audio: "2.6.0"}
          - {os: macos-14, torch: "2.4.1", audio: "2.3.0"}
    steps:
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - run: pip install torch==${{ matrix.torch }}
      - if: matrix.os == 'macos-14' && matrix.torch != '2.5.1'
        run: pip install torchaudio==${{ matrix.audio }}
      - if: ${{ runner.os == 'Windows' }}
        run: pip install soundfile
"""


def test_a_matrix_of_literal_values_is_expanded() -> None:
    document = read(GITHUB, MATRIX)
    found = {(entry.scope, entry.name, entry.specifier, "darwin" in entry.marker) for entry in document.entries}
    assert found == {
        ("group:test-ubuntu-latest-2.5.1", "torch", "==2.5.1", False),
        ("group:test-ubuntu-latest-2.6.0-2.6.0", "torch", "==2.6.0", False),
        ("group:test-windows-latest-2.6.0", "torch", "==2.6.0", False),
        ("group:test-windows-latest-2.6.0", "soundfile", "", False),
        ("group:test-macos-14-2.4.1-2.3.0", "torch", "==2.4.1", True),
        ("group:test-macos-14-2.4.1-2.3.0", "torchaudio", "==2.3.0", True),
    }
    assert all("3.11" in entry.marker for entry in document.entries)
    assert not any(entry.version for entry in document.entries if entry.specifier)
    assert not rules(document)
    together = MATRIX.replace("matrix.torch }}", "matrix.torch }} torchaudio==2.6.0")
    assert errors(GITHUB, together.encode()) == [("TL101", 16)]


def test_a_value_that_no_matrix_states_is_told() -> None:
    text = MATRIX.replace('["2.5.1", "2.6.0"]', "${{ fromJson(needs.a.outputs.b) }}")
    assert [(rule, line) for rule, _, line in rules(read(GITHUB, text))] == [("TL902", 16), ("TL902", 18)]


def test_what_a_matrix_does_not_change_is_judged_once() -> None:
    text = MATRIX.replace("torch==${{ matrix.torch }}", "torch==2.0.1").replace("runs-on: ${{ matrix.os }}", "")
    names = [entry.name for entry in read(GITHUB, text).entries if entry.name == "torch"]
    assert len(names) < 4


@pytest.mark.parametrize("level", ["file", "job", "step"])
def test_variables_of_the_environment(level: str) -> None:
    def env(here: str, indent: int) -> str:
        return f"{' ' * indent}env:\n{' ' * indent}  TORCH: '2.4.1'\n" if here == level else ""

    text = (
        f"{env('file', 0)}jobs:\n  a:\n{env('job', 4)}    steps:\n"
        f"      - run: pip install torch==${{{{ env.TORCH }}}} torchaudio==$TORCH torchvision==${{TORCH}}\n"
        f"{env('step', 8)}      - run: pip install torchtext==$TORCH\n"
    )
    document = read(GITHUB, text)
    wanted = ["torch", "torchaudio", "torchvision", *([] if level == "step" else ["torchtext"])]
    assert asked(document) == [(name, "==2.4.1") for name in wanted]
    assert len(rules(document)) == (level == "step")


def test_variables_of_azure_and_parameters_of_circleci() -> None:
    text = "variables:\n  torch: 2.4.1\nsteps:\n- bash: pip install torch==$(torch) numpy==$(other)\n"
    document = read("azure-pipelines.yml", text)
    assert asked(document) == [("torch", "==2.4.1")]
    assert [rule for rule, _, _ in rules(document)] == ["TL902"]
    steps = "      - run: |\n          pip install torch==<< parameters.v >>\n          pip install numpy\n"
    text = f"jobs:\n  a:\n    steps:\n{steps}"
    document = read(".circleci/config.yml", text)
    assert asked(document) == [("numpy", "")]
    assert [rule for rule, _, _ in rules(document)] == ["TL902"]


def test_the_default_shell_of_a_job() -> None:
    text = (
        "defaults:\n  run:\n    shell: bash\njobs:\n  a:\n    runs-on: windows-latest\n    steps:\n"
        "      - run: |\n          pip install \\\n            torch==2.0.1\n"
    )
    assert asked(read(GITHUB, text)) == [("torch", "==2.0.1")]


@pytest.mark.parametrize(
    ("test", "windows", "others"),
    [
        ('[ "$RUNNER_OS" == "Windows" ]', True, False),
        ('[[ "${RUNNER_OS}" != Windows ]]', False, True),
        ('[ "${{ runner.os }}" = "Windows" ]', True, False),
        ('[[ "${{ matrix.os }}" == windows* ]]', True, False),
        ('[ "$OTHER" = "Windows" ]', True, True),
        ('[ "$RUNNER_OS" = Windows ] && [ -f a ]', True, True),
    ],
)
def test_a_shell_condition_on_the_system(test: str, windows: bool, others: bool) -> None:
    text = (
        "jobs:\n  a:\n    strategy:\n      matrix:\n        os: [windows-latest, macos-15-intel]\n"
        "    runs-on: ${{ matrix.os }}\n    steps:\n      - shell: bash\n        run: |\n"
        f"          if {test}; then\n            pip install torch==2.8.0+cu129\n          fi\n"
    )
    markers = [entry.marker for entry in read(GITHUB, text).entries]
    assert any("win32" in marker for marker in markers) is windows
    assert any("darwin" in marker for marker in markers) is others


def test_the_other_branches_of_a_decided_condition() -> None:
    text = (
        "jobs:\n  a:\n    runs-on: {}\n    steps:\n      - shell: bash\n        run: |\n"
        "          if [ $RUNNER_OS = Windows ]; then\n            pip install torch==2.1.0\n"
        "          elif [ $RUNNER_OS = Linux ]; then\n            pip install torch==2.2.0\n"
        "          else\n            pip install torch==2.3.0\n          fi\n          pip install numpy\n"
    )
    for system, version in (("windows-2022", "2.1.0"), ("ubuntu-24.04", "2.2.0"), ("macos-15", "2.3.0")):
        assert asked(read(GITHUB, text.format(system))) == [("torch", f"=={version}"), ("numpy", "")]


GITLAB = """
stages: [test]
test:
  image: python:$PYTHON
  parallel:
    matrix:
      - PYTHON: ["3.9", "3.10"]
        TORCH: "2.0.1"
      - PYTHON: "3.11"
        TORCH: ["2.1.0", "2.2.0"]
  script:
    - pip install torch==$TORCH
lint:
  image: python:3.12
  script: [pip install ruff]
"""


def test_the_matrix_of_gitlab() -> None:
    document = read(".gitlab-ci.yml", GITLAB)
    found = {(entry.specifier, entry.marker) for entry in document.entries if entry.name == "torch"}
    assert found == {
        ("==2.0.1", "python_version == '3.9'"),
        ("==2.0.1", "python_version == '3.10'"),
        ("==2.1.0", "python_version == '3.11'"),
        ("==2.2.0", "python_version == '3.11'"),
    }
    assert len({entry.scope for entry in document.entries}) == 5


STEPS = """
    steps:
      - task: UsePythonVersion@0
        inputs:
          versionSpec: '$(python.version)'
      - script: pip install torch==$(torch) torchaudio==$TORCHAUDIO
"""
AZURE = """
    strategy:
      matrix:
        Old:
          python.version: '3.9'
          torch: 2.0.1
          torchaudio: 2.0.2
          os: ubuntu-latest
        New:
          python.version: '3.11'
          torch: 2.6.0
          torchaudio: 2.6.0
          os: windows-latest
    pool:
      vmImage: $(os)
"""


@pytest.mark.parametrize(
    "text",
    [
        f"jobs:\n  - job: Test{AZURE}{STEPS}  - job: Lint\n    steps: [script: pip install ruff]\n",
        (AZURE + STEPS).replace("\n    ", "\n"),
        "stages:\n- stage: One\n  jobs:\n  - job: Test" + AZURE + STEPS,
    ],
)
def test_the_matrix_of_azure(text: str) -> None:
    document = read("azure-pipelines.yml", text)
    torch = {
        (entry.specifier, "3.9" in entry.marker, "win32" in entry.marker)
        for entry in document.entries
        if entry.name == "torch"
    }
    assert torch == {("==2.0.1", True, False), ("==2.6.0", False, True)}
    audio = {entry.scope: entry.specifier for entry in document.entries if entry.name == "torchaudio"}
    assert sorted(audio.values()) == ["==2.0.2", "==2.6.0"]


def test_the_jobs_of_a_stage_are_apart() -> None:
    text = (
        "stages:\n- stage: A\n  jobs:\n  - job: One\n    steps:\n    - script: pip install torch==2.0.1\n"
        "  - job: Two\n    steps:\n    - script: pip install torch==2.6.0\n"
    )
    assert scopes(read("azure-pipelines.yml", text)) == {"group:One": ["torch"], "group:Two": ["torch"]}
