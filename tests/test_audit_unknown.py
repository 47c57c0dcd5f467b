"""What could not be judged is said (TL9xx), and is neither a fault nor in order."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import TYPE_CHECKING

import pytest

from support.amount import amount
from torchlock.answers import Unknown
from torchlock.audit import Auditor, Options
from torchlock.cli.main import main
from torchlock.knowledge import tables
from torchlock.knowledge.build_labels import kind_of
from torchlock.knowledge.builds import Builds
from torchlock.knowledge.compatibility import CompatibilityTable
from torchlock.manifests import read_document
from torchlock.target import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

UNJUDGED = ("TL901", "TL902", "TL903")
LINUX = Options(platforms=(Platform.parse("linux-x86_64"),))


@cache
def auditor() -> Auditor:
    return Auditor()


def audit(text: str, name: str = "requirements.txt", by: Auditor | None = None) -> list[Finding]:
    kind = {"requirements.txt": "requirements", "environment.yml": "conda", "install.sh": "shell"}[name]
    return (by or auditor()).report(name, text.encode(), kind).findings


def rules(findings: list[Finding]) -> list[str]:
    return [each.rule for each in findings if each.rule in UNJUDGED or each.severity != "note"]


@cache
def builds() -> Builds:
    return Builds()


@cache
def labels_of(name: str) -> tuple[list[str], list[str]]:
    """The releases of a package that the stack knows, and every label that any of them has."""
    releases = auditor().known.stack.packages[name].versions
    found: set[str] = set()
    for release in releases:
        there = builds().labels(name, release)
        found |= set() if isinstance(there, Unknown) else {label for label in there if label}
    return [text for text in releases if text.replace(".", "").isdigit()], sorted(found)


def judged(text: str) -> list[Finding]:
    """The findings in requirements, without remedies."""
    return auditor().judge(read_document("requirements.txt", raw=text.encode(), kind="requirements"))


def answer_of(findings: list[Finding]) -> bool | None:
    """What the audit says of one label: published, never published, or that nobody can tell."""
    found = {each.rule for each in findings}
    assert not {"TL204", "TL902"} <= found
    return False if "TL204" in found else None if "TL902" in found else True


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["torch", "torchaudio", "torchvision", "torchcodec"])
def test_of_every_release_and_label_audit_says_what_the_table_says(name: str) -> None:
    releases, labels = labels_of(name)
    pairs = [(release, label) for release in releases for label in labels]
    for release, label in random.Random(12).sample(pairs, min(len(pairs), amount(400, quick=80))):
        answer = builds().published(name, release, label)
        page = f"https://example.org/whl/{label}"
        for index in (f"--index-url {page}\n", f"--extra-index-url {page}\n", ""):
            said = answer_of(judged(f"{index}{name}=={release}+{label}\n"))
            assert said is (None if isinstance(answer, Unknown) else answer), (name, release, label, index)


def test_a_build_that_is_denied_and_the_builds_that_there_are() -> None:
    findings = audit("--index-url https://example.org/whl/cu128\ntorch==2.12.0+cu128\n")
    assert [(each.severity, each.rule) for each in findings] == [("warning", "TL204")]
    for label in ("+cpu", "+cu126", "+cu130", "+cu132"):
        assert label in findings[0].message


@pytest.fixture
def without_builds(tmp_path: Path) -> Auditor:
    """An auditor whose table of builds holds no release at all."""
    table = json.loads((tables.ROOT / "compiled" / "builds.json").read_text(encoding="utf-8"))
    table["packages"] = {}
    path = tmp_path / "builds.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    mine = Auditor(LINUX)
    mine.known.__dict__["builds"] = Builds(path)
    return mine


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://example.org/whl/cu126\ntorch==2.7.0+cu126\n",
        "--index-url https://example.org/whl/cu126\ntorch==2.7.0\n",
        "--index-url https://example.org/whl/cu126\ntorch==2.7.0+cu126\ntorchaudio\n",
        "--index-url https://example.org/whl/cu126\ntorch\ntorchaudio\n",
        "--extra-index-url https://example.org/whl/cu126\ntorch==2.7.0\ntorchaudio==2.7.0\n",
        "--index-url https://example.org/whl/torch_stable.html\ntorch==2.7.0\n",
        "--extra-index-url https://example.org/whl/cu118\ntorch==2.7.0+cu118\ntorchaudio==2.7.0\n",
    ],
)
def test_a_table_of_builds_without_that_row(without_builds: Auditor, text: str) -> None:
    found = rules(audit(text, by=without_builds))
    assert found
    assert set(found) <= {"TL902"}


def test_builds_answer_with_unknown_where_they_have_no_row(without_builds: Auditor) -> None:
    table = without_builds.known.builds
    for answer in (
        table.labels("torch", "2.7.0"),
        table.published("torch", "2.7.0", "cu126"),
        table.serves("torch", "2.7.0", "cu126", "linux-x86_64", "3.12"),
    ):
        assert isinstance(answer, Unknown)
        assert answer.as_of == table.date
        with pytest.raises(TypeError):
            bool(answer)


@pytest.mark.parametrize("package", ["torch", "torchaudio"])
def test_a_build_of_the_public_index_that_nobody_recorded(tmp_path: Path, package: str) -> None:
    """It passes no rule on CUDA by being unknown: the pair of 2.11 agrees, that of 2.15 does not, as recorded."""
    table = json.loads((tables.ROOT / "compiled" / "compatibility.json").read_text(encoding="utf-8"))
    row = table["packages"][package]
    row["builds"] = [None] * len(row["builds"])
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    mine = Auditor(LINUX)
    mine.known.stack = CompatibilityTable(path)
    assert rules(audit("torch==2.11.0\ntorchaudio==2.11.0\n", by=mine)) == ["TL902"]
    assert rules(audit("torch==2.11.0\ntorchaudio==2.11.0\n", by=Auditor(LINUX))) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("torch==99.0\n", "requirements.txt", id="newer than the data"),
        pytest.param("torch>=99.0\n", "requirements.txt", id="a range above the data"),
        pytest.param("torchaudio==99.1\n", "requirements.txt", id="a companion newer than the data"),
        pytest.param("torch==2.7.0.dev20250304\n", "requirements.txt", id="a nightly"),
        pytest.param("torch==2.7.0rc3\n", "requirements.txt", id="a candidate"),
        pytest.param("torch==2.6.0a0+df5bbc09d1.nv24.12\n", "requirements.txt", id="a vendor's build"),
        pytest.param("torch @ git+https://example.org/pytorch.git\n", "requirements.txt", id="a repository"),
        pytest.param("torch @ https://example.org/torch.tar.gz\n", "requirements.txt", id="an address"),
        pytest.param("-r base.txt\ntorch==2.5.1\n", "requirements.txt", id="a file that is not there"),
        pytest.param("-i https://example.org/mine/\ntorch\n", "requirements.txt", id="an index that nobody sees"),
        pytest.param("-i https://example.org/mine/\ntorch==2.3.99\n", "requirements.txt", id="a release there"),
        pytest.param("--no-index\n-f ./wheels\ntorch\n", "requirements.txt", id="a folder"),
        pytest.param("pip install torch==$VERSION\n", "install.sh", id="a variable"),
        pytest.param(
            "dependencies:\n  - pytorch\n  - torchaudio\n", "environment.yml", id="what conda's channels have"
        ),
        pytest.param("dependencies:\n  - pytorch==2.3.99\n", "environment.yml", id="a release of conda's"),
        pytest.param(
            "platforms:\n  - linux-ppc64le\ndependencies:\n  - pytorch==2.3.1\n",
            "environment.yml",
            id="a platform",
        ),
        pytest.param("dependencies:\n  - python=3.99\n  - pytorch==2.3.1\n", "environment.yml", id="a Python"),
    ],
)
def test_what_is_not_judged_is_said_and_is_no_fault(text: str, name: str) -> None:
    findings = audit(text, name)
    assert [each.rule for each in findings if each.rule in UNJUDGED]
    assert [each for each in findings if each.severity != "note"] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("torch==2.7.1\ntorchaudio==2.7.1\nsoundfile\n", "1 file: nothing is wrong"),
        (
            "torch==99.0\ntorchvision==99.0\n",
            "1 file: nothing is wrong in what could be judged; 2 things could not be (-v shows them)",
        ),
        ("torch==99.0\ntorch==99.0\n", None),
        ("torch==2.7.1\ntorchaudio==2.7.1\n", "1 file: nothing is wrong; 1 note (-v shows them)"),
        (
            "torch==2.7.1\ntorchaudio==2.5.1\ntorchvision==99.0\nsoundfile\n",
            "1 file: 1 error; 1 thing could not be judged (-v shows them)",
        ),
    ],
)
def test_the_last_line_counts_what_was_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: str | None
) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(text, encoding="utf-8")
    main(["audit", str(path)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == line if line else "could be judged" in last
    main(["audit", "--format", "json", str(path)])
    found = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert any(each["rule"] in UNJUDGED for each in found) == ("could not be" in last)


def test_labels_of_vendors_have_no_kind() -> None:
    assert kind_of("nv24.5") is None
