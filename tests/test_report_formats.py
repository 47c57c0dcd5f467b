"""The reports for services: JUnit XML, GitLab's Code Quality and Markdown."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from support.amount import amount
from torchlock.cli.main import main

CORPUS = Path(__file__).parent / "corpus"
BAD = "torch==2.7.1\ntorchaudio==2.5.1\n"
# What a type allows beside it; the reports must hold on to what XML, JSON and Markdown need.
HOSTILE = "a&b<c>\"d'|e`f[x](y)@me#1.txt"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def report(form: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["audit", "--format", form, *arguments])
    return code, capsys.readouterr().out


def suite(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text.encode())  # noqa: S314 - our own output
    (found,) = root
    counts = {
        "tests": len(found.findall("testcase")),
        "failures": len(found.findall("testcase/failure")),
        "errors": len(found.findall("testcase/error")),
    }
    for element in (root, found):
        assert {name: int(element.attrib[name]) for name in counts} == counts
    return found


def samples() -> list[str]:
    return sorted(str(path) for path in CORPUS.iterdir() if path.is_dir())[:: amount(1, quick=4)]


@pytest.mark.sampled
@pytest.mark.parametrize("strict", [(), ("--strict",)], ids=["plain", "strict"])
def test_the_failures_of_junit_agree_with_the_exit_code(
    strict: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = set()
    for sample in samples():
        code, text = report("junit", capsys, "-R", sample, *strict)
        found = suite(text)
        assert code == (2 if found.findall("testcase/error") else bool(found.findall("testcase/failure"))), sample
        seen.add(code)
    assert {0, 1} <= seen


def test_a_test_case_says_where_why_and_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.txt").write_text(BAD)
    code, text = report("junit", capsys, "requirements.txt")
    (case,) = suite(text)
    assert (code, case.get("name"), case.get("file"), case.get("line")) == (1, "TL101", "requirements.txt", "2")
    failure = case.find("failure")
    assert failure is not None and "because its C++ extension" in str(failure.text)
    assert "Fix: Write torchaudio==2.7.1" in str(failure.text)
    assert "note TL306" in str(case.findtext("system-out"))


def test_a_file_with_an_error_is_never_said_to_be_without(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "requirements.txt").write_text(BAD)
    (folder / "good.txt").write_text("torch==2.7.1\n")
    _, text = report("junit", capsys, "requirements.txt", "good.txt", "missing.txt")
    passed = [
        case.get("file") for case in suite(text) if case.find("failure") is None and case.find("error") is None
    ]
    assert passed == ["good.txt"]


@pytest.mark.sampled
def test_gitlab_has_a_record_with_its_own_fingerprint_for_each_finding(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample in samples():
        _, text = report("gitlab", capsys, "-R", sample)
        rows = json.loads(text)
        _, as_json = report("json", capsys, "-R", sample)
        findings = [each for file in json.loads(as_json)["files"] for each in file["findings"]]
        assert [row["check_name"] for row in rows] == [each["rule"] for each in findings]
        assert [row["location"]["lines"]["begin"] for row in rows] == [each["line"] or 1 for each in findings]
        assert len({row["fingerprint"] for row in rows}) == len(rows)


def test_gitlab_knows_a_finding_again_on_another_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for text in (BAD, f"# a comment\n\n{BAD}", BAD.replace("2.5.1", "2.6.0")):
        (folder / "requirements.txt").write_text(text)
        rows = json.loads(report("gitlab", capsys, "./requirements.txt")[1])
        assert {row["location"]["path"] for row in rows} == {"requirements.txt"}
        found.append({row["fingerprint"] for row in rows if row["check_name"] == "TL101"})
    assert found[0] == found[1] != found[2]


def test_an_unreadable_file_is_in_each_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = report("gitlab", capsys, "missing.txt")
    (row,) = json.loads(text)
    assert (code, row["check_name"], row["severity"]) == (2, "unreadable", "critical")
    code, text = report("markdown", capsys, "missing.txt")
    assert (code, "| **error** | `missing.txt` | unreadable |" in text) == (2, True)


def test_markdown_names_the_rule_with_a_link_and_folds_notes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "requirements.txt").write_text(BAD)
    code, text = report("markdown", capsys, "requirements.txt")
    assert code == 1
    assert text.startswith("<!-- torchlock report -->\n\n**torchlock audit: 1 file: 1 error; 1 note**\n")
    shown, _, folded = text.partition("<details><summary>1 note</summary>")
    assert re.search(r"\| \*\*error\*\* \| `requirements\.txt:2` \| \[TL101\]\(https://[^)]+/TL101/\) \|", shown)
    assert "TL306" not in shown and "TL306" in folded


def test_a_long_table_of_markdown_has_an_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(105):
        (folder / f"r{number:03}.txt").write_text(BAD)
    _, text = report("markdown", capsys, *sorted(path.name for path in folder.iterdir()), "--ignore", "TL306")
    assert text.count("TL101]") == 100
    assert "\n\nand 5 more\n" in text


@pytest.mark.parametrize("form", ["gitlab", "junit", "markdown"])
def test_a_name_cannot_leave_its_place(form: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / HOSTILE).write_text(BAD)
    (folder / "c\x1b[31m\x07.txt").write_text(BAD)
    _, text = report(form, capsys, HOSTILE, "c\x1b[31m\x07.txt")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    if form == "gitlab":
        assert HOSTILE in {row["location"]["path"] for row in json.loads(text)}
    elif form == "junit":
        assert HOSTILE in {case.get("file") for case in suite(text)}
    else:
        assert all(line.count(" | ") == 4 for line in text.splitlines() if line.startswith("|"))
        assert "@me" not in text and "](y)" not in text


@pytest.mark.parametrize("form", ["gitlab", "junit", "markdown"])
def test_a_report_replaces_an_earlier_one_and_nothing_else(
    form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "requirements.txt").write_text(BAD)
    for text in (BAD, "torch==2.7.1\n", BAD):
        (folder / "requirements.txt").write_text(text)
        assert main(["audit", "requirements.txt", "--format", form, "-o", "report"]) in (0, 1)
    for other in (
        "# Notes\n",
        "[1, 2]\n",
        '[{"check_name": "x"}]\n',
        '<?xml version="1.0"?>\n<testsuites name="x"/>\n',
    ):
        (folder / "report").write_text(other)
        assert main(["audit", "requirements.txt", "--format", form, "-o", "report"]) == 2
        assert (folder / "report").read_text() == other
