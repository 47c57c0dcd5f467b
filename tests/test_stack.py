"""The table of the members of the stack: what it says of each, and that one row is all that a new member needs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

import compile_rules
from torchlock.errors import DataError
from torchlock.inspect.probe import probe
from torchlock.knowledge.rules import Matrix
from torchlock.knowledge.stack import CONDA_NAMES, CORE, FAMILY, MEMBERS, STACK, cuda_check_of, read_members

DATA = Path(__file__).parents[1] / "compat_data"
# A member that is added changes no test.
KNOWN = {"torch", "torchaudio", "torchvision", "torchtext", "torchcodec", "numpy", "soundfile"}
ROW = """
[[member]]
name = "torchnew"
role = "companion"
conda = ["pytorch-new"]
effect = "import"
opens = [["", "_torchnew", "import"]]
"""


def test_who_belongs_to_the_stack() -> None:
    assert CORE == ("torch", "torchaudio")
    assert {"torch", "torchaudio", "torchvision", "torchtext", "torchcodec"} == KNOWN & FAMILY
    assert set(STACK) >= FAMILY | KNOWN
    assert STACK[:2] == CORE  # messages begin with torch


def test_conda_names() -> None:
    assert CONDA_NAMES["pytorch"] == CONDA_NAMES["pytorch-gpu"] == "torch"
    assert CONDA_NAMES["python-soundfile"] == CONDA_NAMES["pysoundfile"] == "soundfile"
    assert not CONDA_NAMES.keys() & MEMBERS.keys()


def test_what_a_broken_member_stops() -> None:
    assert {name for name, member in MEMBERS.items() if member.vital} == {"torch", "torchaudio", "numpy"}
    assert {name for name in KNOWN if MEMBERS[name].effect == "use"} == {"torchcodec", "soundfile"}


@pytest.mark.parametrize("name", [name for name, member in MEMBERS.items() if member.rule])
def test_the_rule_of_a_pair_is_about_that_member(name: str) -> None:
    statements = Matrix().statements_of(MEMBERS[name].rule)
    named = {item.name for each in statements for item in (each.when, *each.needs, *each.forbids)}
    assert {"torch", name} <= named


def test_a_file_that_compares_cuda_versions() -> None:
    assert cuda_check_of("torchvision") == ("extension.py",)
    assert cuda_check_of("torch") == cuda_check_of("librosa") == ()


def test_the_smoke_test_imports_each_member(tmp_path: Path) -> None:
    """It runs in the interpreter of the environment, without the table."""
    for name in STACK:
        (tmp_path / f"{name}.py").write_text("")
    steps = probe(sys.executable, {**os.environ, "PYTHONPATH": str(tmp_path)}, str(tmp_path)).steps
    imported = {step.name.removeprefix("import ").partition(".")[0] for step in steps if "import " in step.name}
    assert imported == {name for name in STACK if name != "numpy"}


def _with(tmp_path: Path, row: str) -> Path:
    data = tmp_path / "data"
    shutil.copytree(DATA, data, ignore=shutil.ignore_patterns("compiled", "releases"))
    with (data / "stack.toml").open("a", encoding="utf-8") as file:
        file.write(row)
    return data


def test_one_row_adds_a_member(tmp_path: Path) -> None:
    data = _with(tmp_path, ROW)
    assert compile_rules.main(["--data", str(data)]) == 0
    members = read_members(data / "compiled" / "stack.json")
    assert tuple(members) == (*STACK, "torchnew")
    new = members["torchnew"]
    assert (new.role, new.conda, new.is_compiled, new.labels) == ("companion", ("pytorch-new",), True, True)
    assert new.opens == (("", "_torchnew", "import"),)


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (ROW.replace('"torchnew"', '"torch"'), "member[N].name: torch is there twice"),
        (ROW.replace('"torchnew"', '"Torch_New"'), "member[N].name: 'Torch_New' is not a normalised name"),
        (ROW.replace("companion", "friend"), "member[N].role: must be one of core, companion, support"),
        (ROW + 'rule = "TL000"\n', "member[N].rule: TL000 is not a rule"),
        (ROW + 'earlier = "0.7"\n', "member[N].earlier: "),
        (ROW + "colour = 1\n", "member[N].colour: unknown key"),
        (ROW.replace('"_torchnew"', '"("'), "member[N].opens[0]: '(' is not a pattern"),
        (ROW.replace('"import"]]', '"never"]]'), "member[N].opens[0]: the role must be"),
    ],
)
def test_a_row_that_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, error: str) -> None:
    assert compile_rules.main(["--data", str(_with(tmp_path, row))]) == 2
    assert f"stack.toml: {error.replace('[N]', f'[{len(STACK)}]')}" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", '{"members": [{}]}', "{", '{"members": [{"name": "torch"}]}'])
def test_a_damaged_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "stack.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        read_members(path)


def test_the_compiled_table_is_that_of_the_program() -> None:
    rows = json.loads((DATA / "compiled" / "stack.json").read_text(encoding="utf-8"))["members"]
    assert [row["name"] for row in rows] == list(STACK)
