"""Every file of tests/scenarios/check: an environment, the arguments of ``torchlock check``, and its report.

``stack`` are the distributions of the small staged stack with their versions, ``torch`` and ``torchaudio`` further
words for their staging, ``files`` texts to write over it, ``libraries`` ELF files, ``removed`` paths to delete,
``machine`` the libraries of a staged Debian 12. ``findings`` are all but the notes, ``consequences`` those
under the first, ``silent`` rules without a finding, ``says`` parts of the summary, ``prints`` what the failure
prints, ``command`` alternatives of a part of the command.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.check import bad, first, image, rules_below, run, stage_audio, stage_torch
from support.libraries import elf
from support.scenarios import read_toml, scenarios
from support.site_folder import install, write

KEYS = {
    "about", "stack", "torch", "torchaudio", "files", "libraries", "removed", "machine", "log", "arguments",
    "code", "findings", "notes", "consequences", "silent", "says", "prints", "command",
}  # fmt: skip


@scenarios("check")
def test_scenario(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = read_toml(path, KEYS)
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage(site, scenario)
    log = ["--log", write(tmp_path / "log", scenario["log"])] if "log" in scenario else []
    report = run(capsys, "--path", site, *log, *scenario.get("arguments", ()), code=scenario["code"])
    assert [" ".join(each) for each in bad(report)] == scenario.get("findings", [])
    rules = {each["rule"] for each in report["files"][0]["findings"] if each["severity"] == "note"}
    assert set(scenario.get("notes", ())) <= rules
    reported = {each["rule"] for one in report["files"][0]["findings"] for each in (one, *one["consequences"])}
    assert not set(scenario.get("silent", ())) & reported
    if "consequences" in scenario:
        assert rules_below(first(report)) == scenario["consequences"]
    for words in scenario.get("says", ()):
        assert words in report["summary"]
    if "prints" in scenario:
        assert first(report)["says"] == scenario["prints"]
    if "command" in scenario:
        assert any(words in report["command"] for words in scenario["command"])


def stage(site: Path, scenario: dict[str, Any]) -> None:
    """Make the environment of a scenario."""
    for name, version in scenario.get("stack", {}).items():
        words = {key: tuple(value) if isinstance(value, list) else value for key, value in _words(scenario, name)}
        if name == "torch":
            stage_torch(site, version, **words)
        elif name == "torchaudio":
            stage_audio(site, version, **words)
        elif name == "soundfile":
            files: dict[str, bytes | str] = {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": elf()}
            install(site, name, version, files)
        else:
            install(site, name, version)
    if "machine" in scenario:
        image(site, *scenario["machine"])
    for name, text in scenario.get("files", {}).items():
        write(site / name, text)
    for name, words in scenario.get("libraries", {}).items():
        write(site / name, elf(**words))
    for name in scenario.get("removed", ()):
        shutil.rmtree(site / name) if (site / name).is_dir() else (site / name).unlink()


def _words(scenario: dict[str, Any], name: str) -> Any:
    return scenario.get(name, {}).items()
