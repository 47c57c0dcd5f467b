"""New releases of projects outside of the stack: what they define, from their wheels on an index."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from refreshing import other_names
from support.refresh_index import Index, started, wheel
from torchlock.gathering.asking import Asker
from torchlock.index import IndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def index() -> Iterator[Index]:
    with started() as index:
        add(index, "1.0.0", "def old(): ...\ndef kept(): ...\n")
        add(index, "1.1.0", "def broken(): ...\n", yanked="broken")
        add(index, "1.1.1", "def kept(): ...\n")
        add(index, "0.9.0", "def ancient(): ...\n")
        yield index


def add(index: Index, version: str, source: str, **details: str) -> None:
    name = f"things-{version}-py3-none-any.whl"
    stream = io.BytesIO(wheel(name))
    with zipfile.ZipFile(stream, "a") as archive:
        for member, content in (("things/__init__.py", source), ("things/_C.so", "\x7fELF"), ("../out.py", "")):
            archive.writestr(member, content)
    index.add("things", name, stream.getvalue(), **details)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The table of things 1.0.0 alone."""
    folder = tmp_path / "unpacked" / "1.0.0" / "things"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("def old(): ...\ndef kept(): ...\n", encoding="utf-8")
    others = tmp_path / "data" / "names" / "others"
    others.mkdir(parents=True)
    (others / "things.json").write_bytes(other_names.table_text([folder.parent]))
    return tmp_path / "data"


def refreshed(index: Index, data: Path) -> list[str]:
    asker = Asker(IndexSettings(index.url), data.parent / "index")
    return other_names.add_new(data, asker, data.parent / "cache")


def test_a_new_release_is_read_and_the_table_computed_anew(index: Index, data: Path) -> None:
    said = refreshed(index, data)
    assert said == ["The names of things 1.1.1 were read from things-1.1.1-py3-none-any.whl."]
    table = json.loads((data / "names" / "others" / "things.json").read_bytes())
    assert table["releases"] == ["1.0.0", "1.1.1"]
    assert table["names"] == {"things.old": [[0, 0]]}
    assert "kept" in "".join(table["always"])
    assert "things._C" in table["modules"]
    assert not list(data.parent.rglob("out.py")), "a member outside of the folder is not written"


def test_compiled_modules_are_those_of_one_system(index: Index, data: Path) -> None:
    """A wheel for Windows may be the smallest of one release, and of another one that for Linux."""
    for version, windows in (("1.2.0", b""), ("1.3.0", b"x" * 5000), ("1.4.0", b"")):
        for tag, member, more in (
            ("win_amd64", "_C.cp312-win_amd64.pyd", windows),
            ("linux", "_C.so", b"x" * 2000),
        ):
            name = f"things-{version}-cp312-cp312-{tag.replace('linux', 'manylinux_2_28_x86_64')}.whl"
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr("things/__init__.py", "def kept(): ...\n")
                archive.writestr(f"things/{member}", more)
                archive.writestr(f"things/_{tag}.so", "")
            index.add("things", name, stream.getvalue())
    refreshed(index, data)
    read = {path.rpartition("/")[2] for path in index.asked if "cp312" in path}
    assert {name.rpartition("-")[2] for name in read} == {"manylinux_2_28_x86_64.whl"}
    table = json.loads((data / "names" / "others" / "things.json").read_bytes())
    assert "things._win_amd64" not in table["modules"] + list(table["names"])


def test_a_compiled_module_of_windows_is_a_module(index: Index, data: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("things/__init__.py", "def kept(): ...\n")
        archive.writestr("things/_C.cp312-win_amd64.pyd", "")
    index.add("things", "things-1.2.0-cp312-cp312-win_amd64.whl", stream.getvalue())
    refreshed(index, data)
    table = json.loads((data / "names" / "others" / "things.json").read_bytes())
    assert table["releases"] == ["1.0.0", "1.1.1", "1.2.0"]
    assert "things._C" in table["modules"]


def test_without_a_new_release_no_wheel_is_read(index: Index, data: Path) -> None:
    refreshed(index, data)
    before = (data / "names" / "others" / "things.json").read_bytes()
    index.asked.clear()
    assert refreshed(index, data) == []
    assert (data / "names" / "others" / "things.json").read_bytes() == before
    assert index.asked == ["/simple/things/"]


def test_a_later_patch_release_replaces_the_one_before(index: Index, data: Path) -> None:
    refreshed(index, data)
    add(index, "1.1.2", "def kept(): ...\ndef new(): ...\n")
    index.asked.clear()
    assert len(refreshed(index, data)) == 1
    table = json.loads((data / "names" / "others" / "things.json").read_bytes())
    assert table["releases"] == ["1.0.0", "1.1.2"]
    read = {path.rpartition("/")[2] for path in index.asked if path.startswith("/packages/")}
    assert read == {"things-1.1.2-py3-none-any.whl"}, "what was read before is kept"


def test_a_table_of_which_the_index_lacks_a_release_stays(index: Index, data: Path) -> None:
    before = (data / "names" / "others" / "things.json").read_bytes()
    index.projects["things"] = [name for name in index.projects["things"] if "-1.0.0-" not in name]
    assert refreshed(index, data) == ["The names of things are as they were: the index has no wheel of 1.0.0."]
    assert (data / "names" / "others" / "things.json").read_bytes() == before


# A package as those of diffusers are: its names are placeholders where a requirement is missing.
_PACKAGE = """
try:
    if not is_available():
        raise OptionalDependencyNotAvailable()
except OptionalDependencyNotAvailable:
    from ..utils.dummy_pt_objects import *
else:
    from .real import *
"""


def test_names_that_are_there_only_if_a_requirement_is_missing_are_left_out(tmp_path: Path) -> None:
    sources = {
        "__init__.py": "",
        "parts/__init__.py": _PACKAGE,
        "parts/real.py": "def useful(): ...\n",
        "utils/__init__.py": "",
        "utils/dummy_pt_objects.py": "class Placeholder: ...\n",
    }
    for version, empty in (("1.0.0", ("parts/real.py", "utils/dummy_pt_objects.py")), ("1.1.0", ())):
        for path, source in sources.items():
            place = tmp_path / version / "things" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("" if path in empty else source, encoding="utf-8")
    table = json.loads(other_names.table_text([tmp_path / "1.0.0", tmp_path / "1.1.0"]))
    assert table["names"] == {"things.parts.useful": [[1, 1]], "things.parts.real.useful": [[1, 1]]}


def test_a_class_of_a_namespace_does_not_hide_that_of_the_package(tmp_path: Path) -> None:
    """mpl_toolkits has classes with names of those of matplotlib."""
    for version, method in (("1.0.0", "old"), ("1.1.0", "new")):
        for path, source in (
            ("things/__init__.py", f"class Axes:\n    def {method}(self): ...\n"),
            ("kits/part/__init__.py", "import things\nclass Axes(things.Axes): ...\n"),
        ):
            place = tmp_path / version / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(source, encoding="utf-8")
    table = json.loads(other_names.table_text([tmp_path / "1.0.0", tmp_path / "1.1.0"]))
    assert table["members"] == {"Axes": {"old": [[[0, 0]], [[1, 1]]]}}


def test_what_only_checkers_of_types_import_is_no_name(tmp_path: Path) -> None:
    """A release imports a class, and the next one for its types alone: the import of it fails then."""
    guarded = {
        "1.0.0": "from .parts import Part, Other\n",
        "1.1.0": "if TYPE_CHECKING:\n    from .parts import Part\nelse:\n    Other = None\n",
        "1.2.0": "if typing.TYPE_CHECKING:\n    from .parts import Part, Other\n",
        "1.3.0": "if not TYPE_CHECKING:\n    from .parts import Part, Other\n",
    }
    for version, source in guarded.items():
        folder = tmp_path / version / "things"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "parts.py").write_text("class Part: ...\nclass Other: ...\n")
        (folder / "used.py").write_text(source)
    table = json.loads(other_names.table_text([tmp_path / version for version in guarded]))
    assert table["names"] == {"things.used.Part": [[0, 0], [3, 3]], "things.used.Other": [[0, 1], [3, 3]]}
