"""What changed between two sets of pins with markers: each kind of change, the table, and its rows."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_version

from torchlock.lock.changes import changes_between, one_spelling
from torchlock.lock.model import Move
from torchlock.manifests.pin_sets import PinnedPackage, PinSet, pin_set_of_text
from torchlock.report.changes_json import rows
from torchlock.report.changes_text import table, values_of

OLD, NEW = "python_version < '3.12'", "python_version >= '3.12'"


def pins(*texts: str) -> PinSet:
    return pin_set_of_text("".join(f"{text}\n" for text in texts), "lock.txt", "requirements")


def kinds(old: PinSet, new: PinSet) -> dict[str, str]:
    return {change.name: change.kind for change in changes_between(old, new)}


@pytest.mark.parametrize(
    ("old", "new", "kind", "values"),
    [
        (["a==1"], ["a==2"], "updated", "1 → 2"),
        (["a==2"], ["a==1"], "downgraded", "2 → 1"),
        ([], ["a==1"], "added", "1"),
        (["a==1"], [], "removed", "1"),
        (["a==1"], ["a==1+cpu"], "changed", "1 → 1+cpu"),
        (["a>=1"], ["a==1"], "changed", ">=1 → 1"),
        (["a==1"], [f"a==1 ; {NEW}"], "marker", '1: everywhere → python_version >= "3.12"'),
        (
            [f"a==1 ; {OLD}", f"a==2 ; {NEW}"],
            [f"a==1 ; {OLD}", f"a==3 ; {NEW}"],
            "updated",
            '2 → 3 where python_version >= "3.12"',
        ),
        (
            ["a==1"],
            [f"a==1 ; {OLD}", f"a==2 ; {NEW}"],
            "changed",
            '1 → 1 where python_version < "3.12", 2 where python_version >= "3.12"',
        ),
        (
            [f"a==2 ; {OLD}"],
            [f"a==2 ; {OLD}", f"a==1 ; {NEW}"],
            "changed",
            '2 where python_version < "3.12" → 1 where python_version >= "3.12", 2 where python_version < "3.12"',
        ),
        (
            [f"a==2 ; {OLD}", f"a==1 ; {NEW}"],
            [f"a==2 ; {OLD}"],
            "changed",
            '1 where python_version >= "3.12", 2 where python_version < "3.12" → 2 where python_version < "3.12"',
        ),
        (
            ["a @ https://example.org/one/a-1-py3-none-any.whl"],
            ["a @ https://example.org/two/a-1-py3-none-any.whl"],
            "source",
            "1: https://example.org/one/a-1-py3-none-any.whl → https://example.org/two/a-1-py3-none-any.whl",
        ),
        (["a==1"], ["a==1 --hash=sha256:" + "0" * 64], "files", "1: 1 hash added, before none"),
        (["a==1 --hash=sha256:" + "0" * 64], ["a==1"], "files", "1: without hashes"),
        (
            ["a==1 --hash=sha256:" + "0" * 64],
            ["a==1 --hash=sha256:" + "0" * 64 + " --hash=sha256:" + "1" * 64],
            "files",
            "1: hashes: 1 added",
        ),
    ],
)
def test_each_kind_of_change(old: list[str], new: list[str], kind: str, values: str) -> None:
    (change,) = changes_between(pins(*old), pins(*new))
    assert (change.kind, values_of(change)) == (kind, values)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a==1"], ["a==1.0"]),
        (["A_b==1"], ["a-b==1"]),
        (["a==1", "b==2"], ["b==2", "a==1"]),
        ([f"a==1 ; {NEW}"], ["a==1 ; python_version>='3.12'"]),
        (["a==1 ; sys_platform == 'linux'"], ["a==1 ; platform_system == 'Linux'"]),
        ([f"a==1 ; {OLD}", f"a==1 ; {NEW}"], ["a==1"]),
    ],
)
def test_another_spelling_is_no_change(old: list[str], new: list[str]) -> None:
    assert not changes_between(pins(*old), pins(*new))


def test_markers_that_may_differ_are_a_change() -> None:
    """The grid of Pythons and platforms does not show where these differ."""
    assert kinds(pins("a==1 ; platform_release == 'x'"), pins("a==1 ; platform_release == 'y'")) == {"a": "marker"}
    assert kinds(pins("a==1 ; python_full_version < '3.12.3'"), pins("a==1 ; python_full_version < '3.12.4'")) == {
        "a": "marker"
    }


def test_the_torch_family_comes_first() -> None:
    changes = changes_between(pins("a==1", "torch==2.8.0", "z==1"), pins("a==2", "torch==2.9.0", "y==1"))
    assert [change.name for change in changes] == ["torch", "a", "y", "z"]


def test_a_reason_about_other_versions_is_not_taken() -> None:
    """The solver may compare with the lock of another tool, and not with the output file."""
    moves = [Move("a", "7", "2", "newer", "newer release"), Move("a", "1", "2", "input", "a>=2 (in.txt:1)")]
    (change,) = changes_between(pins("a==1"), pins("a==2"), moves)
    assert [move.text for move in change.why] == ["a>=2 (in.txt:1)"]


def test_what_one_target_no_longer_needs_is_not_gone() -> None:
    gone = Move("a", "1", "", "unneeded", "nothing needs it")
    both, one = pins(f"a==2 ; {OLD}", f"a==1 ; {NEW}"), pins(f"a==2 ; {OLD}")
    everywhere = pins("a==1")
    assert not changes_between(both, one, [gone])[0].why
    assert not changes_between(everywhere, pins(f"a==1 ; {NEW}"), [gone])[0].why
    assert changes_between(everywhere, pins(), [gone])[0].why == (gone,)


def test_a_long_table_is_cut_short() -> None:
    changes = changes_between(PinSet([]), PinSet(PinnedPackage(f"p{at:02}", "1") for at in range(30)))
    lines = list(table(changes))
    assert len(lines) == 20
    assert lines[-1] == "  and 11 more (-v shows all)"
    assert len(list(table(changes, most=None))) == 30
    assert len(list(table(changes[:20]))) == 20


def test_secrets_and_control_characters_stay_out() -> None:
    old = PinSet([PinnedPackage("a", "1", url="https://user:hunter2@example.org/a-1.whl")])
    new = PinSet([PinnedPackage("a", "1\x1b[31m", url="https://user:hunter2@example.org/b/a-1.whl")])
    text = "\n".join(table(changes_between(old, new)))
    assert "hunter2" not in text
    assert "\x1b" not in text


def test_rows_have_every_key() -> None:
    (row,) = rows(
        changes_between(pins("a==1"), pins("a==2"), [Move("a", "1", "2", "rule", "x", "TL101", "torch")])
    )
    assert row == {
        "name": "a",
        "kind": "updated",
        "old": [{"version": "1", "marker": None, "scope": None, "url": None}],
        "new": [{"version": "2", "marker": None, "scope": None, "url": None}],
        "hashes": {"added": 0, "removed": 0},
        "because": "x (TL101)",
        "reasons": [{"kind": "rule", "rule": "TL101", "package": "torch", "text": "x"}],
    }


@pytest.mark.parametrize(
    "version",
    [
        "1.0",
        "1.0.0",
        "0",
        "0.0",
        "1!1.0",
        "1.0a1",
        "1.0.post1",
        "1.0.0-1",
        "v1.0",
        "1.10",
        "1.0+cu118",
        "1.0.0+1.0",
        "x",
    ],
)
def test_versions_have_one_spelling_as_packaging_has_it(version: str) -> None:
    assert one_spelling(version) == canonicalize_version(version)
