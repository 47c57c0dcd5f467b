"""Whether a marker can hold on any target of a lock."""

from __future__ import annotations

import re

from packaging.markers import Marker

from torchlock.gathering.requirements import _holds, _targets, may_hold, may_hold_on
from torchlock.knowledge.releases import Catalogue

MAC = ("Darwin", "arm64")
ODD = ["python_version < '2'", "os.name == 'nt'", "'linux' in sys_platform", "platform_release > '1'"]


def markers() -> set[str]:
    """Markers of the newest releases in the data."""
    found = set()
    for name in Catalogue().names()[::4]:
        for release in (Catalogue().releases(name) or [])[-1:]:
            needs = release.dependencies(0 if release.tags else -1)
            found |= {need.marker for need in needs} if isinstance(needs, list) else set()
    return found - {""}


def test_a_marker_may_hold_if_it_holds_on_one_of_all_targets() -> None:
    texts = sorted({*markers(), *ODD})
    assert len(texts) > 50
    for text in texts:
        parsed, extras = Marker(text), ["", *re.findall(r"extra == \"([^\"]+)\"", text)]
        for extra in extras:
            assert may_hold(text, extra) == any(_holds(parsed, {**each, "extra": extra}) for each in _targets())
        mac = [each for each in _targets() if (each["platform_system"], each["platform_machine"]) == MAC]
        expected = any(_holds(parsed, {**each, "extra": extra}) for each in mac for extra in extras)
        assert may_hold_on(text, "macos-arm64") == expected
