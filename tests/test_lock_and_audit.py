"""``lock`` and ``audit`` read the same files: what one takes the other takes, what one refuses the other tells.

Each difference between the two was settled by what pip, setuptools or uv does with the text.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from torchlock.errors import InputError
from torchlock.manifests import read_document
from torchlock.manifests.selection import read_inputs
from torchlock.terms import ParsedRequirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
RECORDS: list[dict[str, Any]] = (
    json.loads((CORPUS / "labels.json").read_text(encoding="utf-8")) if CORPUS.is_dir() else []
)


class Asked(NamedTuple):
    """One requirement, as far as both families tell it; of one by address the version is not."""

    name: str
    specifier: frozenset[str]
    extras: frozenset[str]
    marker: str
    by_address: bool
    constraint: bool


class Reading(NamedTuple):
    asked: frozenset[Asked]
    indexes: frozenset[str]


def asked(name: str, specifier: str, extras: Any, marker: str, by_address: bool, constraint: bool) -> Asked:
    clauses = frozenset() if by_address else frozenset(str(clause) for clause in SpecifierSet(specifier))
    names = frozenset(canonicalize_name(extra) for extra in extras)
    said = str(Marker(marker)) if marker else ""
    return Asked(canonicalize_name(name), clauses, names, said, by_address, constraint)


def of_lock(path: str) -> Reading:
    """What lock reads, with every extra and group.

    Raises:
        InputError: lock refuses it.
    """
    options: dict[str, Any] = {}
    if path.endswith(".toml"):
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        options = {"all_extras": "project" in table, "groups": list(table.get("dependency-groups", {}))}
    elif path.endswith("setup.cfg"):
        options = {"all_extras": True}
    inputs = read_inputs(path, **options)

    def rows(found: list[ParsedRequirement], constraint: bool) -> list[Asked]:
        return [
            asked(
                item.requirement.name,
                str(item.requirement.specifier),
                item.requirement.extras,
                str(item.requirement.marker or ""),
                bool(item.url),
                constraint,
            )
            for item in found
            if item.requirement is not None
        ]

    indexes = [*inputs.extra_index_urls, *([inputs.index_url] if inputs.index_url else [])]
    return Reading(
        frozenset([*rows(inputs.requirements, False), *rows(inputs.constraints, True)]), frozenset(indexes)
    )


def of_audit(path: str) -> tuple[Reading, list[str]]:
    """What audit reads, and what it calls an error."""
    document = read_document(path)
    found = [
        asked(entry.name, entry.specifier, entry.extras, entry.marker, bool(entry.url), entry.constraint)
        for entry in document.entries
        if entry.scope != "group:build-system" and not entry.scope.startswith("group:hatch")
    ]
    indexes = [line.address for line in document.indexes if line.kind in ("index", "extra")]
    wrong = [issue.message for issue in document.issues if issue.severity == "error"]
    return Reading(frozenset(found), frozenset(indexes)), wrong


AGREED = {
    "requirements.txt": [
        "torch==2.3.1\ntorchaudio\n",
        "torch == 2.3.1 ; python_version < '3.12'  # why\n-i https://example.org/simple\n",
        "torch[opt-einsum,X_y]>=2,<3\\\n  --hash=sha256:" + 64 * "0" + "\n",
        "--extra-index-url https://example.org/cpu\ntorch==2.3.1+cpu\n",
        "demo @ https://example.org/demo-1.0-py3-none-any.whl\n",
        "https://example.org/demo-1.0-py3-none-any.whl\n",
        "-e git+https://example.org/demo#egg=demo\n",
        "-c constraints.txt\ntorch\n",
        "torch\rtorchaudio\r",
        "\ufefftorch\n",
        "torch; sys_platform == 'linux'\ntorch; sys_platform != 'linux'\n",
    ],
    "pyproject.toml": [
        "[project]\nname = 'x'\ndependencies = ['torch==2.3.1', 'torchaudio ; python_version < \"4\"']\n",
        "[project]\nname = 'x'\n[project.optional-dependencies]\na = ['torch']\nB_c = ['x[a]', 'numpy']\n",
        "[project]\nname = 'x'\n[dependency-groups]\na = ['torch']\nb = [{include-group = 'A'}, 'numpy']\n",
        "[project]\nname = 'x'\ndynamic = ['dependencies']\n"
        "[tool.setuptools.dynamic]\ndependencies = {file = ['more.txt']}\n",
        "[project]\nname = 'x'\ndynamic = ['dependencies']\n"
        "[tool.hatch.metadata.hooks.requirements_txt]\nfiles = ['more.txt']\n",
        "[project]\nname = 'x'\ndynamic = ['optional-dependencies']\n"
        "[tool.setuptools.dynamic.optional-dependencies]\na = {file = 'more.txt'}\n",
        "[project]\nname = 'x'\ndependencies = ['torch']\n[tool.uv]\nconstraint-dependencies = ['torch<2.9']\n",
        "[project]\nname = 'x'\ndependencies = ['torch']\n[[tool.uv.index]]\nurl = 'https://example.org/simple'\n",
    ],
    "setup.cfg": [
        "[options]\ninstall_requires =\n  torch==2.3.1\n  torchaudio  # why\n",
        "[options]\ninstall-requires =\n  torch==2.3.1\n[metadata]\nname = x\n",
        "[options]\ninstall_requires = torch; torchaudio\n",
        "[options]\ninstall_requires = file: more.txt\n",
        "[options]\ninstall_requires =\n  torch\n[options.extras_require]\nDev-x =\n  pytest\n  numpy<2\n",
        "[metadata]\nname = x\n[options.extras_require]\na = torch\nb = x[a]\n",
        "[options]\npython-requires = >=3.9\ninstall_requires =\n  # none\n  torch\n",
        "[options]\r\ninstall_requires =\r\n  torch==2.3.1\r\n",
    ],
}
REFUSED = {
    "requirements.txt": [
        "torch==2.3.1\nnumpy=1.26.4\ntorchaudio==2.3.1\n",
        "torch==2.3.1 --hash=md5:00\n",
        "torch>=5.1.*\n",
        "<<<<<<< HEAD\ntorch\n",
        "--no-such-option\n",
    ],
    "pyproject.toml": [
        "[project]\nname = 'x'\ndependencies = 'torch'\n",
        "[project]\nname = 'x'\ndependencies = [1]\n",
        "[project]\nname = 'x'\ndependencies = ['torch=1']\n",
        "[project]\nname = 'x'\noptional-dependencies = ['torch']\n",
        "[project]\nname = 'x'\nrequires-python = 'three'\n",
        "[project]\nname = 'x'\ndynamic = 'dependencies'\n",
        "[project]\nname = 'x'\n[project]\ndependencies = []\n",
        "[project]\nname = 'x'\ndependencies = []\ndependencies = ['torch']\n",
        "[project]\nname = 'x'\n[dependency-groups]\na-b = []\nA_b = []\n",
        "[project]\nname = 'x'\n[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n",
        "[project]\nname = 'x'\n[dependency-groups]\na = [{include-group = 'c'}]\n",
        "project = 3\n",
    ],
    "setup.cfg": [
        "[options]\ninstall_requires =\n  torch==2.3.1\n[options]\ninstall_requires =\n  torchaudio\n",
        "[options]\ninstall_requires = torch\ninstall_requires = numpy\n",
        "install_requires = torch\n[options]\n",
        "[options]\ninstall_requires = torch=1\n",
        "[options]\npython_requires = three\ninstall_requires = torch\n",
        "[options]\ninstall_requires = torch\n[options.extras_require]\na = torch\na = numpy\n",
    ],
}


def cases(table: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(name, text, id=f"{name}-{number}")
        for name, texts in table.items()
        for number, text in enumerate(texts)
    ]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("constraints.txt").write_text("torchaudio<2.9\n")
    Path("more.txt").write_text("torch>=2\ntorchaudio\n")


@pytest.mark.parametrize(("name", "text"), cases(AGREED))
def test_both_read_the_same(name: str, text: str) -> None:
    Path(name).write_bytes(text.encode())
    audited, wrong = of_audit(name)
    assert wrong == []
    assert of_lock(name) == audited
    assert audited.asked


@pytest.mark.parametrize(("name", "text"), cases(REFUSED))
def test_what_one_refuses_the_other_calls_an_error(name: str, text: str) -> None:
    Path(name).write_bytes(text.encode())
    with pytest.raises(InputError):
        read_inputs(
            name, **({"all_extras": True} if name == "setup.cfg" else {"groups": ["a"]} if "[dep" in text else {})
        )
    assert of_audit(name)[1]


@pytest.mark.skipif(not RECORDS, reason="the corpus lies beside the project, where it is there")
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: Path(record["file"]).name)
def test_real_files(record: dict[str, Any]) -> None:
    """Sources and overrides of uv apart, which audit reads for every environment and lock for its target."""
    path = Path(record["path"])
    if ".." in path.parts or path.name in ("uv.lock",) or path.suffix not in (".txt", ".in", ".toml", ".cfg"):
        pytest.skip("not a format that both read")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CORPUS / record["file"], path)
    for name, source in record["includes"].items():
        included = path.parent / name
        if Path.cwd() in included.resolve().parents:
            included.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CORPUS / "files" / source, included)
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".toml" and ("[tool.uv" in text or "[tool.poetry" in text or "[project]" not in text):
        pytest.skip("another tool's tables")
    if read_document(str(path)).kind not in ("requirements", "constraints", "pyproject", "setup.cfg"):
        pytest.skip("not a format that both read")
    if any(entry.channel == "conda" for entry in read_document(str(path)).entries):
        pytest.skip("a list of conda's, which lock refuses line by line")
    audited, wrong = of_audit(str(path))
    try:
        locked = of_lock(str(path))
    except (InputError, tomllib.TOMLDecodeError):
        untold = [issue for issue in read_document(str(path)).issues if issue.rule == "TL901"]
        assert wrong or untold
        return
    assert not wrong
    assert locked == audited
