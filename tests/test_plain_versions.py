"""Final releases compared as tuples, against packaging; over every version and specifier set of the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.knowledge.rules import specifier_set
from torchlock.solve.candidates import is_exact, mentions_prerelease
from torchlock.solve.release_versions import names_later
from torchlock.standards.versions import plain_clauses, plain_key

DATA = Path(__file__).parents[1] / "compat_data" / "releases"
NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
CLAUSE = st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS).map("".join)


def compare(specifier: str, version: str) -> None:
    clauses, key = plain_clauses(specifier), plain_key(version)
    if clauses is not None and key is not None:
        assert all(holds(key, bound) for holds, bound in clauses) == specifier_set(specifier).contains(version)


@given(st.lists(CLAUSE, min_size=1, max_size=3).map(",".join), NUMBERS)
def test_a_final_release_is_in_a_set_as_packaging_says(specifier: str, version: str) -> None:
    assert plain_clauses(specifier) is not None
    assert plain_key(version) is not None
    compare(specifier, version)


@given(st.lists(CLAUSE, min_size=1, max_size=3).map(",".join), NUMBERS)
def test_what_a_set_names_is_read_as_packaging_reads_it(specifier: str, version: str) -> None:
    parsed = SpecifierSet(specifier)
    latest = Version(version)
    assert is_exact(specifier) == any(clause.operator == "==" for clause in parsed)
    assert mentions_prerelease(specifier) == bool(parsed.prereleases)
    later = (
        clause.operator != "<"
        and (Version(clause.version) > latest or (clause.operator == ">" and Version(clause.version) == latest))
        for clause in parsed
    )
    assert names_later(specifier, latest) == any(later)


def test_every_release_and_every_set_of_the_catalogue() -> None:
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(DATA.glob("*.json"))}
    wanted: dict[str, set[str]] = {}
    for table in tables.values():
        for name, specifier, *_ in (row for row in table["requirements"] if len(row) > 1 and row[1]):
            wanted.setdefault(name, set()).add(specifier)
    compared = 0
    for name in sorted(wanted.keys() & tables.keys()):
        versions = list(tables[name]["releases"])[-60::3]
        for specifier in sorted(wanted[name])[:40]:
            for version in versions:
                compare(specifier, version)
                compared += 1
    assert compared > 10_000


@pytest.mark.parametrize("version", ["1.0a1", "1.0.post1", "1!2", "1.0+cpu", "v1", "", "1.0.dev1", "1.", "٣"])
def test_other_versions_have_no_plain_key(version: str) -> None:
    assert plain_key(version) is None


@pytest.mark.parametrize("specifier", ["", "==1.*", "~=1.2", ">=1a1", "===1", "==1+cpu", "<", "1.0"])
def test_other_sets_have_no_plain_clauses(specifier: str) -> None:
    assert plain_clauses(specifier) is None
