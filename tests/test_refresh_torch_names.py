"""The table of torch's names: what a release has, what it lacks, and what its files do not show."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from refreshing.torch_names import Names, names_of, names_stated, table_of, text_of, with_release

TABLE = Path(__file__).parents[1] / "compat_data" / "names" / "torch.json"
# The names of C code are taken at import, so the source does not show them.
INIT = (
    "from torch import _C\nfor name in dir(_C):\n    globals()[name] = getattr(_C, name)\nfrom torch import nn\n"
)
STUB = "float32: dtype = ...\n"


def release(stub: str = STUB, init: str = "", nn: str = "", **modules: str) -> Names:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("torch/__init__.py", INIT + init)
        archive.writestr("torch/_C/__init__.pyi", stub)
        archive.writestr("torch/nn.py", nn)
        for name, text in modules.items():
            archive.writestr(f"torch/{name}.py", text)
    return names_of(zipfile.ZipFile(content))


def table(*releases: Names) -> dict[str, dict[str, object]]:
    return table_of({Version(f"2.{at}.0"): each for at, each in enumerate(releases)})


def rows(made: dict[str, dict[str, object]], module: str) -> object:
    return made["changed"].get(module)


def test_a_function_of_c_code_is_new() -> None:
    made = table(release(), release(f"{STUB}def frombuffer(a): ...\n"))
    assert rows(made, "torch") == [[[[1, 1]], [[0, 0]], "frombuffer"]]
    assert made["always"]["torch"].split() == ["float32", "name", "nn"]


def test_what_a_release_mentions_may_be_there() -> None:
    made = table(release(init="# see torch.frombuffer\n"), release(f"{STUB}def frombuffer(a): ...\n"))
    assert rows(made, "torch") is None


def test_a_release_without_stubs_does_not_show_what_it_lacks() -> None:
    made = table(release(""), release(f"{STUB}def frombuffer(a): ...\n"))
    assert rows(made, "torch") is None


def test_a_module_shows_all_its_names() -> None:
    made = table(release(nn="Mish = 1\n"), release(nn="GELU = _own = 1\n"), release())
    assert rows(made, "torch.nn") == [[[[1, 1]], [[0, 0], [2, 2]], "GELU"], [[[0, 0]], [[1, 2]], "Mish"]]


def test_a_removed_module_has_no_names() -> None:
    made = table(release(ffi="build = 1\n"), release())
    assert rows(made, "torch.ffi") == [[[[0, 0]], [[1, 1]], "build"]]
    assert made["unloaded"] == ["torch.ffi"]


def test_a_new_release_gives_the_same_table() -> None:
    first, second, third = (
        release(),
        release(nn="Mish = 1\n"),
        release(f"{STUB}def add(a): ...\n", nn="Mish = 1\n"),
    )
    whole = table(first, second, third)
    grown = with_release(table(first, second), Version("2.2.0"), third, second)
    assert names_stated(grown)["torch.nn.Mish"] == names_stated(whole)["torch.nn.Mish"] == [False, True, True]
    assert names_stated(grown)["torch.add"] == [None, False, True]
    again = with_release(whole, Version("2.2.1"), second, second)
    assert again["releases"] == ["2.0.0", "2.1.0", "2.2.1"]
    assert names_stated(again)["torch.nn.Mish"] == [False, True, True]
    assert "torch.add" not in names_stated(again)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("torch.nn.RMSNorm", "2.4"),
        ("torch.inference_mode", "1.9"),
        ("torch.serialization.add_safe_globals", "2.4"),
    ],
)
def test_the_table_of_the_real_wheels(name: str, first: str) -> None:
    real = json.loads(TABLE.read_bytes())
    assert text_of(real) == TABLE.read_bytes()
    row = names_stated(real)[name]
    assert real["releases"][row.index(True)].startswith(f"{first}.")
    assert row[row.index(True) - 1] is False


def test_documents_and_wheels_agree() -> None:
    """What names.toml states of a name, and what was read, do not contradict each other."""
    from torchlock.knowledge import tables, torch_names

    for name in tables.load_compiled("names.json")["torch"]:
        stated, read = torch_names.stated(name), torch_names.measured(name)
        assert stated is not None
        if read is not None:
            assert not set(read[0]) & set(stated[1]), name
            assert not set(read[1]) & set(stated[0]), name
