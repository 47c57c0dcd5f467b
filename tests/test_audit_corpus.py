"""Dependency files with reviewed labels: what is in order stays so, what cannot work is found on its line.

``tests/corpus`` has a file for each phenomenon. Real files with labels of the same kind are beside the project on
some machines; they run there as well.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.scenarios import read_toml
from torchlock.audit import Auditor

if TYPE_CHECKING:
    from torchlock.finding import FileReport

CORPUS = Path(__file__).parent / "corpus"
REAL = Path(__file__).parents[2] / "shared" / "corpus"
KEYS = {"path", "verdict", "shows", "lines", "soft", "rule", "fix"}
VERDICTS = {"ok", "open", "conflict", "unsatisfiable", "unparseable"}


@dataclass(frozen=True)
class Label:
    """A file of a corpus and what audit owes it. ``sources`` are the files to lay out, by their paths."""

    name: str
    path: str
    sources: dict[str, Path]
    verdict: str
    lines: frozenset[int] = frozenset()
    soft: bool = False
    rule: str = ""
    is_fixed: bool = True

    def laid_out(self, folder: Path) -> Path:
        """The file with those that it includes, where they stood in their repository."""
        for name, source in self.sources.items():
            target = (folder / self.path).parent / name
            if folder.resolve() in target.resolve().parents:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        return folder / self.path


def own_labels() -> list[Label]:
    rows = read_toml(CORPUS / "labels.toml", {"file"})["file"]
    return [_own_label(row) for row in rows]


def _own_label(row: dict[str, Any]) -> Label:
    assert row.keys() <= KEYS, row.keys() - KEYS
    slug, _, path = row["path"].partition("/")
    beside = (CORPUS / row["path"]).parent
    sources = {str(each.relative_to(beside)): each for each in beside.rglob("*") if each.is_file()}
    return Label(
        slug,
        path,
        sources,
        row["verdict"],
        frozenset(row.get("lines", ())),
        row.get("soft", False),
        row.get("rule", ""),
        row.get("fix", True),
    )


def real_labels() -> list[Label]:
    if not REAL.is_dir():
        return []
    rows = json.loads((REAL / "labels.json").read_text(encoding="utf-8"))
    return [_real_label(row) for row in rows]


def _real_label(row: dict[str, Any]) -> Label:
    soft = all(rule["soft"] for rule in row["rules"])
    sources = {name: REAL / "files" / source for name, source in row["includes"].items()}
    return Label(
        Path(row["file"]).name,
        row["path"],
        {**sources, Path(row["path"]).name: REAL / row["file"]},
        row["verdict"],
        frozenset(line for rule in row["rules"] if soft or not rule["soft"] for line in rule["lines"]),
        soft,
    )


OWN = own_labels()
LABELS = [*OWN, *real_labels()]
FINE = [label for label in LABELS if label.verdict in ("ok", "open")]
WRONG = [label for label in LABELS if label.verdict not in ("ok", "open")]


@cache
def auditor() -> Auditor:
    return Auditor()


def errors(report: FileReport) -> list[tuple[int, str, str]]:
    return [(each.place.line, each.rule, each.message) for each in report.findings if each.severity == "error"]


def name_of(label: Label) -> str:
    return label.name


@pytest.mark.parametrize("label", FINE, ids=name_of)
def test_what_is_in_order_gets_no_error(label: Label, tmp_path: Path) -> None:
    report = auditor().report(str(label.laid_out(tmp_path)))
    assert report.error is None
    assert errors(report) == []


@pytest.mark.parametrize("label", WRONG, ids=name_of)
def test_what_cannot_work_is_found_on_its_line(label: Label, tmp_path: Path) -> None:
    report = auditor().report(str(label.laid_out(tmp_path)))
    enough = ("error", "warning") if label.soft else ("error",)
    found = [finding for finding in report.findings if finding.severity in enough]
    lines = {place.line for finding in found for place in (finding.place, *finding.related)}
    assert lines, report.findings
    assert not label.lines or lines & label.lines
    assert not label.rule or label.rule in {finding.rule for finding in found}


@pytest.mark.parametrize("label", [each for each in WRONG if each.verdict == "conflict"], ids=name_of)
def test_a_fixed_file_audits_clean(label: Label, tmp_path: Path) -> None:
    path = label.laid_out(tmp_path)
    before = path.read_bytes()
    after = auditor().fixed(str(path), ("error", "warning") if label.soft else ("error",))
    if not label.is_fixed:
        assert after is None
        return
    assert after is not None
    path.write_bytes(after)
    assert errors(auditor().report(str(path))) == []
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    assert len(old) == len(new)
    changed = {number for number, (was, now) in enumerate(zip(old, new, strict=True), 1) if was != now}
    assert len(changed) <= max(len(label.lines), 2)
    assert auditor().fixed(str(path)) is None


def test_every_file_of_the_corpus_has_one_label() -> None:
    labelled = {source for label in OWN for source in label.sources.values()}
    files = {path for path in CORPUS.rglob("*") if path.is_file()} - {CORPUS / "labels.toml"}
    assert labelled == files
    assert len({label.name for label in OWN}) == len(OWN)
    assert {label.verdict for label in OWN} == VERDICTS
