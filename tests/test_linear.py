"""Work grows with the size of a file, and not with its square: calls are counted for N and 2N, never seconds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from support.amount import amount
from support.call_count import calls
from torchlock.audit import Auditor
from torchlock.audit.fix.search import FixSearch
from torchlock.errors import InputError
from torchlock.finding import FileReport, Report
from torchlock.manifests import read_document
from torchlock.manifests.syntax.toml import Tree
from torchlock.manifests.text import read_bytes
from torchlock.report.audit_json import audit_json
from torchlock.report.audit_text import text as audit_text
from torchlock.report.github import github
from torchlock.report.sarif import sarif

# Steps are counted here, or thousands of inputs tried; other tests cover the same code.
pytestmark = pytest.mark.no_cover

# What doubles with the input, and a little for what grows with its logarithm.
RATIO = 2.5
SIZE = amount(80, quick=40)
VERSIONS = ("2.0.0", "2.1.0", "2.2.0", "2.3.0", "2.4.0", "2.5.0", "2.6.0", "2.7.0", "2.8.0")

Make = Callable[[int], str]


def pins(count: int, form: str = "torch=={}\ntorchaudio=={}\n", between: str = "") -> str:
    """Pairs that do not load together, one after the other."""
    pairs = [(VERSIONS[n % 8], VERSIONS[n % 8 + 1]) for n in range(count)]
    return between.join(form.format(*pair) for pair in pairs)


def rows(count: int, form: str) -> str:
    """A line a number; ``{n}`` is the number, ``{m}`` the next, ``{v}`` a version."""
    return "".join(form.format(n=n, m=n + 1, v=VERSIONS[n % 8], w=VERSIONS[n % 8 + 1]) for n in range(count))


JSON_CELL = {"cell_type": "code", "metadata": {}, "outputs": []}

SHAPES: dict[str, tuple[str, Make]] = {
    "pins of one package": ("requirements.txt", pins),
    "as many versions": ("requirements.txt", lambda n: rows(n, "torch!=2.{n}.99\ntorchaudio==2.{n}.7\n")),
    "as many packages": ("requirements.txt", lambda n: rows(n, "p{n}==1.{n}\n") + pins(1)),
    "dependents": (
        "requirements.txt",
        lambda n: pins(1) + rows(n, "librosa==0.8.{n}\nnumba==0.5{n}\nnumpy==1.2{n}\n"),
    ),
    "comments that ignore": (
        "requirements.txt",
        lambda n: pins(n, "torch=={} # torchlock: ignore[TL101,TL506] x\ntorchaudio=={}\n"),
    ),
    "comments behind continued lines": (
        "requirements.txt",
        lambda n: "torch==2.1.0 \\\n" * n + " # torchlock: ignore[TL101] x\n" + pins(1),
    ),
    "lines that are no requirements": ("requirements.txt", lambda n: rows(n, "torch = = 2.{n}\n")),
    "single equals signs": ("requirements.txt", lambda n: rows(n, "torch=2.{n}\n")),
    "merge conflicts": (
        "requirements.txt",
        lambda n: "<<<<<<< a\ntorch==2.1.0\n=======\ntorch==2.2.0\n>>>>>>> b\n" * n,
    ),
    "indexes and pins": (
        "requirements.txt",
        lambda n: rows(n, "--extra-index-url https://example.org/{n}/simple\ntorch=={v}+cu118\n"),
    ),
    "labels": ("requirements.txt", lambda n: rows(n, "torch=={v}+cu{n}\ntorchaudio=={v}+cpu\n")),
    "sections": ("requirements.txt", lambda n: rows(n, "[s{n}]\ntorch=={v}\ntorchaudio=={w}\n")),
    "variables": ("requirements.txt", lambda n: rows(n, "torch==${{V{n}}}\n")),
    "constraints": ("constraints.txt", pins),
    "dependencies on one line": (
        "pyproject.toml",
        lambda n: "[project]\nname='x'\ndependencies=[" + pins(n, "'torch=={}','torchaudio=={}',") + "]\n",
    ),
    "extras": (
        "pyproject.toml",
        lambda n: (
            "[project]\nname='x'\n[project.optional-dependencies]\n"
            + rows(n, "e{n} = ['torch=={v}', 'torchaudio=={w}']\n")
        ),
    ),
    "one extra of all": (
        "pyproject.toml",
        lambda n: (
            "[project]\nname='x'\n[project.optional-dependencies]\n"
            + f"all=['x[{','.join(f'e{i}' for i in range(n))}]']\n"
            + rows(n, "e{n} = ['torch=={v}']\n")
        ),
    ),
    "setup.py": (
        "setup.py",
        lambda n: (
            "from setuptools import setup\nR = []\n"
            + rows(n, "R.append('torch=={v}')\n")
            + "setup(install_requires=R)\n"
        ),
    ),
    "setup.cfg": (
        "setup.cfg",
        lambda n: "[options]\ninstall_requires =\n" + pins(n, "  torch=={}\n  torchaudio=={}\n"),
    ),
    "Pipfile.lock": (
        "Pipfile.lock",
        lambda n: json.dumps({"_meta": {}, "default": {f"p{i}": {"version": f"==1.{i}"} for i in range(n)}}),
    ),
    "poetry.lock": (
        "poetry.lock",
        lambda n: (
            rows(n, '[[package]]\nname = "p{n}"\nversion = "1.{n}"\n[package.dependencies]\np{m} = "*"\n\n')
            + '[[package]]\nname = "torch"\nversion = "2.1.0"\n\n[metadata]\nlock-version = "2.0"\n'
        ),
    ),
    "environment.yml": (
        "environment.yml",
        lambda n: "dependencies:\n" + pins(n, "  - pytorch={}\n  - torchaudio={}\n"),
    ),
    "a list in brackets": (
        "environment.yml",
        lambda n: "dependencies: [" + pins(n, "pytorch={}, torchaudio={}", ", ") + "]\n",
    ),
    "steps of a workflow": (
        ".github/workflows/ci.yml",
        lambda n: "jobs:\n  a:\n    steps:\n" + pins(n, "    - run: pip install torch=={} torchaudio=={}\n"),
    ),
    "jobs of a workflow": (
        ".github/workflows/ci.yml",
        lambda n: "jobs:\n" + rows(n, "  a{n}:\n    steps:\n    - run: pip install torch=={v} torchaudio=={w}\n"),
    ),
    "stages on top of each other": (
        "Dockerfile",
        lambda n: (
            "FROM python:3.10 AS s0\nRUN pip install torch==2.0.0\n"
            + rows(n, "FROM s{n} AS s{m}\n")
            + "RUN pip install torchaudio==2.1.0\n"
        ),
    ),
    "stages beside each other": (
        "Dockerfile",
        lambda n: rows(n, "FROM python:3.10 AS s{n}\nRUN pip install torch=={v} torchaudio=={w}\n"),
    ),
    "continued lines of a Dockerfile": (
        "Dockerfile",
        lambda n: (
            "FROM python:3.10\nRUN pip install \\\n" + pins(n, "  torch=={} torchaudio=={} \\\n") + "  numpy\n"
        ),
    ),
    "commands of a script": ("install.sh", lambda n: pins(n, "pip install -U torch=={} torchaudio=={}\n")),
    "recipes": ("Makefile", lambda n: "t:\n" + pins(n, "\tpip install -U torch=={} torchaudio=={}\n")),
    "commands of tox": (
        "tox.ini",
        lambda n: "[testenv]\ncommands =\n" + pins(n, "  pip install -U torch=={} torchaudio=={}\n"),
    ),
    "cells of a notebook": (
        "a.ipynb",
        lambda n: json.dumps(
            {"cells": [{**JSON_CELL, "source": [f"!pip install -U torch==2.{i % 8}.0\n"]} for i in range(n)]}
        ),
    ),
}


def _judged(name: str, content: str) -> FileReport:
    auditor = Auditor()
    document = read_document(name, raw=content.encode())
    return FileReport(name, document.kind, auditor.judge(document), document.text)


@pytest.mark.sampled
@pytest.mark.parametrize("shape", SHAPES)
def test_judging_grows_with_the_file(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, make = SHAPES[shape]
    _judged(name, make(20))  # What is imported, loaded and remembered counts for neither.
    once, twice = (calls(lambda count=count: _judged(name, make(count))) for count in (SIZE, 2 * SIZE))
    assert twice < RATIO * once, f"{once} {twice}"


def plain(report: Report) -> str:
    return audit_text(report, lambda style, words: words)


@cache
def of_extras(count: int, between: str) -> Report:
    """The report on many findings; none of those who write one changes it."""
    name, make = SHAPES["extras"]
    file = _judged(name, make(count))
    if between == " ":  # All findings stand on one line.
        file.text = file.text.replace("\n", " ")
        for finding in file.findings:
            finding.place = finding.place._replace(line=1)
    return Report([file], "2026-11-28")


@pytest.mark.sampled
@pytest.mark.parametrize("write", [plain, audit_json, sarif, github])
@pytest.mark.parametrize("between", ["\n", " "])
def test_reports_grow_with_the_findings(write: Callable[[Report], str], between: str) -> None:
    few, many = of_extras(SIZE, between), of_extras(2 * SIZE, between)
    write(many)
    assert calls(lambda: write(many)) < RATIO * calls(lambda: write(few))
    assert len(write(many)) < RATIO * len(write(few))


@pytest.mark.sampled
@pytest.mark.parametrize("shape", ["pins of one package", "extras"])
def test_the_search_for_changes_has_a_budget(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    auditor, judged = Auditor(), []
    monkeypatch.setattr(
        Auditor, "judge", lambda self, document, _judge=Auditor.judge: judged.append(1) or _judge(self, document)
    )
    name, make = SHAPES[shape]
    report = auditor.report(name, raw=make(400 if shape != "extras" else amount(400, quick=100)).encode())
    assert len(judged) < 100
    said = [finding.remedy.summary for finding in report.findings if finding.remedy]
    assert any("found none in" in each or "releases that work together" in each for each in said)


CHAINS = {
    "groups": (
        "pyproject.toml",
        "[dependency-groups]\n{}g40 = ['torch==2.0.0', 'torchaudio==2.1.0']\n",
        "g{n} = [{{include-group = 'g{m}'}}]\n",
    ),
    "extras": (
        "pyproject.toml",
        "[project]\nname = 'x'\n[project.optional-dependencies]\n{}e40 = ['torch==2.0.0', 'torchaudio==2.1.0']\n",
        "e{n} = ['x[e{m}]']\n",
    ),
    "setup.cfg": (
        "setup.cfg",
        "[metadata]\nname = x\n[options.extras_require]\n{}e40 =\n  torch==2.0.0\n  torchaudio==2.1.0\n",
        "e{n} =\n  x[e{m}]\n",
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_line_that_many_scopes_include_is_changed_whole(chain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scope once doubled the parts of a change that were looked at."""
    name, whole, link = CHAINS[chain]
    auditor, asked = Auditor(), []
    monkeypatch.setattr(
        FixSearch, "fixes", lambda self, *args, _fixes=FixSearch.fixes: asked.append(1) or _fixes(self, *args)
    )
    report = auditor.report(name, raw=whole.format(rows(40, link)).encode())
    (error,) = [finding for finding in report.findings if finding.severity == "error"]
    assert error.remedy is not None
    assert len(asked) < 10


def test_contradictions_of_one_package_are_one_finding_with_few_of_its_lines() -> None:
    found = _judged("requirements.txt", pins(500)).findings
    doubles = [finding for finding in found if finding.rule == "TL506"]
    assert [finding.packages[0][0] for finding in doubles] == ["torch", "torchaudio"]
    assert all("others" in finding.message and len(finding.message) < 400 for finding in doubles)


def test_more_sets_of_requirements_than_can_be_judged_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchlock.audit.install_sets._MOST", -15_000)  # its size adds to this
    base = ",".join(f"'torch!=2.0.{n}9'" for n in range(150))
    extras = "".join(f"e{n} = ['torchaudio=={VERSIONS[n % 8]}']\n" for n in range(150))
    content = f"[project]\nname='x'\ndependencies=[{base}]\n[project.optional-dependencies]\n{extras}"
    notes = [finding for finding in _judged("pyproject.toml", content).findings if finding.rule == "TL902"]
    assert any("were not judged" in note.message and note.place.line for note in notes)


DOUBLED: dict[str, tuple[str, Make]] = {
    "ARG": (
        "Dockerfile",
        lambda n: (
            "FROM python:3.10\nARG A0=torch==2.1.0\n"
            + rows(n, 'ENV A{m}="$A{n} $A{n}"\n')
            + f"RUN pip install $A{n}\n"
        ),
    ),
    "shell": (
        "install.sh",
        lambda n: "A0=torch==2.1.0\n" + rows(n, 'A{m}="$A{n} $A{n}"\n') + f"pip install $A{n}\n",
    ),
    "cmd": ("install.bat", lambda n: "set A=torch==2.1.0\n" + "set A=%A% %A%\n" * n + "pip install %A%\n"),
    "PowerShell": ("install.ps1", lambda n: "$A='torch==2.1.0'\n" + '$A="$A $A"\n' * n + "pip install $A\n"),
    "make": (
        "Makefile",
        lambda n: "A0=torch==2.1.0\n" + rows(n, "A{m}=$(A{n}) $(A{n})\n") + f"t:\n\tpip install $(A{n})\n",
    ),
    "just": (
        "justfile",
        lambda n: (
            "a0 := 'torch==2.1.0'\n"
            + rows(n, "a{m} := '{{{{a{n}}}}} {{{{a{n}}}}}'\n")
            + f"t:\n  pip install {{{{a{n}}}}}\n"
        ),
    ),
    "tox": (
        "tox.ini",
        lambda n: (
            "[a0]\ndeps=torch==2.1.0\n"
            + rows(n, "[a{m}]\ndeps=\n" + "  {{[a{n}]deps}}\n" * 8)
            + f"[testenv]\ndeps={{[a{n}]deps}}\n"
        ),
    ),
    "YAML": (
        ".github/workflows/ci.yml",
        lambda n: (
            "jobs:\n  a0: &a0\n    steps:\n    - run: pip install torch==2.1.0\n"
            + rows(n, "  a{m}: &a{m}\n    steps:\n    - *a{n}\n    - *a{n}\n")
        ),
    ),
    "conda": (
        "environment.yml",
        lambda n: (
            "a0: &a0\n  - pytorch=2.1\n"
            + rows(n, "a{m}: &a{m}\n  - *a{n}\n  - *a{n}\n")
            + f"dependencies:\n  - pip: *a{n}\n"
        ),
    ),
    "Python": (
        "setup.py",
        lambda n: (
            "from setuptools import setup\nR0 = ['torch==2.1.0']\n"
            + rows(n, "R{m} = R{n} + R{n}\n")
            + f"setup(install_requires=R{n})\n"
        ),
    ),
    "extras": (
        "pyproject.toml",
        lambda n: (
            "[project]\nname='x'\n[project.optional-dependencies]\n"
            + rows(n, "e{n} = ['x[e{m}]', 'x[e{m}]', 'torch=={v}']\n")
        ),
    ),
    "groups": (
        "pyproject.toml",
        lambda n: (
            "[dependency-groups]\n"
            + rows(n, "g{n} = [{{include-group='g{m}'}}, {{include-group='g{m}'}}]\n")
            + f"g{n} = ['torch==2.1.0']\n"
        ),
    ),
    "matrix": (
        ".github/workflows/ci.yml",
        lambda n: (
            "jobs:\n  a:\n    strategy:\n      matrix:\n"
            + rows(n, "        m{n}: [1, 2, 3, 4]\n")
            + "    steps:\n    - run: pip install torch==2.${{ matrix.m0 }}\n"
        ),
    ),
    "environments": (
        "tox.ini",
        lambda n: "[tox]\nenvlist = " + "{a,b}" * n + "\n[testenv]\ndeps = torch==2.1.0\n",
    ),
}


@pytest.mark.parametrize("kind", DOUBLED)
def test_what_doubles_with_every_line_is_bounded(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that names another one twice, and so on: thirty lines are a thousand million words."""
    monkeypatch.chdir(tmp_path)
    name, make = DOUBLED[kind]
    assert calls(lambda: _judged(name, make(30))) < 5_000_000


def test_a_file_that_is_named_on_every_line_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.txt").write_text(pins(45), encoding="utf-8")

    def read(count: int) -> object:
        return read_document("install.sh", raw=b"pip install -r r.txt\n" * count)

    read(80)
    assert calls(lambda: read(80)) < RATIO * calls(lambda: read(40))
    many = read_document("install.sh", raw=b"pip install -r r.txt\n" * 560)
    assert len(many.entries) <= 50_000
    assert any("too large" in problem.message for problem in many.issues)


def test_a_long_line_is_not_repeated_for_each_of_its_findings() -> None:
    file = _judged(
        "pyproject.toml", "[project]\nname='x'\ndependencies=[" + rows(2000, "'torch = = 2.{n}',") + "]\n"
    )
    assert len(file.text) > 30_000
    assert file.findings
    report = Report([file], "2026-11-28")
    assert max(map(len, audit_json(report).split("\n"))) < 2500
    assert len(sarif(report)) < 100 * len(file.text)


def test_standard_input_has_the_limit_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchlock.manifests.text._LIMIT", 10)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"torch==2.1.0\n")))
    with pytest.raises(InputError, match="is larger than"):
        read_bytes("-")


def workspace(folder: Path, count: int) -> list[str]:
    """A workspace of uv, each member of which is a source of all: the names of its files."""
    members = [f"m{n}/pyproject.toml" for n in range(count)]
    root = "[tool.uv.workspace]\nmembers = ['m*']\n[tool.uv.sources]\n" + rows(count, "p{n}.workspace = true\n")
    for name, content in [("pyproject.toml", root)] + [
        (name, f"[project]\nname = 'p{n}'\ndependencies = ['p0']\n") for n, name in enumerate(members)
    ]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return ["pyproject.toml", *members]


@pytest.mark.parametrize("file", ["pyproject.toml", "m0/pyproject.toml"])
def test_a_file_of_a_workspace_grows_with_its_members(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source once read the members up to its own."""

    def read(count: int) -> int:
        monkeypatch.chdir(tmp_path / str(count))
        return calls(lambda: read_document(file))

    for count in (30, 60):
        workspace(tmp_path / str(count), count)
        read(count)
    assert read(60) < RATIO * read(30)


def test_a_member_of_a_workspace_is_parsed_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file once parsed all members again: 72 members took minutes."""
    parsed: list[str] = []
    monkeypatch.setattr(
        Tree,
        "__init__",
        lambda self, text, path, _init=Tree.__init__: parsed.append(path) or _init(self, text, path),
    )
    monkeypatch.chdir(tmp_path)
    files = workspace(tmp_path, 30)
    documents = [read_document(name) for name in files]
    assert len(parsed) <= 4 * len(files)
    assert [len(document.sources) for document in documents] == [30] * 31


def test_the_name_of_a_member_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    workspace(tmp_path, 2)
    assert not read_document("pyproject.toml").refusals
    (tmp_path / "m1" / "pyproject.toml").write_text("[project]\nname = 'q1'\n", encoding="utf-8")
    (refusal,) = read_document("pyproject.toml").refusals
    assert "no member of the workspace has this name" in str(refusal)
