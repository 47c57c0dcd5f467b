"""The digest of the release tables: it says what the tables say, and a lock reads no more than it needs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import compile_kinds
from torchlock.knowledge import tables
from torchlock.knowledge.kinds import TABLE, Kind, digest_of, digests
from torchlock.knowledge.release_table import Table
from torchlock.knowledge.releases import Catalogue, CatalogueRelease

RECORD: dict[str, Any] = {"wheels": [0], "date": "2024-01-01"}


def table(**releases: dict[str, Any]) -> dict[str, Any]:
    records = {version.replace("_", "."): {**RECORD, **record} for version, record in releases.items()}
    return {"name": "x", "tags": ["py3-none-any"], "releases": records}


def kinds(found: dict[str, Any]) -> list[Kind]:
    digest = digest_of(found)
    return [Kind(*digest["kinds"][number]) for number in digest["of"]]


def told(release: CatalogueRelease) -> list[object]:
    """What the solver asks of a release."""
    wheels = range(-1, len(release.tags))
    return [
        *(release.version, release.yanked, release.date, release.has_sdist, list(release.invalid), release.tags),
        [release.requires_python(wheel) for wheel in wheels],
        [str(release.build(wheel)) for wheel in wheels],
        [str(release.dependencies(wheel)) for wheel in wheels],
        [release.origin(wheel) for wheel in wheels],
        release.by_metadata(),
    ]


def test_the_digest_is_up_to_date(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["compile_kinds.py", "--check"])
    assert compile_kinds.main() == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["torch", "torchaudio", "numpy", "filelock", "cuda-toolkit"])
def test_a_table_says_the_same_with_its_digest_and_without(name: str, tmp_path: Path) -> None:
    shutil.copy(tables.ROOT / "releases" / f"{name}.json", tmp_path)
    with_digest, without = Catalogue().releases(name), Catalogue(tmp_path).releases(name)
    assert with_digest and without
    assert list(map(told, with_digest)) == list(map(told, without))


def test_a_table_that_changed_is_parsed(tmp_path: Path) -> None:
    for folder in ("releases", "compiled"):
        (tmp_path / folder).mkdir()
    shutil.copy(tables.ROOT / "compiled" / TABLE, tmp_path / "compiled")
    path = tmp_path / "releases" / "sympy.json"
    path.write_bytes((tables.ROOT / "releases" / "sympy.json").read_bytes().replace(b'"0.5.14"', b'"0.5.140"'))
    found = Catalogue(tmp_path / "releases").releases("sympy")
    assert found and found[0].version == "0.5.140"


@pytest.mark.parametrize("text", ["", "{}\n", '{"at": {}', "[]\n\n"])
def test_a_digest_that_cannot_be_read_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "compiled").mkdir()
    (tmp_path / "compiled" / TABLE).write_text(text)
    assert digests(str(tmp_path / "releases")) is None


def test_a_lock_parses_only_the_lines_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Table) -> None:
        raise AssertionError("the whole head of a table is parsed")

    monkeypatch.setattr(Table, "_head", property(fail))
    found = Catalogue().releases("sympy")
    assert found and found[-1].requires_python(0) and found[-1].tags and found[-1].date
    assert found[-1].dependencies(0)


def test_releases_that_differ_in_version_and_date_are_of_one_kind() -> None:
    first, second = kinds(table(v1={}, v2={"date": "2025-01-01", "requires": 3}))
    assert vars_of(first) == vars_of(second)


@pytest.mark.parametrize(
    ("record", "trait"),
    [
        pytest.param({"sdist": True}, "has_sdist", id="a source distribution"),
        pytest.param({"yanked": True}, "is_yanked", id="withdrawn without a reason"),
        pytest.param({"yanked": ""}, "is_yanked", id="withdrawn with an empty reason"),
        pytest.param({"invalid": ["x y"]}, "is_invalid", id="a requirement that is not valid"),
        pytest.param({"python": ">=3.9"}, "python", id="Requires-Python"),
        pytest.param({"requires": [None]}, "described", id="a wheel without metadata"),
        pytest.param({"build": "cu130"}, "build", id="a build"),
    ],
)
def test_a_kind_knows(record: dict[str, Any], trait: str) -> None:
    plain, other = kinds(table(v1={}, v2=record))
    assert not getattr(plain, trait)
    assert getattr(other, trait)


@pytest.mark.parametrize(
    ("version", "is_early", "is_unusual"),
    [("1_0", False, False), ("1_0rc1", True, False), ("1_0-1", False, True), ("1_0_x_y", False, True)],
)
def test_a_kind_knows_its_version(version: str, is_early: bool, is_unusual: bool) -> None:
    (kind,) = kinds(table(**{version: {}}))
    assert (kind.is_early, kind.is_unusual) == (is_early, is_unusual)


def vars_of(kind: Kind) -> dict[str, object]:
    return {name: getattr(kind, name) for name in Kind.__slots__}
