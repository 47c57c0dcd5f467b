"""The tags of CPython, compared with those of packaging."""

from __future__ import annotations

import itertools
import sys

import pytest
from packaging.tags import compatible_tags, cpython_tags, platform_tags

from torchlock.standards import wheel_tags
from torchlock.target import PYTHONS, Platform

NAMES = (
    "manylinux_2_28_x86_64",
    "manylinux_2_17_aarch64",
    "musllinux_1_2_x86_64",
    "macosx_14_0_arm64",
    "win_amd64",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("minor", PYTHONS)
def test_all_tags_in_the_order_of_packaging(name: str, minor: int) -> None:
    platforms = list(Platform.parse(name).tags())
    for threads in (False, True):
        abi = f"cp3{minor}" + ("t" if threads else "m" if minor < 8 else "")
        expected = itertools.chain(
            cpython_tags((3, minor), [abi], platforms), compatible_tags((3, minor), f"cp3{minor}", platforms)
        )
        assert list(wheel_tags.installable((3, minor), threads, platforms)) == list(map(str, expected))


def test_the_platform_of_this_machine_is_that_of_packaging() -> None:
    found = wheel_tags.host_platform()
    best = next((tag for tag in platform_tags() if tag.startswith(("manylinux_", "musllinux_"))), None)
    assert found in (None, best)
    if sys.platform == "linux" and best and best.startswith("manylinux_2_"):
        assert found == best


def test_a_configured_platform_is_left_to_packaging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "linux-armv7l")
    assert wheel_tags.host_platform() is None
