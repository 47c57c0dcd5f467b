"""Arithmetic on markers, compared with packaging's evaluation of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker

from torchlock.manifests.syntax.markers import both, either, negated, simplified, split_extra
from torchlock.standards.markers import plain_value
from torchlock.target import Platform, PythonVersion, Target

ENVIRONMENTS = [
    {"sys_platform": system, "platform_machine": machine, "python_version": version, "extra": ""}
    for system in ("linux", "win32")
    for machine in ("x86_64", "arm64")
    for version in ("3.9", "3.12")
]
CLAUSES = [
    "sys_platform == 'linux'",
    "'win32' != sys_platform",
    'platform_machine in "x86_64 arm64"',
    "platform_machine not  in 'arm64'",
    "python_version < '3.10'",
    "python_version>='3.10'",
]
MARKERS = st.recursive(
    st.sampled_from(CLAUSES),
    lambda inner: st.builds("({}) {} {}".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=8,
)


def holds(marker: str | None) -> list[bool]:
    """Whether a marker holds in each environment, with our "" for always and None for never."""
    return [marker is not None and (not marker or Marker(marker).evaluate(each)) for each in ENVIRONMENTS]


@settings(max_examples=200, deadline=None)
@given(MARKERS, MARKERS)
def test_what_is_said_holds_where_packaging_says_so(one: str, other: str) -> None:
    pairs = list(zip(holds(one), holds(other), strict=True))
    assert holds(both(one, other)) == [first and second for first, second in pairs]
    assert holds(either(one, other)) == [first or second for first, second in pairs]
    assert holds(negated(one)) == [not first for first, _ in pairs]
    assert holds(simplified(one, lambda *_: None)) == [first for first, _ in pairs]


@settings(max_examples=200, deadline=None)
@given(MARKERS, st.sampled_from(ENVIRONMENTS))
def test_what_is_decided_wholly_is_decided_right(marker: str, environment: dict[str, str]) -> None:
    def decide(left: str, operator: str, right: str) -> bool:
        return Marker(f"{left} {operator} '{right}'").evaluate(environment)

    assert simplified(marker, decide) == ("" if Marker(marker).evaluate(environment) else None)


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("extra == 'a'", ("a", "")),
        ("os_name == 'nt' and extra == \"a\"", ("a", "os_name == 'nt'")),
        ("(os_name == 'nt' or os_name == 'x') and extra == 'a'", ("a", "os_name == 'nt' or os_name == 'x'")),
        ("os_name == 'nt' or extra == 'a'", ("", "os_name == 'nt' or extra == 'a'")),
        ("extra == 'a' and extra == 'b'", ("", "extra == 'a' and extra == 'b'")),
        ("extra != 'a'", ("", "extra != 'a'")),
        ("not a marker", ("", "not a marker")),
    ],
)
def test_an_extra_is_parted_from_the_rest(marker: str, expected: tuple[str, str]) -> None:
    assert split_extra(marker) == expected


@pytest.mark.parametrize(
    "marker", ["", "x", "os_name ~= '1'", "os_name in 'nt' and", "(" * 200, "os_name in 'nt')"]
)
def test_what_has_no_opposite(marker: str) -> None:
    assert negated(marker) is None


SIDES = [
    *("sys_platform", "platform_system", "platform_machine", "os_name", "extra", "python_version"),
    *("platform_version", "python_full_version", "implementation_name"),
]
PLACES = [(9, "linux-x86_64"), (10, "windows-amd64"), (12, "macos-arm64")]
VALUES = [
    "linux",
    "Linux",
    "win32",
    "x86_64",
    "ARM64",
    "nt",
    "3.9",
    "3.10",
    "3.12",
    "2.7",
    "3",
    "v3",
    "1",
    "Dev_x",
    "",
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("operation", ["==", "!=", "<", ">=", "in", "~="])
def test_a_plain_marker_has_the_value_that_packaging_gives_it(side: str, operation: str) -> None:
    targets = [Target(PythonVersion.parse(f"3.{minor}"), Platform.parse(place)) for minor, place in PLACES]
    plain = 0
    for value in VALUES:
        one = f'{side} {operation} "{value}"'
        for text in (
            one,
            f"{one} and os_name == 'posix'",
            f"{one} or python_version < '3.10'",
            f"{one} or a and b",
        ):
            for target in targets:
                environment = {**target.environment, "extra": "dev-x"}
                found = plain_value(text, environment)
                plain += found is not None
                assert found is None or found == Marker(text).evaluate(environment), (text, environment)
    is_plain = side in (*SIDES[:6], "implementation_name") and operation in ("==", "!=")
    assert bool(plain) == (is_plain or (side == "python_version" and operation in ("<", ">=")))
