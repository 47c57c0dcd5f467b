"""Plain requirements, compared with packaging's."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from torchlock.standards.dependency import Dependency
from torchlock.standards.plain_requirement import PlainRequirement, plain, text_of_specifier

PLAIN = ("torch", "torch==2.3.1", "A_B >=2, <3", "a[b]", "a[c, b-d] != 1.0,==1 ", "x<2,>=1.5,!=1.7", "a.b-c>1")
OTHER = ("", "torch=2", "torch==2.*", "a @ https://example.org/x.whl", "a;os_name>'3'", "-a", "a[", "a>=1a")
WORDS = st.sampled_from([*"aZ09.-_[], =<>!~;@(", "==", ">=", "1.0", "2", "torch", "[x]", ",", "a1", "*", "\t"])


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_requirement_says_what_packaging_says(text: str) -> None:
    found, known = plain(text), Requirement(text)
    assert isinstance(found, PlainRequirement)
    assert (found.name, found.extras, found.url, found.marker) == (known.name, known.extras, None, None)
    assert str(found) == str(known)
    assert found.specifier == known.specifier
    assert text_of_specifier(found) == str(known.specifier)
    assert Dependency.from_requirement(found) == Dependency.from_requirement(known)
    assert found == known
    assert hash(found) == hash(known)


@pytest.mark.parametrize("text", OTHER)
def test_every_other_one_is_left_to_packaging(text: str) -> None:
    assert plain(text) is None


@given(st.lists(WORDS, max_size=12).map("".join))
def test_nothing_is_plain_that_packaging_refuses_or_reads_otherwise(text: str) -> None:
    found = plain(text)
    if found is None:
        return
    try:
        known = Requirement(text)
    except InvalidRequirement as error:
        raise AssertionError(text) from error
    assert (found.name, found.extras, str(found)) == (known.name, known.extras, str(known))


def test_a_replaced_specifier_set_counts() -> None:
    found = plain("torch==2.3.1")
    assert found is not None
    other = copy.copy(found)
    other.specifier = SpecifierSet("==2.4")
    assert (str(other), str(found)) == ("torch==2.4", "torch==2.3.1")
