"""The files for CI: the action of GitHub, the template of GitLab, the problem matcher. Their scripts are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from torchlock import __version__
from torchlock.cli.main import main

ROOT = Path(__file__).parents[1]
BAD = "torch==2.7.1\ntorchaudio==2.5.1\n"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TEMPLATE = yaml.safe_load((ROOT / "ci" / "torchlock.gitlab-ci.yml").read_text(encoding="utf-8"))["torchlock"]
MATCHERS = json.loads((ROOT / "ci" / "problem-matcher.json").read_text(encoding="utf-8"))["problemMatcher"]
STEPS = {step.get("id", step["name"]): step for step in ACTION["runs"]["steps"]}


def workflows() -> list[Path]:
    return [ROOT / "action.yml", *sorted((ROOT / ".github").rglob("*.yml"))]


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.name)
def test_actions_of_others_are_pinned_by_commit(path: Path) -> None:
    for used in re.findall(r"^\s*(?:- )?uses: (.*)$", path.read_text(encoding="utf-8"), re.M):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v[\d.]+", used), used


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.name)
def test_no_script_contains_an_expression(path: Path) -> None:
    """An input in a script would be run as a part of it; inputs come as variables."""

    def scripts(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["run"]] if isinstance(value.get("run"), str) else []
            return own + [each for item in value.values() for each in scripts(item)]
        return [each for item in value for each in scripts(item)] if isinstance(value, list) else []

    found = scripts(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert found
    assert not [script for script in found if "${{" in script]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, with torchlock where the install step of the action puts it."""
    for name in [name for name in os.environ if name.startswith("TORCHLOCK_")]:
        monkeypatch.delenv(name)
    programs = tmp_path / "temp" / "torchlock" / "bin"
    programs.mkdir(parents=True)
    (programs / "torchlock").write_text(f'#!/bin/sh\nexec {sys.executable} -m torchlock "$@"\n')
    (programs / "torchlock").chmod(0o755)
    (programs / "pip").write_text('#!/bin/sh\necho "$@" > "$PIP_SAID"\n')
    (programs / "pip").chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    (work / "requirements.txt").write_text(BAD)
    return work


def audit_step(work: Path, **inputs: str) -> tuple[str, dict[str, str], str]:
    """Run the step with its inputs; return what it prints, its outputs and the summary of the job."""
    temp = work.parent / "temp"
    given = {name: each["default"] for name, each in ACTION["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    names = {key: re.findall(r"inputs\.([\w-]+)", value) for key, value in STEPS["audit"]["env"].items()}
    environ = {**os.environ, **{key: given[name] for key, (name,) in names.items()}}
    environ |= {
        "RUNNER_TEMP": str(temp),
        "GITHUB_OUTPUT": str(temp / "out"),
        "GITHUB_STEP_SUMMARY": str(temp / "sum"),
    }
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", STEPS["audit"]["run"]]
    done = subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True, check=True)
    outputs = dict(line.split("=", 1) for line in (temp / "out").read_text().splitlines())
    summary = temp / "sum"
    return done.stdout, outputs, summary.read_text() if summary.exists() else ""


def test_the_action_annotates_reports_and_summarises(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "requirements.txt").write_text(BAD)
    said, outputs, summary = audit_step(project)
    assert outputs == {"exit-code": "1"}
    assert said.count("::error file=") == 2
    assert "::error file=sub/requirements.txt,line=2" in said
    assert summary.startswith("<!-- torchlock report -->") and "TL101" in summary
    (run,) = json.loads((project / "torchlock.sarif").read_text())["runs"]
    assert {result["ruleId"] for result in run["results"]} >= {"TL101"}


def test_the_action_takes_paths_and_options_with_spaces(project: Path) -> None:
    (project / "a b.txt").write_text("torch==2.7.1\n")
    said, outputs, summary = audit_step(
        project, paths="a b.txt\n\n", arguments="--python=3.12\n--ignore=TL306", annotations="false", strict="true"
    )
    assert (said, outputs) == ("", {"exit-code": "0"})
    assert "1 file" in summary


def test_the_action_does_not_run_what_an_input_says(project: Path) -> None:
    hostile = '$(touch ran) `touch ran`; touch ran; "'
    said, outputs, _ = audit_step(project, paths=f"{hostile}\n--fix", summary="false")
    assert outputs == {"exit-code": "2"}
    assert not (project / "ran").exists()
    assert (project / "requirements.txt").read_text() == BAD
    assert "::error file=" in said  # the file that is not there


@pytest.mark.parametrize(("code", "passes"), [("0", True), ("1", False), ("2", False)])
def test_the_last_step_has_the_exit_code(code: str, passes: bool) -> None:
    done = subprocess.run(["bash", "-c", STEPS["Result"]["run"]], env={**os.environ, "CODE": code}, check=False)
    assert (done.returncode == 0) is passes


@pytest.mark.network
def test_the_action_installs_itself(tmp_path: Path) -> None:
    environ = {**os.environ, "PACKAGE": "", "SOURCE": str(ROOT), "RUNNER_TEMP": str(tmp_path)}
    subprocess.run(["bash", "-c", STEPS["Install torchlock"]["run"]], env=environ, check=True, cwd=tmp_path)
    done = subprocess.run(
        [tmp_path / "torchlock" / "bin" / "torchlock", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"torchlock {__version__}\n"


def gitlab_job(work: Path, **variables: str) -> tuple[int, str]:
    """Run the script of the job as the runner does: line after line in one shell."""
    programs = work.parent / "temp" / "torchlock" / "bin"
    said = work.parent / "pip.txt"
    environ = {**os.environ, **{k: str(v) for k, v in TEMPLATE["variables"].items()}, **variables}
    environ |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PIP_SAID": str(said)}
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(TEMPLATE["script"])],
        cwd=work,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert TEMPLATE["variables"]["TORCHLOCK_PACKAGE"] in said.read_text()
    return done.returncode, done.stdout


def test_the_template_of_gitlab_writes_both_reports(project: Path) -> None:
    code, said = gitlab_job(project)
    assert code == 1
    assert "error TL101" in said
    reports = TEMPLATE["artifacts"]["reports"]
    rows = json.loads((project / reports["codequality"]).read_text())
    assert "TL101" in {row["check_name"] for row in rows}
    assert '<failure type="TL101"' in (project / reports["junit"]).read_text()
    (project / "requirements.txt").write_text("torch==2.7.1\n")
    assert gitlab_job(project, TORCHLOCK_ARGUMENTS="--python 3.12 --strict")[0] == 0


def test_the_template_installs_this_release() -> None:
    assert f"/v{__version__}." in TEMPLATE["variables"]["TORCHLOCK_PACKAGE"]


def test_the_problem_matcher_reads_the_text_report(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    (project / "a:1 b.txt").write_text(BAD)
    main(["audit", "a:1 b.txt", "requirements.txt", "-v", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    expected = [
        (file["path"], each["line"], each["column"], each["rule"], each["message"], each["severity"])
        for file in report["files"]
        for each in file["findings"]
    ]
    main(["audit", "a:1 b.txt", "requirements.txt", "-v"])
    found = []
    for line in capsys.readouterr().out.splitlines():
        for matcher in MATCHERS:
            (pattern,) = matcher["pattern"]
            if match := re.search(pattern["regexp"], line):
                place = [match[pattern[key]] for key in ("file", "line", "column", "code", "message")]
                found.append((*place, matcher["severity"]))
    assert {severity for *_, severity in expected} == {"error", "note"}
    assert found == [
        (path, str(line), str(column), rule, message, "error" if severity == "error" else "warning")
        for path, line, column, rule, message, severity in expected
    ]


def test_a_release_has_few_permissions_and_no_password() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    assert "secrets." not in text
    writing = {
        name: sorted(what for what, how in job["permissions"].items() if how == "write")
        for name, job in workflow["jobs"].items()
    }
    assert writing == {
        "test": [],
        "build": [],
        "attest": ["attestations", "id-token"],
        "publish": ["id-token"],
        "release": ["contents"],
    }


@pytest.mark.parametrize(("tag", "passes"), [(f"v{__version__}", True), ("v0.0.9", False)])
def test_a_release_needs_a_tag_that_is_the_version(tag: str, passes: bool, tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    (script,) = (step["run"] for step in workflow["jobs"]["build"]["steps"] if "TAG" in step.get("env", {}))
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "CHANGELOG.md").write_text(f"# Changes\n\n## {__version__} (2026-12-01)\n")
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "TAG": tag}, check=False)
    assert (done.returncode == 0) is passes


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n|\\\n\s*", "", text, flags=re.M).splitlines()
    return [(word, rest) for line in lines if line for word, _, rest in [line.partition(" ")]]


def test_the_image_has_what_the_wheel_needs_and_does_not_run_as_root() -> None:
    """No engine builds it here: the paths that it copies are there, and .dockerignore lets them through."""
    found = instructions()
    copied = {path for word, rest in found if word == "COPY" for path in rest.split()[:-1]}
    passed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied == passed
    assert all((ROOT / path).exists() for path in copied)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert {"src", "compat_data", "man"} <= copied and '"man/torchlock.1" =' in pyproject
    last = [word for word, _ in found][max(at for at, (word, _) in enumerate(found) if word == "FROM") :]
    assert "USER" in last and ("USER", "1000") in found
    assert ("ENTRYPOINT", '["torchlock"]') in found


def test_a_linter_accepts_the_image() -> None:
    if shutil.which("hadolint") is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
