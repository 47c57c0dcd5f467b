"""Versions compared as tuples, against packaging; over every version and specifier set of the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torchlock.standards.ordering import (
    admits,
    admitted,
    are_ordered,
    clauses_of,
    is_exact,
    is_later,
    is_prerelease,
    key_of,
    latest,
    mentions_prerelease,
    names_later,
    normal,
)

DATA = Path(__file__).parents[1] / "compat_data" / "releases"
NUMBERS = st.lists(st.integers(0, 2), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
PRE = st.sampled_from(["", "", "a0", "a1", "b1", "rc0", "rc1"])
POST = st.sampled_from(["", "", ".post0", ".post1"])
DEV = st.sampled_from(["", "", ".dev0", ".dev1"])
LOCAL = st.sampled_from(["", "", "+cpu", "+cu128", "+a.1"])
BOUND = st.tuples(NUMBERS, PRE, POST, DEV).map("".join)
VERSION = st.tuples(BOUND, LOCAL).map("".join)
OPERATOR = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", " >= "])
SERIES = st.one_of(
    st.tuples(st.sampled_from(["==", "!="]), NUMBERS, st.just(".*")).map("".join),
    st.tuples(st.just("~="), NUMBERS, st.just("."), NUMBERS).map("".join),
)
CLAUSE = st.one_of(st.tuples(OPERATOR, NUMBERS).map("".join), st.tuples(OPERATOR, BOUND).map("".join), SERIES)
SET = st.lists(CLAUSE, min_size=1, max_size=3).map(",".join)


def compare(specifier: str, version: str) -> None:
    expected = SpecifierSet(specifier, prereleases=True).contains(version)
    assert admits(specifier, version) == expected, (specifier, version)


@given(SET, VERSION)
@example(">1.0", "1.0.post1")
@example("<1.0", "1.0rc1")
@example("!=2.0.*", "2")
@example(">=0.50.0dev0", "0.50.0.dev0")
def test_a_version_is_in_a_set_as_packaging_says(specifier: str, version: str) -> None:
    assert key_of(version) is not None
    compare(specifier, version)


@given(VERSION, VERSION)
def test_versions_are_ordered_as_packaging_orders_them(one: str, other: str) -> None:
    assert is_later(one, other) == (Version(one) > Version(other))
    assert is_prerelease(one) == Version(one).is_prerelease
    assert normal(one) == str(Version(one))


@given(st.lists(VERSION, max_size=5))
def test_the_latest_version_is_that_of_packaging(versions: list[str]) -> None:
    assert Version(latest([*versions, "no version"])) == max(map(Version, versions), default=Version("0"))


@given(SET, VERSION)
def test_what_a_set_names_is_read_as_packaging_reads_it(specifier: str, version: str) -> None:
    parsed = SpecifierSet(specifier)
    newest = Version(version)
    exact = (clause.operator == "==" and not clause.version.endswith(".*") for clause in parsed)
    assert is_exact(specifier) == any(exact)
    assert mentions_prerelease(specifier) == bool(parsed.prereleases)
    named = [(clause.operator, Version(clause.version.removesuffix(".*"))) for clause in parsed]
    later = (
        operator != "<" and (version > newest or (operator == ">" and version == newest))
        for operator, version in named
    )
    assert names_later(specifier, version) == any(later)


@given(SET, st.lists(VERSION, max_size=8))
@example("!=2.0.*", ["1.9", "2.0rc1", "2.0", "2.0.post1", "2.1"])
@example(">1.0", ["1.0", "1.0.post1", "1.0.1"])
def test_a_set_admits_of_versions_in_order_what_it_admits_of_each(specifier: str, versions: list[str]) -> None:
    ordered = sorted(versions, key=lambda version: key_of(version) or ())
    assert are_ordered(ordered)
    found = admitted(specifier, ordered)
    if found is not None:
        assert [bool(found >> at & 1) for at in range(len(ordered))] == [
            admits(specifier, each) for each in ordered
        ]
    assert (found is None) == (clauses_of(specifier) is None)


def test_versions_are_in_order() -> None:
    assert are_ordered(["1.0", "1.0", "1.1"])
    assert not are_ordered(["1.1", "1.0"])
    assert not are_ordered(["1.0", "v2"])


def test_every_release_and_every_set_of_the_catalogue() -> None:
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(DATA.glob("*.json"))}
    wanted: dict[str, set[str]] = {}
    for table in tables.values():
        for version in table["releases"]:
            assert normal(version) == str(Version(version))
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


@pytest.mark.parametrize(
    "version", ["1!2", "v1", "", "1.", "٣", "1.0-1", "2021.01", "1.0+CPU", "1.0+01", "1.0alpha1"]
)
def test_other_versions_have_no_key(version: str) -> None:
    assert key_of(version) is None


@pytest.mark.parametrize(
    "specifier",
    ["", "~=1", ">1a1", "<1.post1", "===1", "==1+cpu", "<", "1.0", ">=1.*", ">= 1 . 0", ">=1..dev0", "==1a1.*"],
)
def test_other_sets_have_no_clauses(specifier: str) -> None:
    assert clauses_of(specifier) is None


def test_an_invalid_set_admits_nothing_and_an_empty_one_admits_all() -> None:
    assert not admits(">=", "1.0")
    assert admits("", "1.0rc1")
