"""The JSON schemas: they accept what each command prints, and refuse it once it is broken."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from support.amount import THOROUGH, amount
from support.check import stage_audio, stage_torch
from support.local_index import publish
from torchlock.cli.main import main
from torchlock.cli.parser import COMMANDS, parser_of
from torchlock.report.schemas import OUTPUTS, schema

CORPUS = Path(__file__).parent / "corpus"
LINUX = ["--python", "3.12", "--platform", "linux-x86_64"]
VALIDATORS = {output: Draft202012Validator(schema(output)) for output in OUTPUTS}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], output: str, *arguments: str) -> Any:
    """What a command prints, which its schema accepts."""
    capsys.readouterr()
    main([output, *arguments, "--json"])
    captured = capsys.readouterr()
    assert captured.out, captured.err
    table = json.loads(captured.out)
    VALIDATORS[output].validate(table)
    return table


def environment(folder: Path, audio: str = "2.7.0+cpu") -> str:
    site = folder / "site"
    site.mkdir()
    stage_torch(site, "2.7.1+cpu")
    stage_audio(site, audio)
    return str(site)


def locked(*requirements: str) -> None:
    assert main(["lock", *requirements, *LINUX, "--offline", "-o", "requirements.txt"]) == 0


def sample(output: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """A document of each output in which most parts have something."""
    if output == "audit":
        (folder / "requirements.txt").write_text("torch==2.7.1\ntorchaudio==2.5.1\n")
        return printed(capsys, "audit", "requirements.txt", *LINUX, "--system", "debian-12")
    if output == "check":
        return printed(capsys, "check", "--path", environment(folder), "--platform", "linux-x86_64")
    if output == "config":
        (folder / "torchlock.toml").write_text('python = "3.12"\n')
        return printed(capsys, "config", "show")
    if output == "data":
        return printed(capsys, "data")
    if output == "matrix":
        return printed(capsys, "matrix", "torchaudio", "torch==2.7.1", "--platform", "linux-x86_64")
    if output == "rules":
        return printed(capsys, "rules")
    if output == "explain":
        return printed(capsys, "explain", "torch==2.7.1", "torchaudio==2.5.1", *LINUX, "--offline")
    if output == "fetch":
        wheel = publish(folder / "simple", "alpha", "1.0")
        (folder / "requirements.txt").write_text(f"alpha==1.0 --hash=sha256:{digest(wheel)}\n")
        return printed(capsys, "fetch", "requirements.txt", "--index-url", str(folder / "simple"))
    locked("torch==2.7.1", "torchaudio", "filelock")
    if output == "lock":
        return printed(
            capsys,
            "lock",
            "torch==2.8.0",
            "torchaudio",
            "soundfile",
            *LINUX,
            "--offline",
            "-o",
            "requirements.txt",
        )
    if output == "diff":
        Path("requirements.txt").rename("old.txt")
        locked("torch==2.8.0", "torchaudio")
        return printed(capsys, "diff", "old.txt", "requirements.txt")
    (folder / "requirements.in").write_text("torch==2.7.1\ntorchaudio\nfilelock\n")
    assert main(["lock", "-r", "requirements.in", *LINUX, "--offline", "-o", "requirements.txt"]) == 0
    return printed(
        capsys, "upgrade", "torch==2.8.0", "-r", "requirements.in", *LINUX, "--offline", "-o", "requirements.txt"
    )


def digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def objects(value: Any, found: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The objects of a document, each with its schema, where the schema names its keys."""
    while "$ref" in found or "anyOf" in found:
        name = found.get("$ref", "").rpartition("/")[2]
        found = DEFINITIONS[name] if name else found["anyOf"][0]
    if "oneOf" in found:
        for form in found["oneOf"]:
            form = DEFINITIONS[form["$ref"].rpartition("/")[2]] if "$ref" in form else form
            if isinstance(value, dict) and set(form["required"]) <= value.keys():
                yield from objects(value, form)
    elif isinstance(value, list):
        for each in value[:3]:
            yield from objects(each, found["items"])
    elif isinstance(value, dict) and "properties" in found:
        yield value, found
        for key, each in value.items():
            if isinstance(each, dict | list):
                yield from objects(each, found["properties"][key])
    elif isinstance(value, dict) and isinstance(found.get("additionalProperties"), dict):
        for each in list(value.values())[:3]:
            yield from objects(each, found["additionalProperties"])


DEFINITIONS = {name: each for output in OUTPUTS for name, each in schema(output).get("$defs", {}).items()}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_schema_is_valid_and_accepts_the_output(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Draft202012Validator.check_schema(schema(output))
    assert sample(output, tmp_path, capsys)
    capsys.readouterr()
    assert main(["schema", output]) == 0
    assert json.loads(capsys.readouterr().out) == schema(output)


def shortened(value: Any) -> Any:
    """A JSON value whose lists have one object for each set of keys."""
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    if isinstance(value, list):
        kinds = {tuple(each) if isinstance(each, dict) else str(each): each for each in value}
        return [shortened(each) for each in kinds.values()]
    return value


@pytest.mark.sampled
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_schema_refuses_an_output_that_is_broken(
    output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each object without a key that it must have, with an unknown one, or with a value of another type."""
    table = copy.deepcopy(sample(output, tmp_path, capsys))
    if not THOROUGH:
        table = shortened(table)
    validator, tried = VALIDATORS[output], 0
    every = list(objects(table, schema(output)))
    chosen = every if THOROUGH else {(id(found), *value): (value, found) for value, found in every}.values()
    for value, found in chosen:  # in a plain run one object for each set of keys
        for key in found["required"]:
            if found["properties"][key] == {}:  # a setting, of any type
                continue
            kept = value.pop(key)
            assert not validator.is_valid(table), key
            value[key] = {"unknown": [1.5]} if not isinstance(kept, dict) else [1.5]
            assert not validator.is_valid(table), key
            value[key] = kept
            tried += 1
        value["surplus"] = None
        assert not validator.is_valid(table), found.get("description")
        del value["surplus"]
    validator.validate(table)
    assert tried >= 4


@pytest.mark.sampled
def test_the_reports_on_the_corpus_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in sorted(path for path in CORPUS.iterdir() if path.is_dir())[:: amount(1, quick=4)]:
        printed(capsys, "audit", "-R", str(folder))
    printed(capsys, "audit", "missing.txt")


def test_a_lock_for_many_targets_and_for_a_base_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    many = ["--python", "3.11", "--python", "3.12", "--platform", "linux-x86_64", "--offline"]
    assert len(printed(capsys, "lock", "torch==2.7.1", "torchaudio", *many)["targets"]) == 2
    base = ["--base-image", "pytorch/pytorch:2.8.0-cuda12.8-cudnn9-runtime", "--offline"]
    assert printed(capsys, "lock", "torchaudio", *base)["base"]["kind"]


def test_other_environments_are_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "check", "--path", environment(tmp_path, "2.5.1+cpu"), "--platform", "linux-x86_64")
    Path("log.txt").write_text("OSError: libc10_cuda.so: cannot open shared object file\n")
    printed(capsys, "check", "--path", "site", "--platform", "linux-x86_64", "--log", "log.txt")


def test_rules_and_a_build_are_explained_as_the_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "explain", "TL101", "TL304")
    printed(capsys, "rules", "TL101")
    printed(capsys, "explain", "torchaudio", *LINUX, "--accelerator", "cpu", "--offline")
    printed(capsys, "matrix", "torchcodec", "torch>=2.9", "--gpu", "sm_90", "--platform", "all")


def test_every_command_with_json_has_a_schema() -> None:
    flags = {name: parser_of(name)[0]._option_string_actions for name in COMMANDS}
    assert {name for name, known in flags.items() if "--json" in known} == set(OUTPUTS)


def test_an_output_without_a_schema_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "completion"]) == 2
    assert "audit" in capsys.readouterr().err
