"""Real dependency files with reviewed labels: what is in order stays so, what cannot work is found on its line."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from torchlock.audit import Auditor

if TYPE_CHECKING:
    from torchlock.finding import FileReport

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
RECORDS: list[dict[str, Any]] = (
    json.loads((CORPUS / "labels.json").read_text(encoding="utf-8")) if CORPUS.is_dir() else []
)
# Labels that the evidence contradicts: the file, and the source.
OVERRIDES: dict[str, str] = {}

pytestmark = pytest.mark.skipif(not RECORDS, reason="the corpus lies beside the project, where it is there")


@cache
def auditor() -> Auditor:
    return Auditor()


def laid_out(record: dict[str, Any], folder: Path) -> Path:
    """The file where it stood in its repository, with those that it includes."""
    path = folder / record["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CORPUS / record["file"], path)
    for name, source in record["includes"].items():
        included = (path.parent / name).resolve()
        if folder.resolve() in included.parents:
            included.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CORPUS / "files" / source, included)
    return path


def errors(report: FileReport) -> list[tuple[int, str, str]]:
    return [(each.place.line, each.rule, each.message) for each in report.findings if each.severity == "error"]


def name_of(record: dict[str, Any]) -> str:
    return Path(record["file"]).name


FINE = [record for record in RECORDS if record["verdict"] in ("ok", "open") and name_of(record) not in OVERRIDES]
WRONG = [record for record in RECORDS if record["verdict"] not in ("ok", "open")]


@pytest.mark.parametrize("record", FINE, ids=name_of)
def test_what_is_in_order_gets_no_error(record: dict[str, Any], tmp_path: Path) -> None:
    report = auditor().report(str(laid_out(record, tmp_path)))
    assert report.error is None
    assert errors(report) == []


@pytest.mark.parametrize("record", WRONG, ids=name_of)
def test_what_cannot_work_is_found_on_its_line(record: dict[str, Any], tmp_path: Path) -> None:
    report = auditor().report(str(laid_out(record, tmp_path)))
    soft = all(rule["soft"] for rule in record["rules"])
    enough = ("error", "warning") if soft else ("error",)
    lines = {
        place.line
        for finding in report.findings
        if finding.severity in enough
        for place in (finding.place, *finding.related)
    }
    assert lines, report.findings
    wanted = {line for rule in record["rules"] if soft or not rule["soft"] for line in rule["lines"]}
    assert not wanted or lines & wanted


@pytest.mark.parametrize("record", [each for each in WRONG if each["verdict"] == "conflict"], ids=name_of)
def test_a_fixed_file_audits_clean(record: dict[str, Any], tmp_path: Path) -> None:
    path = laid_out(record, tmp_path)
    before = path.read_bytes()
    after = auditor().fixed(str(path))
    assert after is not None
    path.write_bytes(after)
    assert errors(auditor().report(str(path))) == []
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    assert len(old) == len(new)
    changed = {number for number, (was, now) in enumerate(zip(old, new, strict=True), 1) if was != now}
    named = {line for rule in record["rules"] for line in rule["lines"]}
    assert len(changed) <= max(len(named), 2)
    assert auditor().fixed(str(path)) is None
