"""scripts/draft_statements.py, and what scripts/refresh.py takes for new."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import draft_statements
import refresh
from torchlock.knowledge import tables
from torchlock.knowledge.releases import Catalogue
from torchlock.proving.tables import read_store, write_store

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROW = {
    "rule": "TL101",
    "when": ["torchaudio", "==9.0.0", 'sys_platform == "linux" and platform_machine == "x86_64"'],
    "because": "its libraries use torch_new, which torch has from 9.0.0 on",
    "kind": "measured",
    "sources": ["data-update"],
    "checked": "2030-01-02",
    "needs": [["torch", ">=9.0.0"]],
    "build": "cuda",
}


def test_a_row_is_a_statement_of_a_rule() -> None:
    text = draft_statements.toml_of(ROW)
    (statement,) = tomllib.loads(f"statement = [{text}]")["statement"]
    assert statement.pop("checked").isoformat() == "2030-01-02"
    assert statement == {
        "when": "torchaudio==9.0.0; sys_platform == 'linux' and platform_machine == 'x86_64'",
        "build": "cuda",
        "needs": ["torch>=9.0.0"],
        "because": "its libraries use torch_new, which torch has from 9.0.0 on",
        "kind": "measured",
        "sources": ["proofs-from-wheels"],
    }


def test_the_drafts_of_a_real_release_agree_with_its_rule() -> None:
    """What people measured of torchaudio 2.11.1, and wrote into the rule, is what its wheels show."""
    said = "\n".join(draft_statements.drafts([("torchaudio", "2.11.1")]))
    assert "No draft" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("Draft for TL101") and '"cuda"' in line]
    assert 'needs = ["torch>=2.13.0"]' in line
    assert "'aarch64'" in line


def test_nothing_is_drafted_of_a_release_that_needs_no_more() -> None:
    newest = (Catalogue().releases("torch") or [])[-1].version
    assert list(draft_statements.drafts([("torch", newest)])) == [
        f"The wheels of torch {newest} show nothing beyond their metadata and the rules."
    ]


def test_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert draft_statements.main(["torch"]) == 2
    assert "NAME VERSION" in capsys.readouterr().err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("releases", "proofs"):
        shutil.copytree(tables.ROOT / name, tmp_path / name)
    return tmp_path


def test_releases_that_are_newer_than_the_evidence_are_unproven(data: Path) -> None:
    assert refresh.unproven(data) == []
    newest = (Catalogue().releases("torchaudio") or [])[-1].version
    store = read_store(data / "proofs")
    for (name, _), rows in store.companions.items():
        if name == "torchaudio":
            rows[:] = [each for each in rows if each.wheel.version != newest]
    for path, text in write_store(data / "proofs", store).items():
        path.write_text(text, encoding="utf-8")
    assert refresh.unproven(data) == [("torchaudio", newest)]


def test_only_the_sources_of_gathered_tables_get_the_date(tmp_path: Path) -> None:
    for folder, day in (("releases", "2030-01-02"), ("dependents", "2030-01-03")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "DATE").write_text(f"{day}\n")
    before = '[other]\ndate = 2020-01-01\n\n[catalogue]\naddress = "x"\ndate = 2020-01-01\nnote = "y"\n'
    before += '\n[dependents-metadata]\naddress = "x"\ndate = 2020-01-01\n\n[last]\ndate = 2020-01-01\n'
    after = refresh._dated(before, tmp_path)
    found = {name: str(row["date"]) for name, row in tomllib.loads(after).items()}
    assert found == {
        "other": "2020-01-01",
        "catalogue": "2030-01-02",
        "dependents-metadata": "2030-01-03",
        "last": "2020-01-01",
    }


def test_the_catalogue_has_the_date_of_its_releases() -> None:
    sources = json.loads((tables.ROOT / "compiled" / "rules.json").read_bytes())["sources"]
    assert sources["catalogue"]["date"] == Catalogue().date
