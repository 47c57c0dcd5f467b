"""The format of a file; inputs put together; nothing but InputError, whatever the bytes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from torchlock.errors import InputError
from torchlock.lock.inputs import merge
from torchlock.manifests.selection import read_constraints, read_inputs, read_overrides
from torchlock.manifests.syntax.requirement import parse_requirement
from torchlock.terms import Inputs, Origin, ParsedRequirement

SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str) -> ParsedRequirement:
    return parse_requirement(text, Origin(None, None, text))


# Formats.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "torch"),
        ("requirements.in", "torch"),
        ("noname", "torch"),
        ("pyproject.toml", "[project]\ndependencies = ['torch']"),
        ("PyProject.TOML", "[project]\ndependencies = ['torch']"),
        ("setup.cfg", "[options]\ninstall_requires = torch"),
        ("tool.py", "# /// script\n# dependencies = ['torch']\n# ///\n"),
    ],
)
def test_formats(name: str, text: str) -> None:
    Path(name).write_text(text)
    assert [str(item.requirement) for item in read_inputs(name).requirements] == ["torch"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("base.txt").write_text("numpy\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"torch\n-r base.txt\n")))
    assert [str(item.origin) for item in read_inputs("-").requirements] == ["-:1", "base.txt:1"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.whl", "its name says that it is an archive"),
        ("x.json", "no reader for this kind of file"),
        ("uv.lock", "is a lock (uv.lock)"),
        ("Pipfile.lock", "is a lock (pipfile.lock)"),
        ("Dockerfile", "contains commands (dockerfile)"),
        ("tox.ini", "contains commands (tox)"),
        ("noxfile.py", "has no script metadata block"),
    ],
)
def test_files_that_are_not_locked(name: str, words: str) -> None:
    Path(name).write_text("")
    with pytest.raises(InputError) as caught:
        read_inputs(name)
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["environment.yml", "uv.lock", "Pipfile", "Pipfile.lock", "x.whl"])
def test_constraints_are_in_the_format_of_pip(name: str) -> None:
    with pytest.raises(InputError, match="its name says that it is"):
        read_constraints(name)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file of each name, and an empty standard input."""
    for name in ("requirements.txt", "setup.cfg", "tool.py"):
        Path(name).touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["requirements.txt", "setup.cfg", "tool.py", "-"])
def test_groups_need_a_pyproject(name: str) -> None:
    with pytest.raises(InputError, match="has no dependency groups"):
        read_inputs(name, groups=["dev"])


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["requirements.txt", "tool.py"])
def test_extras_need_a_project(name: str) -> None:
    with pytest.raises(InputError, match="has no extras"):
        read_inputs(name, extras=["dev"])
    with pytest.raises(InputError, match="has no extras"):
        read_inputs(name, all_extras=True)


def test_an_included_dash_is_a_file() -> None:
    Path("-").write_text("torch\n")
    Path("r.txt").write_text("-r -\n")
    assert len(read_inputs("r.txt").requirements) == 1


def test_overrides_have_names() -> None:
    Path("o.txt").write_text("torch==2.3.1\nx @ https://example.org/x.zip\n")
    assert [item.origin.line for item in read_overrides("o.txt").overrides] == [1, 2]
    Path("o.txt").write_text("torch==2.3.1\n./x\n")
    with pytest.raises(InputError, match=r"^o\.txt:2: './x' cannot be an override"):
        read_overrides("o.txt")


# Together.


def test_merge() -> None:
    first = Inputs(
        requirements=[written("torch")],
        index_url="https://example.org/1",
        extra_index_urls=["https://example.org/2"],
        notes=["one"],
    )
    second = Inputs(
        requirements=[written("numpy")],
        constraints=[written("numpy<2")],
        overrides=[written("scipy")],
        requires_python=(SpecifierSet(">=3.10"), Origin("a", 1, ">=3.10")),
        index_url="https://example.org/3",
        find_links=["links"],
        no_index=True,
        pre=True,
        notes=["two"],
    )
    third = Inputs(requires_python=(SpecifierSet("<3.13"), Origin("b", 2, "<3.13")))
    both = merge(first, second, third)
    assert [str(item.requirement) for item in both.requirements] == ["torch", "numpy"]
    assert (len(both.constraints), len(both.overrides)) == (1, 1)
    assert both.index_url == "https://example.org/1"
    assert (both.extra_index_urls, both.find_links) == (["https://example.org/2"], ["links"])
    passed_over = "two index URLs are given: https://example.org/1 is used, and https://example.org/3 is ignored"
    assert (both.no_index, both.pre, both.notes) == (True, True, ["one", "two", passed_over])
    assert both.requires_python == (SpecifierSet(">=3.10,<3.13"), Origin("b", 2, "<3.13"))
    assert first.notes == ["one"]
    assert merge() == Inputs()


# Whatever the bytes.

PIECES = st.sampled_from(
    [
        *(
            "torch",
            "==",
            "2.0",
            "x.whl",
            "a[b]",
            "[",
            "]",
            "(",
            ")",
            ",",
            ";",
            "@",
            "#egg=",
            "python_version",
            "<",
            "*",
        ),
        *("\\", "\n", "\r", " ", "\t", "#", "-r", "-c", "-e", "--hash=", "--", "-", "'", '"', "${HOME}", "r.txt"),
        *(
            "https://",
            "file:",
            ".",
            "..",
            "/",
            "\0",
            "\x0c",
            "\x85",
            "é",
            "“",
            "=",
            "{",
            "}",
            "dynamic",
            "project",
        ),
        *(
            "[project]\n",
            "[tool.uv]\n",
            "dependencies",
            "optional-dependencies",
            "[options]\n",
            "install_requires",
        ),
        *("# /// script\n", "# ///\n"),
    ]
)
FILES = st.one_of(
    st.binary(max_size=200), st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode())
)


@pytest.mark.parametrize("name", ["r.txt", "pyproject.toml", "setup.cfg", "tool.py"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=FILES)
def test_files_are_read_or_refused(name: str, raw: bytes) -> None:
    Path(name).write_bytes(raw)
    try:
        inputs = read_inputs(name)
    except InputError as error:
        assert "\n" not in error.message
        assert error.line is None or 1 <= error.line <= raw.count(b"\n") + raw.count(b"\r") + 1
    else:
        for item in inputs.requirements:
            assert item.origin.line is not None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=8).map("".join)), editable=st.booleans())
def test_requirements_are_read_or_refused(text: str, editable: bool) -> None:
    try:
        item = parse_requirement(text, Origin("r.txt", 1, text), editable=editable)
    except InputError:
        return
    assert item.requirement is not None or item.url is not None


# What is written is what is read.


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}([_-][a-z0-9]{1,3})?", fullmatch=True)
VERSIONS = st.sampled_from(["1", "2.0", "2.3.1", "1!2.0rc1", "2.0.post1"])
CLAUSES = st.builds(str.__add__, st.sampled_from([">=", "<=", "==", "!=", ">", "<", "==="]), VERSIONS)
SPECIFIERS = st.lists(st.one_of(CLAUSES, st.sampled_from(["~=2.1", "==2.*", "==2.3.1+cu121"])), max_size=3)
MARKERS = st.sampled_from(["", "python_version<'3.11'", 'sys_platform == "linux" or (os_name != "nt")'])
HASHES = st.lists(st.sampled_from(["sha256:" + "0a" * 32, "sha512:" + "f" * 128]), unique=True)
SPACES = st.sampled_from(["", " ", "  ", " \\\n", "\\\r\n\t"])
GAPS = st.sampled_from([" ", "\t ", " \\\n", " \\\r\n    "])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "  # a remark\n", "\n# torch==0\n"])


@st.composite
def written_lines(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """A line of a file with its end, the requirement in it, its hashes."""
    extras = draw(st.lists(NAMES, max_size=2, unique=True))
    specifier, marker, hashes, space = draw(SPECIFIERS), draw(MARKERS), draw(HASHES), draw(SPACES)
    parts = [draw(NAMES), f"[{','.join(extras)}]" if extras else "", ",".join(specifier)]
    tail = f" ; {marker}" if marker else ""
    options = "".join(f"{draw(GAPS)}--hash{draw(st.sampled_from('= '))}{value}" for value in hashes)
    return f"{space.join(parts)}{tail}{options}{draw(ENDS)}", f"{''.join(parts)}{tail}", hashes


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(written_lines(), max_size=5))
def test_lists_of_requirements_come_back(lines: list[tuple[str, str, list[str]]]) -> None:
    Path("r.txt").write_bytes("".join(line for line, _, _ in lines).encode())
    inputs = read_inputs("r.txt")
    assert [(item.requirement, list(item.hashes)) for item in inputs.requirements] == [
        (Requirement(text), hashes) for _, text, hashes in lines
    ]
    assert inputs.notes == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(written_lines(), max_size=5))
def test_projects_come_back(lines: list[tuple[str, str, list[str]]]) -> None:
    texts = [text for _, text, _ in lines]
    rows = "".join(f"    {json.dumps(text)},\n" for text in texts)
    Path("pyproject.toml").write_text(f"[project]\ndependencies = [\n{rows}]\n")
    found = read_inputs("pyproject.toml").requirements
    assert [(item.requirement, item.origin.text) for item in found] == [
        (Requirement(text), text) for text in texts
    ]
    assert [texts[(item.origin.line or 0) - 3] for item in found] == texts


def test_reading_requirements_imports_little() -> None:
    """Neither TOML nor what is slow to import, such as email, is loaded for a requirements file."""
    Path("r.txt").write_text("torch==2.3.1 ; python_version > '3'\n--pre\n")
    code = (
        "import sys; from torchlock.manifests.selection import read_inputs; "
        "read_inputs('r.txt'); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in ("tomllib", "tomli", "email", "importlib.metadata", "configparser", "requests", "urllib.request"):
        assert name not in loaded
