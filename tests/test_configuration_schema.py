"""The JSON schema of a configuration file accepts what torchlock accepts, and nothing else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from support.amount import THOROUGH
from torchlock.cli.config_schema import schema
from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.jobs.project import OPTIONS, Refusal

PROJECT, USER = schema(of_project=True), schema(of_project=False)
# Texts of TOML with their values as JSON.
VALUES: list[tuple[str, Any]] = [
    ("true", True),
    ("3.5", 3.5),
    ('"text"', "text"),
    ('["text"]', ["text"]),
    ("[1.5]", [1.5]),
    ("[true]", [True]),
    ("{ a = 1 }", {"a": 1}),
    ('"3.12"', "3.12"),
    ('"./python"', "./python"),
    ('"auto"', "auto"),
    ('"host"', "host"),
    ('"sub/requirements.txt"', "sub/requirements.txt"),
    ('"pylock.gpu.toml"', "pylock.gpu.toml"),
    ('"conftest.py"', "conftest.py"),
    ('"json"', "json"),
    ('"pylock"', "pylock"),
    ('"never"', "never"),
    ("[]", []),
    ('["3.11", "3.12"]', ["3.11", "3.12"]),
]
PLAIN = 4  # the first ones are tried with the other spelling, and where the rule was tried with all
TABLES: list[tuple[str, Any]] = [
    ('name = "gpu-box"', {"name": "gpu-box"}),
    ('name = "a"\npython = ["3.11", "3.12"]', {"name": "a", "python": ["3.11", "3.12"]}),
    ('name = "a"\ngpu = "sm_89"\nsystem = "debian-12"', {"name": "a", "gpu": "sm_89", "system": "debian-12"}),
    ('name = "a"\ngpu = ["sm_89"]', {"name": "a", "gpu": ["sm_89"]}),
    ('name = "a"\npython = "./python"', {"name": "a", "python": "./python"}),
    ('name = "a"\npython = 3.11', {"name": "a", "python": 3.11}),
    ('name = "a"\nother = "x"', {"name": "a", "other": "x"}),
    ('name = "a b"', {"name": "a b"}),
    ('python = "3.11"', {"python": "3.11"}),
]


def valid(value: Any, rule: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a value is valid by a schema, of which only the words are read that ours has."""
    known = {"description", "deprecated", "type", "enum", "pattern", "anyOf", "items", "$ref"}
    known |= {"properties", "required", "additionalProperties"}
    assert rule.keys() <= known, rule.keys() - known
    if "$ref" in rule:
        return valid(value, root["properties"][rule["$ref"].rpartition("/")[2]], root)
    types = {"string": str, "boolean": bool, "array": list, "object": dict, "number": (int, float)}
    if "type" in rule and not isinstance(value, types[rule["type"]]):
        return False
    if rule.get("type") == "number" and isinstance(value, bool):
        return False
    if "anyOf" in rule and not any(valid(value, each, root) for each in rule["anyOf"]):
        return False
    if "items" in rule and not all(valid(item, rule["items"], root) for item in value):
        return False
    if "properties" in rule:
        return all(
            name in rule["properties"] and valid(item, rule["properties"][name], root)
            for name, item in value.items()
        ) and value.keys() >= set(rule["required"])
    return ("enum" not in rule or value in rule["enum"]) and (
        "pattern" not in rule or bool(re.search(rule["pattern"], value))
    )


def rule_of(name: str, root: dict[str, Any]) -> str:
    """What the schema demands of an option."""
    row = root["properties"].get(name, {})
    return json.dumps({key: value for key, value in row.items() if key != "description"})


# The first option with each rule of the schema.
FIRST = {rule_of(name, root): name for root in (USER, PROJECT) for name in sorted(OPTIONS, reverse=True)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("TORCHLOCK_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.sampled
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_schema_and_program_agree(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option with every value, in the file of a project and in a file that the user names.

    A plain run tries all values with the first option of each rule, and a few with the others.
    """
    tried = {rule for rule, first in FIRST.items() if first != name}
    for root, of_project in ((PROJECT, True), (USER, False)):
        path = folder / ("torchlock.toml" if of_project else "mine.toml")
        words = [] if of_project else ["--config", "mine.toml"]
        for spelled in sorted({name, name.replace("-", "_")}):
            rule = rule_of(name, root)
            for text, value in VALUES if THOROUGH or rule not in tried else VALUES[:PLAIN]:
                path.write_text(f"{spelled} = {text}\n", encoding="utf-8")
                said = spelled in root["properties"] and valid(value, root["properties"][spelled], root)
                accepted = main(["config", "show", *words]) == 0
                assert said == accepted, f"{spelled} = {text}: {capsys.readouterr().err}"
            tried.add(rule)
        path.unlink()


@pytest.mark.parametrize(("text", "table"), TABLES)
def test_the_tables_of_targets_agree(
    text: str, table: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "torchlock.toml").write_text(f"[[target]]\n{text}\n", encoding="utf-8")
    accepted = main(["lock", "six", "--offline", "--no-hashes", "--dry-run"]) != 2
    said = capsys.readouterr().err
    assert accepted is valid([table], PROJECT["properties"]["target"], PROJECT), said
    assert accepted or re.match(r"error: torchlock\.toml:[123]: \[\[target\]\]: ", said)


def test_each_key_has_a_description() -> None:
    assert not [name for name, row in USER["properties"].items() if not row["description"]]
    assert PROJECT["properties"].keys() < USER["properties"].keys()


def test_what_the_schema_leaves_out_is_what_no_file_may_set() -> None:
    hyphened = {name for name in USER["properties"] if name in OPTIONS}
    refused = {name for name, row in OPTIONS.items() if isinstance(row, Refusal) and not row.variable}
    only_named = set(OPTIONS) - hyphened - refused
    assert not only_named


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == PROJECT
    assert main(["config", "schema", "--user"]) == 0
    assert json.loads(capsys.readouterr().out) == USER


def test_it_is_a_schema() -> None:
    validators = pytest.importorskip("jsonschema")
    validators.Draft202012Validator.check_schema(PROJECT)
    validators.Draft202012Validator.check_schema(USER)
    assert not list(validators.Draft202012Validator(PROJECT).iter_errors({"python": "3.12", "strict": True}))
    assert list(validators.Draft202012Validator(PROJECT).iter_errors({"python": 3.12}))


def test_every_command_is_in_it() -> None:
    for command in COMMANDS:
        parser, named_only = parser_of(command)
        for action in parser._actions:
            if not action.option_strings or action.dest == "help":
                continue
            name = action.option_strings[-1][2:]
            if name not in named_only and not isinstance(OPTIONS[name], Refusal):
                assert name in PROJECT["properties"]
