"""Every file of tests/scenarios/audit: files, the arguments of ``torchlock audit``, and what the report must have.

``findings`` are all but the notes, ``notes`` those that must be among the notes: severity, rule and line.
``fixed`` are the files as ``--fix`` leaves them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.scenarios import read_toml, scenarios
from torchlock.cli.main import main

KEYS = {"about", "arguments", "code", "files", "findings", "notes", "says", "silent", "fixed"}


@scenarios("audit")
def test_scenario(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = read_toml(path, KEYS)
    monkeypatch.chdir(tmp_path)
    for name, text in scenario["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    words = ["audit", *scenario.get("arguments", ()), *scenario["files"]]
    code = main([*words, "--format", "json"])
    output = capsys.readouterr().out
    files = {file["path"]: file["findings"] for file in json.loads(output)["files"]}
    assert {name: told(rows) for name, rows in files.items() if told(rows)} == scenario.get("findings", {})
    assert code == scenario["code"]
    for name, notes in scenario.get("notes", {}).items():
        assert set(notes) <= {f"{each['rule']} {each['line']}" for each in files[name]}
    messages = "\n".join(each["message"] for rows in files.values() for each in rows)
    for words_said in scenario.get("says", ()):
        assert words_said in messages
    for words_unsaid in scenario.get("silent", ()):
        assert words_unsaid not in output
    if "fixed" in scenario:
        main([*words, "--fix"])
        assert {name: Path(name).read_text(encoding="utf-8") for name in scenario["fixed"]} == scenario["fixed"]


def told(findings: list[dict[str, Any]]) -> list[str]:
    """Severity, rule and line of all findings but the notes."""
    return [f"{each['severity']} {each['rule']} {each['line']}" for each in findings if each["severity"] != "note"]
