"""What each format of requirements means, for audit and for lock alike.

The cases are in ``scenarios/formats``, a file for each format. The ``tool`` of a case has confirmed it: pip 26.3
(its parser of requirements files), setuptools 84.2 (``Distribution.parse_config_files``, ``setup.py egg_info``),
uv 0.13 (``uv export``), poetry 2.5 (``Factory.create_poetry``), pdm 2.29 (``Project.get_dependencies``), pipenv
2026.10 (``convert_deps_to_pip``), hatchling 1.33 with hatch-requirements-txt. ``documentation``: no tool was run.
No tool runs here.
"""

from __future__ import annotations

import posixpath
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.lock.package_sources import settled
from torchlock.manifests.reader import read_document
from torchlock.manifests.selection import read_constraints, read_inputs
from torchlock.target import Platform, PythonVersion, Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchlock.manifests.document import Document
    from torchlock.terms import Inputs, ParsedRequirement

FOLDER = Path(__file__).parent / "scenarios" / "formats"
TARGET = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))
PROJECT = "[project]\nname = 'own'\nversion = '1'\n"
# Files beside every case.
BESIDE = {
    "base.in": "torch==2.3.1\n",
    "more.in": "torchaudio<2.9\n",
    "options.in": "-i https://example.org/inner\nsix\n",
    "hashes.in": f"torch==2.3.1 --hash=sha256:{64 * '0'}\n",
    "sub/x.in": "-r y.in\nnumpy\n",
    "sub/y.in": "six\n",
    "member/pyproject.toml": "[project]\nname = 'demo'\nversion = '9'\n",
}


@dataclass
class Read:
    """A file, and what is installed from it on Linux with Python 3.12.

    ``asked`` is a list, or a table: ``always``, and for each extra and group what it adds. A package is spelled
    ``name[extras]versions`` or ``name @ address`` (``? @ address`` where the file does not name it), and ends with
    ``(constraint)``, ``(editable)``, ``(1 hash)`` or ``<- index``. ``indexes`` are the indexes of the whole file,
    ``python`` the versions of Python that it declares.
    """

    file: str
    about: str
    tool: str
    text: str
    asked: dict[str, list[str]]
    indexes: tuple[str, ...] = ()
    python: str = ""


@dataclass
class Refused:
    """A file that its tool refuses, or reads from more than the file; lock refuses it at ``line``.

    Audit reports an error there, or a note for a file that is merely not known in full. With ``audit`` false only
    lock refuses it: other installers read the file and never look at this table.
    """

    file: str
    about: str
    tool: str
    text: str
    words: str
    line: int | None = None
    scope: str = ""
    audit: bool = True


def cases(kind: str) -> list[Any]:
    """The cases of one kind of all formats, with readable names."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for item in table.get(kind, ()):
            case = _read(item, table["file"]) if kind == "read" else Refused(file=table["file"], **item)
            found.append(pytest.param(case, id=f"{path.stem}: {case.about}"))
    return found


def _read(item: dict[str, Any], file: str) -> Read:
    asked = item.pop("asked")
    scopes = asked if isinstance(asked, dict) else {"always": asked}
    return Read(file, asked=scopes, indexes=tuple(item.pop("indexes", ())), **item)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BESIDE.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)


def write(case: Read | Refused) -> None:
    Path(case.file).write_bytes(case.text.encode())


def chosen(scope: str) -> dict[str, list[str]]:
    """The options of a lock that choose a scope."""
    kind, _, name = scope.partition(":")
    return {"extras": [name] if kind == "extra" else [], "groups": [name] if kind == "group" else []}


def spelled(
    name: str,
    extras: Iterable[str],
    versions: str,
    *,
    url: str = "",
    index: str = "",
    constraint: bool = False,
    editable: bool = False,
    hashes: int = 0,
) -> str:
    """A package as ``Read`` spells it; the versions are left out beside an address."""
    names = sorted({canonicalize_name(extra) for extra in extras})
    text = f"{name or '?'}{'[' + ','.join(names) + ']' if names else ''}"
    text += f" @ {_address(url)}" if url else ",".join(sorted(map(str, SpecifierSet(versions))))
    text += " (constraint)" * constraint + " (editable)" * editable + f" ({hashes} hash)" * bool(hashes)
    return f"{text} <- {index}" if index and not url else text


def _address(url: str) -> str:
    """An address, or a path beside the file, however it is spelled."""
    if url.startswith("file://"):
        url = url.removeprefix("file://").partition("#")[0]
    if "://" in url:
        return url
    return posixpath.relpath(url, Path.cwd().as_posix()) if posixpath.isabs(url) else posixpath.normpath(url)


def audited(document: Document) -> dict[str, set[str]]:
    """What audit sees on the target, by scope."""
    found: dict[str, set[str]] = {}
    for entry in document.entries:
        if TARGET.holds(entry.marker) and entry.scope != "group:build-system" and entry.name:
            text = spelled(
                entry.name,
                entry.extras,
                entry.specifier,
                url=entry.url or "",
                index=entry.index or "",
                constraint=entry.constraint,
                editable=entry.editable,
                hashes=len(entry.hashes),
            )
            found.setdefault(entry.scope or "always", set()).add(text)
    return found


def locked(inputs: Inputs) -> set[str]:
    """What lock takes on the target; of a package by address the versions that go with it are left out."""
    inputs = settled(inputs, TARGET)
    found = {_locked(one, inputs, constraint=False) for one in inputs.requirements}
    located = {one.requirement.name for one in inputs.requirements if one.requirement is not None and one.url}
    found |= {
        _locked(one, inputs, constraint=True)
        for one in inputs.constraints
        if one.requirement is not None and one.requirement.name not in located
    }
    return found - {""}


def _locked(one: ParsedRequirement, inputs: Inputs, *, constraint: bool) -> str:
    requirement = one.requirement
    marker = one.marker if requirement is None else str(requirement.marker or "")
    if not TARGET.holds(marker):
        return ""
    name = canonicalize_name(requirement.name) if requirement is not None else ""
    return spelled(
        name,
        requirement.extras if requirement is not None else (),
        str(requirement.specifier) if requirement is not None else "",
        url=one.url or "",
        index=next((url for pattern, url in inputs.routes.items() if fnmatchcase(name, pattern)), ""),
        constraint=constraint,
        editable=one.editable,
        hashes=len(one.hashes),
    )


@pytest.mark.parametrize("case", cases("read"))
def test_audit_reads(case: Read) -> None:
    write(case)
    document = read_document(case.file)
    assert [issue.message for issue in document.issues if issue.severity == "error"] == []
    asked = {scope: {one for one in found if not one.startswith("?")} for scope, found in case.asked.items()}
    assert audited(document) == {scope: found for scope, found in asked.items() if found}
    assert tuple(f"{line.kind} {line.address}".strip() for line in document.indexes) == case.indexes
    assert SpecifierSet(document.python) == SpecifierSet(case.python)


@pytest.mark.parametrize("case", cases("read"))
def test_lock_reads(case: Read) -> None:
    write(case)
    for scope, asked in case.asked.items():
        inputs = read_inputs(case.file, **chosen(scope))
        assert locked(inputs) == {*case.asked["always"], *asked}, scope
    inputs = read_inputs(case.file, **chosen(next(iter(case.asked))))
    indexes = [f"index {inputs.index_url}"] * (inputs.index_url is not None)
    indexes += [f"extra {url}" for url in inputs.extra_index_urls] + ["no-index"] * inputs.no_index
    assert (*indexes, *(f"find-links {url}" for url in inputs.find_links)) == case.indexes
    python = inputs.requires_python[0] if inputs.requires_python else SpecifierSet()
    assert python == SpecifierSet(case.python)


@pytest.mark.parametrize("case", [*cases("refused"), *cases("unread")])
def test_lock_refuses(case: Refused) -> None:
    write(case)
    with pytest.raises(InputError) as refusal:
        read_inputs(case.file, **chosen(case.scope))
    error = refusal.value
    assert case.words in f"{error.message} {error.hint or ''}"
    assert error.path == case.file
    assert case.line in (None, error.line)


@pytest.mark.parametrize("case", cases("refused"))
def test_audit_reports_what_is_refused(case: Refused) -> None:
    write(case)
    errors = [issue.place.line for issue in read_document(case.file).issues if issue.severity == "error"]
    assert (case.line in errors) if case.audit else not errors


@pytest.mark.parametrize("case", cases("unread"))
def test_audit_says_what_it_does_not_know(case: Refused) -> None:
    write(case)
    issues = [issue.place.line for issue in read_document(case.file).issues if issue.severity != "error"]
    assert issues
    assert case.line is None or case.line in issues


@pytest.mark.parametrize("line", ["./member", "-e git+https://example.org/demo.git#egg=demo"])
def test_constraints_have_names_and_are_not_editable(line: str) -> None:
    Path("constraints.txt").write_text(f"torch<3\n{line}\n")
    with pytest.raises(InputError) as refusal:
        read_constraints("constraints.txt")
    assert refusal.value.line == 2


def test_the_option_decides_about_constraints() -> None:
    """``pip install -r constraints.txt`` installs what is in it."""
    Path("constraints.txt").write_text("torch<3\n")
    assert locked(read_inputs("constraints.txt")) == {"torch<3"}
    assert locked(read_constraints("constraints.txt")) == {"torch<3 (constraint)"}


@pytest.mark.parametrize("text", ["./member\n", "torch;\n", "git+https://example.org/demo.git\n"])
def test_a_name_that_says_nothing_is_one_of_requirements(text: str) -> None:
    Path("r.txt").write_text(text)
    assert len(read_inputs("r.txt").requirements) == 1


def test_environment_variables_are_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHLOCK_VERSION", "2.3.1")
    monkeypatch.setenv("TORCHLOCK_FOLDER", "sub")
    Path("requirements.txt").write_text(
        "-i https://example.org/${TORCHLOCK_FOLDER}\ntorch==${TORCHLOCK_VERSION}\n-r ${TORCHLOCK_FOLDER}/x.in\n"
    )
    inputs = read_inputs("requirements.txt")
    assert locked(inputs) == {"torch==2.3.1", "six", "numpy"}
    assert inputs.index_url == "https://example.org/sub"


def test_the_versions_asked_of_a_package_by_address_count() -> None:
    """uv compares them with what is at the address."""
    source = "[tool.uv.sources]\ndemo = {path = 'member'}\n"
    Path("pyproject.toml").write_text(f"{PROJECT}dependencies = ['demo>=2']\n{source}")
    (constraint,) = settled(read_inputs("pyproject.toml"), TARGET).constraints
    assert str(constraint.requirement) == "demo>=2"


def test_a_misspelt_key_is_reported() -> None:
    Path("pyproject.toml").write_text(PROJECT + "dependancies = ['torch']\n")
    (issue,) = read_document("pyproject.toml").issues
    assert (issue.rule, issue.severity, issue.place.line) == ("TL504", "warning", 4)
    assert "dependencies" in issue.because
