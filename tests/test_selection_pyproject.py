"""pyproject.toml: what a project asks for, and the line of every string."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlock.errors import InputError
from torchlock.manifests.selection import read_inputs
from torchlock.manifests.syntax.toml import Tree
from torchlock.terms import Inputs, ParsedRequirement

PROJECT = """\
[build-system]
requires = ["torch"]

[project]
name = "My.Project"
requires-python = ">=3.10"
dependencies = [
    "numpy",  # "torch" comes below
    'torch>=2.0; sys_platform != "win32"',
    "torchaudio>=2.0 ; sys_platform == \\"linux\\"",
]

[project.optional-dependencies]
dev = ["pytest", "numpy"]
GPU_x = [
    "torch",
]
all = ["my_project[dev,gpu-x]"]
mac = ["my-project[gpu-x]; sys_platform == 'darwin'", "coremltools"]
circle = ["my-project[circle, dev]"]
broken = ["my-project[gone]"]

[dependency-groups]
lint = ["ruff"]
Test_All = [{include-group = "LINT"}, "pytest>8", "my-project[dev]"]
a = [{include-group = "b"}]
b = ["x", {include-group = "a"}]
lost = [{include-group = "gone"}]
odd = [{include = "lint"}]

[tool.uv]
constraint-dependencies = ["torch<2.4"]
override-dependencies = ["numpy<2"]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, *extras: str, groups: tuple[str, ...] = (), all_extras: bool = False) -> Inputs:
    Path("pyproject.toml").write_text(text, encoding="utf-8")
    return read_inputs("pyproject.toml", extras=extras, groups=groups, all_extras=all_extras)


def refused(text: str, *extras: str, groups: tuple[str, ...] = (), all_extras: bool = False) -> InputError:
    with pytest.raises(InputError) as caught:
        read(text, *extras, groups=groups, all_extras=all_extras)
    assert caught.value.path == "pyproject.toml"
    return caught.value


def lines(found: list[ParsedRequirement]) -> list[tuple[int | None, str]]:
    return [(item.origin.line, str(item.requirement)) for item in found]


OWN = [(8, "numpy"), (9, 'torch>=2.0; sys_platform != "win32"'), (10, 'torchaudio>=2.0; sys_platform == "linux"')]


# Left alone.


def test_a_project() -> None:
    inputs = read(PROJECT)
    assert lines(inputs.requirements) == OWN
    assert inputs.requirements[2].origin.text == 'torchaudio>=2.0 ; sys_platform == "linux"'
    assert lines(inputs.constraints) == [(32, "torch<2.4")]
    assert lines(inputs.overrides) == [(33, "numpy<2")]
    assert inputs.requires_python is not None
    assert str(inputs.requires_python[0]) == ">=3.10"
    assert inputs.requires_python[1] == ("pyproject.toml", 6, ">=3.10")
    assert inputs.notes == []


@pytest.mark.parametrize(
    ("extras", "expected"),
    [
        pytest.param(["dev"], [(14, "pytest"), (14, "numpy")], id="one"),
        pytest.param(["gpu.X"], [(16, "torch")], id="however spelled"),
        pytest.param(["dev", "gpu-x", "DEV"], [(14, "pytest"), (14, "numpy"), (16, "torch")], id="each once"),
        pytest.param(["all", "dev"], [(14, "pytest"), (14, "numpy"), (16, "torch")], id="of itself"),
        pytest.param(
            ["mac"], [(16, 'torch; sys_platform == "darwin"'), (19, "coremltools")], id="of itself, with marker"
        ),
        pytest.param(["circle"], [(14, "pytest"), (14, "numpy")], id="a circle"),
    ],
)
def test_extras(extras: list[str], expected: list[tuple[int, str]]) -> None:
    assert lines(read(PROJECT, *extras).requirements) == OWN + expected


def test_all_extras() -> None:
    text = PROJECT.replace('broken = ["my-project[gone]"]', "none = []")
    found = lines(read(text, all_extras=True).requirements)
    assert found[3:] == [(14, "pytest"), (14, "numpy"), (16, "torch"), (19, "coremltools")]


def test_markers_of_both_hold() -> None:
    text = (
        "[project]\nname='x'\n[project.optional-dependencies]\n"
        'a = [\'t; os_name=="nt" or os_name=="posix"\']\n'
        "b = ['x[a]; python_version<\"4\"']"
    )
    found = read(text, "b").requirements
    assert str(found[0].requirement) == 't; (os_name == "nt" or os_name == "posix") and python_version < "4"'


def test_an_address_without_a_name_is_not_a_requirement_of_a_project() -> None:
    text = "[project]\nname='x'\n[project.optional-dependencies]\na = ['https://example.org/t.zip']\n"
    assert "it has no name" in refused(text, "a").message
    assert read(text).requirements == []


def test_groups() -> None:
    found = lines(read(PROJECT, groups=("test-all", "lint")).requirements)
    assert found == [*OWN, (24, "ruff"), (25, "pytest>8"), (14, "pytest"), (14, "numpy")]


def test_groups_without_a_project() -> None:
    assert lines(read('[dependency-groups]\nx = ["torch"]\n', groups=("x",)).requirements) == [(2, "torch")]


@pytest.mark.parametrize(
    "text",
    ["[project]\nname='x'", "[project]\ndependencies = []", "[project]\nname='x'\n[dependency-groups]\n[tool.uv]"],
)
def test_a_project_that_asks_for_nothing(text: str) -> None:
    assert read(text) == Inputs()


def test_a_byte_order_mark_and_windows_line_ends() -> None:
    text = '\ufeff[project]\r\ndependencies = [\r\n "torch",\r\n]\r\n'
    Path("pyproject.toml").write_bytes(text.encode())
    assert lines(read_inputs("pyproject.toml").requirements) == [(3, "torch")]


def test_any_toml_may_hold_a_project() -> None:
    Path("other.toml").write_text('[project]\ndependencies = ["torch"]')
    assert lines(read_inputs("other.toml").requirements) == [(2, "torch")]


# Dynamic.


def test_files_of_setuptools() -> None:
    Path("reqs").mkdir()
    Path("reqs/base.txt").write_text("# base\ntorch\n")
    Path("dev.txt").write_text("pytest\n")
    inputs = read(
        "[project]\nname = 'x'\ndynamic = ['version', 'dependencies', 'optional-dependencies']\n"
        "[tool.setuptools.dynamic]\nversion = {attr = 'x.v'}\n"
        "dependencies = {file = ['reqs/base.txt']}\n"
        "optional-dependencies.dev = {file = 'dev.txt'}\n",
        "dev",
    )
    assert [(str(item.origin), str(item.requirement)) for item in inputs.requirements] == [
        ("reqs/base.txt:2", "torch"),
        ("dev.txt:1", "pytest"),
    ]


@pytest.mark.parametrize(
    "line", ["-c limits.txt", "-r limits.txt", "-i https://example.org/simple", "torch --pre"]
)
def test_a_file_of_setuptools_has_no_options(line: str) -> None:
    """setuptools parses every line as a requirement, and fails."""
    Path("limits.txt").write_text("numpy<2\n")
    Path("base.txt").write_text(f"# base\n{line}\n")
    error = refused(
        "[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['base.txt']}\n"
    )
    assert error.line == 4
    assert "base.txt:2" in error.message


def test_a_file_of_setuptools_that_is_missing() -> None:
    error = refused(
        "[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['gone.txt']}\n"
    )
    assert (error.line, error.message) == (4, "gone.txt: there is no such file")


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ("", "with -r"),
        ("[tool.setuptools.dynamic]\nversion = {attr = 'x.v'}", "with -r"),
        ("[tool.setuptools.dynamic]\ndependencies = {file = [1]}", "with -r"),
        ("[tool.poetry]\nname = 'x'", "[tool.poetry]"),
    ],
)
def test_only_a_build_would_tell(more: str, hint: str) -> None:
    error = refused(f"[project]\nname = 'x'\ndynamic = [\n  'dependencies',\n]\n{more}\n")
    assert error.line == 4
    assert "dynamic" in error.message
    assert hint in (error.hint or "")


def test_a_setup_cfg_beside_it() -> None:
    Path("setup.cfg").write_text("[options]\ninstall_requires = torch\n")
    assert refused("[project]\ndynamic = ['dependencies']").hint == "if they are in setup.cfg: -r setup.cfg"


# Refused.


@pytest.mark.parametrize(
    ("extras", "groups", "line", "words", "hint"),
    [
        (("gone",), (), None, "unknown extra 'gone'", "GPU_x, all, broken, circle, dev, mac"),
        (("broken",), (), 21, "unknown extra 'gone'", "GPU_x"),
        ((), ("gone",), None, "unknown dependency group 'gone'", "Test_All, a, b, lint, lost, odd"),
        ((), ("lost",), 28, "unknown dependency group 'gone'", "Test_All"),
        ((), ("a",), 27, "include each other: a → b → a", ""),
        ((), ("odd",), 29, "dependency-groups.odd: {'include': 'lint'} is not a requirement", ""),
    ],
)
def test_extras_and_groups_that_are_not_there(
    extras: tuple[str, ...], groups: tuple[str, ...], line: int | None, words: str, hint: str
) -> None:
    error = refused(PROJECT, *extras, groups=groups)
    assert error.line == line
    assert words in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[project]\nx = \n", 2, "not valid TOML"),
        ("[project\n", 1, "not valid TOML"),
        ("[project]\ndependencies = [\n", 2, "not valid TOML"),
        ("x = " + "[" * 5000, 1, "not valid TOML"),
        ("x = " + "9" * 5000, None, "not valid TOML"),
        ("[project]\nname = 'x'\n\nname = 'y'", 4, "not valid TOML"),
        ("[project]\nname = '\x00'", 2, "NUL"),
        ("project = 1", 1, "project: is not a table"),
        ("[project]\ndependencies = 'torch'", 2, "project.dependencies: is not a list"),
        ("[project]\ndependencies = ['numpy',\n 'torch=1']", 3, "'torch=1' is not a requirement"),
        ("[project]\n\ndependencies = [1]", 3, "1 is not a requirement"),
        ("[project]\n[project.dependencies]\ntorch = '1'", 2, "project.dependencies: is not a list"),
        ("[project]\noptional-dependencies = []", 2, "project.optional-dependencies: is not a table"),
        ("[project]\nrequires-python = '^3.8'", 2, "'^3.8' is not a version specifier"),
        ("[project]\nrequires-python = 3", 2, "3 is not a version specifier"),
        ("[tool]\nuv = 1\n[project]", 2, "tool.uv: is not a table"),
        ("[project]\nname='x'\n[tool.uv]\nconstraint-dependencies = ['?']", 4, "'?' is not a requirement"),
    ],
)
def test_refused(text: str, line: int | None, words: str) -> None:
    error = refused(text)
    assert error.line == line
    assert words in error.message


WRONG = [
    "3",
    "'x'",
    "true",
    "[]",
    "{}",
    "[3]",
    "['?']",
    "[[]]",
    "[{}]",
    "{a = 3}",
    "{a = [3]}",
    "1979-05-27",
    "nan",
]
TABLES = [
    *("project", "project.name", "project.dependencies", "project.dynamic", "project.requires-python"),
    *("project.optional-dependencies", "project.optional-dependencies.a", "dependency-groups"),
    *("dependency-groups.a", "tool", "tool.uv", "tool.uv.constraint-dependencies"),
    *("tool.uv.override-dependencies", "tool.setuptools", "tool.setuptools.dynamic", "tool.poetry"),
    *("tool.setuptools.dynamic.dependencies", "tool.setuptools.dynamic.dependencies.file"),
    "tool.setuptools.dynamic.optional-dependencies.a",
]


@pytest.mark.parametrize("key", TABLES)
@pytest.mark.parametrize("first", ["", "project.dynamic = ['dependencies', 'optional-dependencies']\n"])
def test_values_of_any_type_are_read_or_refused(first: str, key: str) -> None:
    """Nothing but InputError, which names a line of the file."""
    for value in WRONG:
        try:
            read(f"{first}{key} = {value}\n", "a", groups=("a",))
        except InputError as error:
            assert error.line in (None, 1, 2), value


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("3", "3 is not a requirement"),
        ("{include-group = 3}", "is not a requirement"),
        ("{include-group = ['b']}", "is not a requirement"),
        ("{include-group = 'b', x = 1}", "is not a requirement"),
        ("{path = 'x'}", "is not a requirement"),
        ("'torch=1'", "'torch=1' is not a requirement"),
    ],
)
def test_items_of_groups(item: str, words: str) -> None:
    error = refused(f"[dependency-groups]\nb = []\na = [\n  {item},\n]\n", groups=("a",))
    assert error.line in (3, 4)
    assert words in error.message


def test_groups_nested_without_end() -> None:
    chain = "".join(f"g{number} = [{{include-group = 'g{number + 1}'}}]\n" for number in range(1500))
    assert "more than 100 deep" in refused(f"[dependency-groups]\n{chain}", groups=("g0",)).message


def test_two_groups_of_one_name() -> None:
    error = refused("[dependency-groups]\nx-y = []\nX_Y = []\n", groups=("x_y",))
    assert (error.line, error.message) == (3, "dependency-groups.X_Y: x-y and X_Y are spellings of one name")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[tool.poetry]\nname = 'x'", "[tool.poetry]"),
        ("lock-version = '1.0'", "lock file"),
        ("", "[project]"),
    ],
)
def test_no_project(text: str, hint: str) -> None:
    error = refused(text)
    assert error.message == "has no [project] table"
    assert hint in (error.hint or "")


def test_extras_need_a_project() -> None:
    refused("[dependency-groups]\nx = []", "dev", groups=("x",))
    refused("[dependency-groups]\nx = []", groups=("x",), all_extras=True)
    assert refused("[project]", "dev").hint == "the project has no extras"


# The lines of strings.


DOCUMENT = '''\
top = "a"  # "b"
"quoted.key" = ["b", 'c']
[ table . "x.y" ]
multi = [  # "d"
  """
d""", "d",
  "\\u0065", {inner = "f"}, [["g"]],
]
text = \'\'\'
[not.a.table]
h = "no"
\'\'\'
[[rows]]
a = "a"
h = "yes"
'''


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("top",), "a", 1),
        (("rows", 0, "a"), "a", 14),
        (("quoted.key", 0), "b", 2),
        (("quoted.key", 1), "c", 2),
        (("table", "x.y", "multi", 0), "d", 5),
        (("table", "x.y", "multi", 1), "d", 6),
        (("table", "x.y", "multi", 2), "e", 7),
        (("table", "x.y", "multi", 3, "inner"), "f", 7),
        (("table", "x.y", "multi", 4, 0, 0), "g", 7),
        (("rows", 0, "h"), "yes", 15),
        (("table", "x.y"), None, 3),
        (("table", "x.y", "multi", "gone"), None, 4),
        (("rows", 0), None, 13),
        (("table", "gone"), None, None),
        (("not", "a"), None, None),
    ],
)
def test_lines_of_values(path: tuple[str | int, ...], value: str | None, line: int | None) -> None:
    tree = Tree(DOCUMENT, "")
    assert tree.line(*path) == line
    assert value is None or tree.get(*path) == value


def test_a_group_that_is_included_twice_on_each_of_forty_levels_is_read_once() -> None:
    twice = "".join(f"a{n} = [{{include-group='a{n + 1}'}}, {{include-group='a{n + 1}'}}]\n" for n in range(40))
    found = read(f"[dependency-groups]\n{twice}a40 = ['torch']\n", groups=("a0",))
    assert [text for _, text in lines(found.requirements)] == ["torch"]
