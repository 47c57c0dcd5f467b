"""A release that is unproven on some platforms only is judged on the others."""

from __future__ import annotations

import pytest

from torchlock.audit import Auditor, Options
from torchlock.finding import Finding
from torchlock.target import PLATFORMS, Platform

TEXT = "torch==2.8.0\ntorchcodec==0.17.0\n"


def findings(*platforms: str, text: str = TEXT) -> list[Finding]:
    """As after an update that could not read torchcodec 0.17.0 for Windows."""
    auditor = Auditor(Options(platforms=tuple(map(Platform.parse, platforms))) if platforms else Options())
    package = auditor.known.stack.packages["torchcodec"]
    package.unproven = {"0.17.0": [PLATFORMS.index("windows-amd64")]}
    return auditor.report("requirements.txt", text.encode(), "requirements").findings


def rules(found: list[Finding]) -> set[tuple[str, str]]:
    return {(each.rule, each.severity) for each in found if each.severity != "note" or each.rule == "TL902"}


@pytest.mark.parametrize("platform", ["linux-x86_64", "macos-arm64"])
def test_where_it_is_proven_it_is_judged(platform: str) -> None:
    assert rules(findings(platform)) == {("TL102", "error")}


def test_where_it_is_unproven_it_is_a_note() -> None:
    assert rules(findings("windows-amd64")) == {("TL902", "note")}


def test_on_both_there_is_a_finding_and_a_note() -> None:
    found = findings("linux-x86_64", "windows-amd64")
    assert {rule for rule, _ in rules(found)} == {"TL102", "TL902"}
    assert not [each for each in found if each.rule.startswith("TL5")], "it has a wheel there"


def test_another_release_is_judged_everywhere() -> None:
    assert rules(findings("windows-amd64", text="torch==2.8.0\ntorchcodec==0.16.0\n")) == {("TL102", "error")}
