"""pyproject.toml as the audit reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from torchlock.manifests.document import Document
from torchlock.manifests.formats.pyproject import read
from torchlock.manifests.refinement import refine
from torchlock.manifests.syntax.poetry_constraints import python_marker, specifier_of

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


def doc(text: str) -> Document:
    document = read(text, "pyproject.toml")
    refine(document)
    return document


def asked(document: Document, scope: str | None = None) -> list[tuple[str, str]]:
    return [(e.name, e.specifier) for e in document.entries if scope is None or e.scope == scope]


def stretches(document: Document) -> list[str | None]:
    return [document.text[slice(*e.version)] if e.version else None for e in document.entries]


def errors(document: Document) -> list[tuple[str, int]]:
    return [(p.rule, p.place.line) for p in document.issues if p.severity == "error"]


def mended(document: Document) -> str:
    text = document.text
    for issue in document.issues:
        for edit in issue.edits:
            text = text[: edit.span.start] + edit.new + text[edit.span.end :]
    return text


# What must be left alone.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[project]\nname = 'x'\ndependencies = []\n",
        "[tool.uv]\nsources = 3\nindex = {}\n",
        "[project.optional-dependencies]\na = []\n[dependency-groups]\nx = []\n[tool.pdm]\nsource = [1]\n",
        "[tool.hatch.envs.x]\ndependencies = ['x @ {root:uri}', '{args}']\n",
    ],
)
def test_shapes_that_nobody_expects_are_no_problem(text: str) -> None:
    assert not doc(text).issues


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("project = 3\n", 1),
        ("[tool.poetry]\ndependencies = [1]\n", 2),
        ("[tool.poetry.dependencies]\ntorch = 2\n", 2),
        ("[tool.poetry.dependencies]\ntorch = [[1]]\n", 2),
        ("[tool.poetry.dependencies]\ntorch = {version = 3}\n", 2),
        ("[project]\nname = 'x'\ndependencies = 'torch'\n", 3),
        ("[project]\ndependencies = [\n  'torch',\n  1,\n]\n", 2),
        ("[project]\ndynamic = 'dependencies'\n", 2),
        ("[project]\noptional-dependencies = ['torch']\n", 2),
        ("[project.optional-dependencies]\na = 'torch'\n", 2),
        ("[dependency-groups]\na = {}\n", 2),
        ("[dependency-groups]\na = [1]\n", 2),
        ("[dependency-groups]\na = [{}]\n", 2),
        ("[dependency-groups]\na-b = []\nA_b = []\n", 3),
    ],
)
def test_what_every_installer_refuses_is_told(text: str, line: int) -> None:
    assert errors(doc(text)) == [("TL501", line)]


def test_comments_and_other_tables_ask_for_nothing() -> None:
    text = (
        '# dependencies = ["torch"]\n[tool.ruff]\ndependencies = ["torch==1"]\n[project]\nkeywords = ["torch"]\n'
    )
    assert not doc(text).entries


def test_a_poetry_constraint_that_poetry_knows_is_no_problem() -> None:
    constraints = [
        "^2.1",
        "~2.1",
        "2.1.*",
        "*",
        ">=2,<3",
        ">=2 <3",
        "2.0.1",
        "^1 || ^2",
        "^2.2.0+cu118",
        "!=2.0.0",
        "",
    ]
    lines = "\n".join(f'p{number} = "{constraint}"' for number, constraint in enumerate(constraints))
    document = doc(f"[tool.poetry.dependencies]\n{lines}\n")
    assert not document.issues
    assert len(document.entries) == len(constraints)


# [project] and groups.


def test_versions_are_found_where_they_stand() -> None:
    text = (
        '[project]\r\nrequires-python = ">=3.10"\r\ndependencies = [\r\n'
        "  'torch==2.0.1', \"torchaudio[x] (>=2.0,<3) ; python_version < '3.13'\", # note\r\n"
        '  "numpy", "soundfile >=0.12 ; sys_platform == \'win32\'"]\r\n'
    )
    document = doc(text)
    assert stretches(document) == ["==2.0.1", ">=2.0,<3", "", ">=0.12"]
    assert [tuple(e.place) for e in document.entries][:2] == [(4, 4), (4, 20)]
    assert (document.python, document.python_place.line) == (">=3.10", 2)
    numpy = document.entries[2].version
    assert numpy is not None
    assert text[: numpy.start].endswith('"numpy')


def test_a_string_with_escapes_is_read_but_cannot_be_edited() -> None:
    document = doc('[project]\ndependencies = ["torch\\u003d=2.0"]\n')
    assert asked(document) == [("torch", "==2.0")]
    assert stretches(document) == [None]


def test_an_extra_that_asks_for_another_holds_what_that_one_holds() -> None:
    text = (
        "[project]\nname = 'My_Lib'\n[project.optional-dependencies]\n"
        "gpu = ['torch>=2']\nAll_x = ['my-lib[gpu] ; sys_platform == \"linux\"', 'numpy']\n"
    )
    document = doc(text)
    assert asked(document, "extra:gpu") == [("torch", ">=2")]
    assert asked(document, "extra:all-x") == [("torch", ">=2"), ("numpy", "")]
    assert document.entries[1].marker == 'sys_platform == "linux"'


def test_a_group_holds_what_it_includes() -> None:
    text = "[dependency-groups]\nAudio = ['torchaudio']\ndev = ['pytest', {include-group = 'audio'}]\n"
    document = doc(text)
    assert asked(document, "group:dev") == [("pytest", ""), ("torchaudio", "")]
    assert asked(document, "group:audio") == [("torchaudio", "")]


def test_groups_may_include_each_other_without_end() -> None:
    document = doc("[dependency-groups]\na=['x',{include-group='b'}]\nb=[{include-group='a'}]\n")
    assert asked(document, "group:b")
    assert errors(document) == [("TL501", 3), ("TL501", 2)]


def test_a_group_that_is_not_there() -> None:
    assert errors(doc("[dependency-groups]\na = [\n  {include-group = 'b'}]\n")) == [("TL501", 3)]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("torch=2.1", "torch==2.1"),
        ("torch ^2.1", "torch >=2.1,<3"),
        ("torch~=2.1+cu118", "torch==2.1+cu118"),
        ("torch >= 2.1.*", "torch >= 2.1"),
    ],
)
def test_a_string_that_is_no_requirement_is_mended(wrong: str, right: str) -> None:
    document = doc(f'[project]\ndependencies = [\n  "{wrong}",\n  "numpy"]\n')
    assert errors(document) == [("TL501", 3)]
    assert asked(document) == [("numpy", "")]
    again = doc(mended(document))
    assert not again.issues
    assert str(again.entries[0].specifier) == specifier(right)


def specifier(requirement: str) -> str:
    from packaging.requirements import Requirement

    return str(Requirement(requirement).specifier)


def test_requires_python_that_is_none() -> None:
    document = doc('[project]\nrequires-python = "^3.10"\n')
    assert errors(document) == [("TL501", 2)]
    assert document.python == ">=3.10,<4"
    assert not doc(mended(document)).issues


def test_build_requirements_and_environments_are_scopes() -> None:
    text = '[build-system]\nrequires = ["torch"]\n[tool.hatch.envs.x]\ndependencies = ["torchaudio"]\n'
    assert {(e.name, e.scope) for e in doc(text).entries} == {
        ("torch", "group:build-system"),
        ("torchaudio", "group:hatch-x"),
    }


def test_dynamic_dependencies_come_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.0.1\n")
    dynamic = '[tool.setuptools.dynamic]\ndependencies = {file = "requirements.txt"}\n'
    text = f'[project]\ndynamic = ["dependencies"]\n{dynamic}'
    document = read(text, str(tmp_path / "pyproject.toml"))
    assert [(e.name, e.version, Path(e.path).name) for e in document.entries] == [
        ("torch", None, "requirements.txt")
    ]
    assert len(document.includes) == 1
    (tmp_path / "requirements.txt").unlink()
    assert [p.rule for p in read(text, str(tmp_path / "pyproject.toml")).issues] == ["TL901"]
    assert [p.rule for p in doc('[project]\ndynamic = ["dependencies"]\n').issues] == ["TL901"]


# Poetry.


def test_poetry_operators() -> None:
    cases = {
        "^2.1": ">=2.1,<3",
        "^0.2.3": ">=0.2.3,<0.3",
        "^0.0.3": ">=0.0.3,<0.0.4",
        "^0": ">=0,<1",
        "~2.1": ">=2.1,<2.2",
        "~2.1.3": ">=2.1.3,<2.2",
        "~2": ">=2,<3",
        "2.1.*": "==2.1.*",
        "2.0.1": "==2.0.1",
        "=2.0.1": "==2.0.1",
        "2.0.1+cu118": "==2.0.1+cu118",
        ">=2,<3": ">=2,<3",
        ">= 2, < 3": ">=2,<3",
        ">=2 <3": ">=2,<3",
        "*": "",
        "^2.0 || ^3.0": ">=2.0,<4",
        "2.0.1 || 2.1.*": ">=2.0.1,<2.2",
        "<2 || >=3": "",
    }
    assert {text: specifier_of(text) for text in cases} == cases
    assert [specifier_of(text) for text in ("latest", "2..1", "^", "torch", ">=x")] == [None] * 5


def test_poetry_python_as_a_marker() -> None:
    assert python_marker(">=3.8,<3.12") == 'python_version >= "3.8" and python_version < "3.12"'
    assert python_marker("3.9.1") == 'python_full_version == "3.9.1"'
    assert python_marker("*") == ""


POETRY = """\
[tool.poetry.dependencies]
python = "^3.10"
torch = {version = "^2.1", source = "cu118"}
torchaudio = [
    {version = "2.1.0", platform = "linux"},
    {url = "https://example.org/torchaudio-2.1.0-cp310-cp310-win_amd64.whl", markers = "sys_platform == 'win32'"},
]
soundfile = {version = "*", optional = true}
scipy = {git = "https://example.org/scipy.git"}
numpy = {version = "<2", python = "<3.12", extras = ["x"]}

[tool.poetry.extras]
files = ["soundfile"]

[tool.poetry.group.dev.dependencies]
pytest = "latest"
librosa = "~0.10"

[tool.poetry.dev-dependencies]
black = "*"

[[tool.poetry.source]]
name = "cu118"
url = "https://example.org/whl/cu118"
priority = "explicit"

[[tool.poetry.source]]
name = "mirror"
url = "https://example.org/simple"
priority = "supplemental"
"""


def test_poetry_tables() -> None:
    document = doc(POETRY)
    found = {(e.name, e.marker): e for e in document.entries}
    assert (document.python, document.python_place.line) == (">=3.10,<4", 2)
    torch = found["torch", ""]
    assert (torch.index, torch.style, torch.specifier) == ("https://example.org/whl/cu118", "poetry", ">=2.1,<3")
    assert document.text[slice(*torch.version or ())] == "^2.1"
    assert found["torchaudio", 'sys_platform == "linux"'].specifier == "==2.1.0"
    windows = found["torchaudio", "sys_platform == 'win32'"]
    assert windows.url is not None
    assert windows.version is None
    assert found["soundfile", ""].scope == "extra:files"
    assert found["scipy", ""].url == "git+https://example.org/scipy.git"
    assert found["numpy", 'python_version < "3.12"'].extras == ("x",)
    assert (found["librosa", ""].scope, found["black", ""].scope) == ("group:dev", "group:dev")
    assert [(line.kind, line.address) for line in document.indexes] == [("extra", "https://example.org/simple")]
    assert errors(document) == [("TL501", 16)]


def test_a_primary_source_stands_in_place_of_the_public_one() -> None:
    source = '[[tool.poetry.source]]\nname = "a"\nurl = "https://example.org/a"\npriority = "primary"\n'
    assert [line.kind for line in doc(source).indexes] == ["index"]
    assert [line.kind for line in doc(source + '[[tool.poetry.source]]\nname = "PyPI"\n').indexes] == ["extra"]


def test_poetry_gives_what_project_names_a_source() -> None:
    text = (
        '[project]\ndependencies = ["torch (>=2.2)"]\n[tool.poetry.dependencies]\ntorch = {source = "cpu"}\n'
        '[[tool.poetry.source]]\nname = "cpu"\nurl = "https://example.org/whl/cpu"\npriority = "explicit"\n'
    )
    assert [(e.specifier, e.index) for e in doc(text).entries] == [(">=2.2", "https://example.org/whl/cpu")]


# uv.

UV = """\
[project]
dependencies = ["torch>=2.5", "torchaudio"]
[project.optional-dependencies]
cpu = ["torch==2.6.0"]
[tool.uv]
environments = ["sys_platform == 'linux'"]
[tool.uv.sources]
torch = [
  {index = "cpu", extra = "cpu"},
  {index = "cu124", marker = "sys_platform == 'linux' and platform_machine == 'x86_64'"},
]
torchaudio = {git = "https://example.org/audio"}
[[tool.uv.index]]
name = "cpu"
url = "https://example.org/whl/cpu"
explicit = true
[[tool.uv.index]]
name = "cu124"
url = "https://example.org/whl/cu124"
[[tool.uv.index]]
url = "https://example.org/simple"
default = true
"""


def test_uv_sources_and_indexes() -> None:
    document = doc(UV)
    torch = [(e.scope, e.marker, e.index) for e in document.entries if e.name == "torch"]
    linux = "sys_platform == 'linux' and platform_machine == 'x86_64'"
    other = "sys_platform != 'linux' or platform_machine != 'x86_64'"
    assert torch == [
        ("", linux, "https://example.org/whl/cu124"),
        ("", other, None),
        ("extra:cpu", "", "https://example.org/whl/cpu"),
        ("extra:cpu", linux, "https://example.org/whl/cu124"),
    ]
    assert [e.url for e in document.entries if e.name == "torchaudio"] == ["git+https://example.org/audio"]
    assert [(line.kind, line.address[-5:]) for line in document.indexes] == [
        ("extra", "cu124"),
        ("index", "imple"),
    ]
    assert document.platforms == ("linux-x86_64",)


def test_a_uv_override_replaces() -> None:
    text = (
        '[project]\ndependencies = ["torch==1.0"]\n[project.optional-dependencies]\nx = ["torch==2.0"]\n'
        '[tool.uv]\noverride-dependencies = ["torch==2.1", "numpy<2"]\n'
        'constraint-dependencies = ["torchaudio<2.9"]\n'
    )
    assert [(e.name, e.specifier, e.scope, e.constraint) for e in doc(text).entries] == [
        ("torchaudio", "<2.9", "", True),
        ("torch", "==2.1", "", False),
        ("torch", "==2.1", "extra:x", False),
        ("numpy", "<2", "", True),
    ]


# pdm and pixi.


def test_pdm() -> None:
    text = (
        '[project]\ndependencies = ["torch", "numpy"]\n[tool.pdm.dev-dependencies]\ntest = ["torchaudio", "-e file:///x"]\n'
        '[tool.pdm.resolution.overrides]\nnumpy = "1.26.4"\n'
        '[[tool.pdm.source]]\nname = "t"\nurl = "https://example.org/whl/cpu"\ninclude_packages = ["torch*"]\n'
        'exclude_packages = ["*"]\n[[tool.pdm.source]]\nname = "f"\ntype = "find_links"\nurl = "https://example.org/f"\n'
    )
    document = doc(text)
    assert [(e.name, e.specifier, e.scope, e.index and e.index[-3:]) for e in document.entries] == [
        ("torch", "", "", "cpu"),
        ("torchaudio", "", "group:test", "cpu"),
        ("numpy", "==1.26.4", "", None),
    ]
    assert [line.kind for line in document.indexes] == ["find-links"]


def test_pixi() -> None:
    text = (
        '[tool.pixi.workspace]\nplatforms = ["linux-64", "osx-arm64"]\n'
        '[tool.pixi.dependencies]\npython = ">=3.10,<3.12"\npytorch = {version = "2.1.*", channel = "pytorch"}\n'
        '[tool.pixi.pypi-dependencies]\ntorchaudio = {version = "==2.1.0", index = "https://example.org/whl/cpu"}\n'
        '[tool.pixi.feature.gpu.target.linux-64.dependencies]\npytorch-cuda = "12.1"\n'
    )
    document = doc(text)
    assert [(e.name, e.specifier, e.channel, e.scope) for e in document.entries] == [
        ("torch", "==2.1.*", "conda", ""),
        ("torchaudio", "==2.1.0", "pip", ""),
        ("pytorch-cuda", "==12.1", "conda", "group:gpu"),
    ]
    assert document.platforms == ("linux-x86_64", "macos-arm64")
    assert document.python == ">=3.10,<3.12"


# Broken files.


@pytest.mark.parametrize(
    ("text", "line", "names", "mends"),
    [
        (
            '[project]\ndependencies = [\n  "torch==2.6.0"\n  "torchaudio==2.6.0"\n]\n',
            4,
            ["torch", "torchaudio"],
            True,
        ),
        ('[project]\ndependencies = [\n  "torch==2.6.0",\n  "numpy\n  "sox",\n]\n', 4, ["torch", "sox"], True),
        ('[project]\ndependencies = ["torch==2.6.0",\n[tool.x]\ny = ["z"]\n', 3, ["torch"], False),
        ('[project]\ndependencies = ["torch"]\nname = \n[project.urls]\na = "b"\n', 3, ["torch"], False),
        (
            '[tool.poetry.dependencies]\ntorch = [{version="2"}]\nnumpy = "1"\ntorch = "2.4.0"\n',
            4,
            ["numpy"],
            False,
        ),
    ],
)
def test_of_a_broken_file_the_rest_is_read(text: str, line: int, names: list[str], mends: bool) -> None:
    document = doc(text)
    assert errors(document) == [("TL501", line)]
    assert [e.name for e in document.entries] == names
    assert (mended(document) != text) is mends
    assert not mends or not doc(mended(document)).issues


PIECES = st.sampled_from(
    [
        *"[]{}=,.\"'\n#\\ ",
        "\r\n",
        "[project]\n",
        "dependencies",
        '"torch==2.0"',
        "'torchaudio>=2 ; python_version<\"3\"'",
        "[tool.poetry.dependencies]\n",
        "[[tool.uv.index]]\n",
        "[tool.uv.sources]\n",
        "torch",
        "^2.1",
        '"""',
        "url",
        "version",
        "é",
        "\ud800",
        "override-dependencies",
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map("".join)))
@example('[project]\ndependencies=["""\ntorch==1"""]')
@example("[tool.poetry]\nextras=[[]]")
def test_any_text_is_read_and_versions_stand_where_they_are_said_to(text: str) -> None:
    document = doc(text)
    for entry in document.entries:
        if entry.version is not None and entry.style == "pep440":
            assert SpecifierSet(text[slice(*entry.version)]) == SpecifierSet(entry.specifier)
        elif entry.version is not None and entry.style == "poetry":
            assert specifier_of(text[slice(*entry.version)]) == entry.specifier


@given(st.text(alphabet="^~=<>!|*., 0123456789abx+", max_size=20))
def test_any_poetry_constraint_comes_to_a_specifier_or_nothing(text: str) -> None:
    found = specifier_of(text)
    if found is not None:
        SpecifierSet(found)


def labels() -> list[tuple[str, str]]:
    if not (CORPUS / "labels.json").is_file():
        return []
    records = json.loads((CORPUS / "labels.json").read_text(encoding="utf-8"))
    return [(record["id"], record["verdict"]) for record in records if record["kind"] == "pyproject"]


@pytest.mark.parametrize(("number", "verdict"), labels())
def test_real_files(number: str, verdict: str) -> None:
    path = next((CORPUS / "files").glob(f"{number}_*"))
    with path.open(encoding="utf-8", newline="") as file:
        document = read(file.read(), str(path))
    assert bool(errors(document)) is (verdict == "unparseable")
    assert document.entries


@pytest.mark.parametrize(
    ("marker", "platforms"),
    [
        ("sys_platform == 'win32'", ("windows-amd64",)),
        ("sys_platform == 'darwin'", ("macos-arm64",)),
        ("sys_platform == 'win32' and platform_machine == 'ARM64'", ("windows-arm64",)),
        ("sys_platform == 'darwin' and platform_machine == 'x86_64'", ("macos-x86_64",)),
        ("sys_platform == 'linux' and platform_machine != 'x86_64'", ("linux-aarch64",)),
        ("platform_machine == 'aarch64' or sys_platform == 'win32'", ("linux-aarch64", "windows-amd64")),
    ],
)
def test_an_environment_of_uv_without_a_machine_means_the_usual_one(
    marker: str, platforms: tuple[str, ...]
) -> None:
    text = (
        f'[project]\nname = "x"\nversion = "1"\ndependencies = ["torch"]\n[tool.uv]\nenvironments = ["{marker}"]\n'
    )
    assert doc(text).platforms == platforms


@pytest.mark.parametrize(
    ("limits", "platforms"), [("", ()), ("environments = [\"sys_platform == 'linux'\"]\n", ("linux-x86_64",))]
)
def test_required_environments_of_uv_limit_nothing(limits: str, platforms: tuple[str, ...]) -> None:
    text = '[project]\nname = "x"\nversion = "1"\ndependencies = ["torch"]\n[tool.uv]\n'
    required = "required-environments = [\"sys_platform == 'darwin'\"]\n"
    assert doc(text + limits + required).platforms == platforms
