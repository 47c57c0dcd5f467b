"""Candidates of a target: which releases count, and which only where somebody asks for them."""

from __future__ import annotations

import pytest

from support.call_count import calls
from support.made import Made, solve

ABC = [Made("abc", "1.0"), Made("abc", "2.0"), Made("abc", "3.0rc1"), Made("abc", "1.5", yanked="broken")]
ABC.sort(key=lambda release: release.version)

CASES = [
    pytest.param(["abc"], {}, "2.0", id="newest final"),
    pytest.param(["abc>=2.0"], {}, "2.0", id="no pre-release unasked"),
    pytest.param(["abc>=3.0rc1"], {}, "3.0rc1", id="a pre-release that is named"),
    pytest.param(["abc"], {"pre": True}, "3.0rc1", id="--pre"),
    pytest.param(["abc<2"], {}, "1.0", id="nothing withdrawn"),
    pytest.param(["abc==1.5"], {}, "1.5", id="withdrawn but pinned"),
    pytest.param(["abc>=1.1,<2"], {}, None, id="only a withdrawn one is left"),
    pytest.param(["abc>2.0"], {}, "3.0rc1", id="only a pre-release is left"),
    pytest.param(["abc>2.0", "abc>=1"], {}, "3.0rc1", id="only a pre-release is left for two lines together"),
    pytest.param(["abc"], {"lowest": True}, "1.0", id="lowest"),
]


@pytest.mark.parametrize(("requests", "options", "version"), CASES)
def test_which_releases_count(requests: list[str], options: dict[str, object], version: str | None) -> None:
    assert solve(requests, ABC, **options) == (None if version is None else {"abc": version})


def test_a_project_of_pre_releases_alone_needs_no_asking() -> None:
    assert solve(["abc"], [Made("abc", "0.1a1"), Made("abc", "0.1a2")]) == {"abc": "0.1a2"}


def test_a_release_without_a_wheel_for_the_target_is_none() -> None:
    windows = Made("abc", "2.0", tags=("cp311-cp311-win_amd64",))
    assert solve(["abc"], [Made("abc", "1.0"), windows]) == {"abc": "1.0"}


def test_requires_python_is_judged_for_the_target() -> None:
    assert solve(["abc"], [Made("abc", "1.0"), Made("abc", "2.0", python=">=3.12")]) == {"abc": "1.0"}


def test_an_sdist_counts_like_any_release() -> None:
    source = Made("abc", "2.0", tags=(), sdist=True)
    assert solve(["abc"], [Made("abc", "1.0"), source]) == {"abc": "2.0"}


def test_the_source_of_what_is_compiled_elsewhere_is_a_last_resort() -> None:
    elsewhere = Made("abc", "2.0", tags=("cp311-cp311-win_amd64",), sdist=True)
    assert solve(["abc"], [Made("abc", "1.0"), elsewhere]) == {"abc": "1.0"}
    assert solve(["abc>=2"], [Made("abc", "1.0"), elsewhere]) == {"abc": "2.0"}


def test_of_a_compiled_project_the_newest_source_is_taken_and_not_one_from_before_its_wheels() -> None:
    ancient = Made("abc", "0.1", tags=(), sdist=True)
    elsewhere = Made("abc", "2.0", tags=("cp311-cp311-win_amd64",), sdist=True)
    assert solve(["abc"], [ancient, elsewhere]) == {"abc": "2.0"}


def test_no_sdist_of_the_torch_family_ever_counts() -> None:
    source = Made("torchcodec", "0.0.1", tags=(), sdist=True)
    assert solve(["torchcodec"], [source]) is None


def test_extras_bring_what_they_ask_for_and_share_the_release() -> None:
    releases = [
        Made("abc", "1.0", "xyz==1.0 ; extra == 'more'"),
        Made("abc", "2.0", "xyz==3.0 ; extra == 'more'"),
        Made("xyz", "1.0"),
    ]
    assert solve(["abc"], releases) == {"abc": "2.0"}
    assert solve(["abc[more]"], releases) == {"abc": "1.0", "xyz": "1.0"}
    assert solve(["abc[more]", "abc>=2"], releases) is None


def test_markers_are_judged_for_the_target() -> None:
    releases = [
        Made("abc", "1.0", "winonly ; sys_platform == 'win32'", "xyz ; python_version < '3.12'"),
        Made("xyz", "1"),
    ]
    assert solve(["abc"], releases) == {"abc": "1.0", "xyz": "1"}


def test_a_label_satisfies_a_public_pin() -> None:
    assert solve(["abc==2.0"], [Made("abc", "2.0+cu121")]) == {"abc": "2.0+cu121"}


def test_packages_that_need_each_other() -> None:
    releases = [
        Made("abc", "1", "xyz==1"),
        Made("abc", "2", "xyz==2"),
        Made("xyz", "1", "abc==1"),
        Made("xyz", "2", "abc==1"),
    ]
    assert solve(["abc"], releases) == {"abc": "1", "xyz": "1"}


def test_a_need_that_nobody_has_rules_a_release_out() -> None:
    assert solve(["abc"], [Made("abc", "1"), Made("abc", "2", "nowhere")]) == {"abc": "1"}


def test_the_markers_of_other_extras_are_not_evaluated_for_each() -> None:
    needs = [f'dep{number}; extra == "x{number}"' for number in range(400)]
    releases = [Made("abc", "1.0", *needs), *[Made(f"dep{number}", "1.0") for number in range(20)]]

    def asked(count: int) -> dict[str, str] | None:
        return solve([f"abc[{','.join(f'x{number}' for number in range(count))}]"], releases)

    assert asked(20) == {"abc": "1.0", **{f"dep{number}": "1.0" for number in range(20)}}
    assert calls(lambda: asked(20)) < 5 * calls(lambda: asked(2))


@pytest.mark.parametrize(
    ("marker", "brought"),
    [
        ('extra == "a-b"', True),
        ('extra == "A_b"', True),
        ('python_version >= "3" and extra == "a.b"', True),
        ('python_version < "3" and extra == "a-b"', False),
        ('python_version < "3" or extra == "a-b"', True),
        ('extra == "a-b" or extra == "c"', True),
        ('extra == "c" or python_version < "3" and extra == "a-b"', False),
        ('(python_version >= "3" and extra == "a-b")', True),
        ('extra != "c"', False),  # it is there without any extra
        ('extra in "a-b"', False),
        ('extra == "c"', False),
        ('python_version >= "3"', False),
    ],
)
def test_what_an_extra_brings(marker: str, brought: bool) -> None:
    plain = solve(["abc"], [Made("abc", "1.0", f"dep; {marker}"), Made("dep", "1.0")])
    asked = solve(["abc[A.B]"], [Made("abc", "1.0", f"dep; {marker}"), Made("dep", "1.0")])
    assert plain is not None
    assert asked is not None
    assert ("dep" in asked and "dep" not in plain) == brought


def test_many_requirements_on_one_package_are_joined() -> None:
    """Resolvelib looks at all earlier ones again for each that it is given."""

    def declaring(count: int) -> list[Made]:
        return [Made("abc", "1.0", *[f"dep>=0.{number}" for number in range(count)]), Made("dep", "1.0")]

    few, many = declaring(200), declaring(400)
    assert solve(["abc"], many) == {"abc": "1.0", "dep": "1.0"}
    assert calls(lambda: solve(["abc"], many)) < 2.2 * calls(lambda: solve(["abc"], few))
