"""scripts/refresh.py: everything in one command, against a small index on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import refresh
import refresh_names
from refreshing import torch_names
from refreshing.changelog import changes
from refreshing.name_tables import names_stated, table_of, text_of
from support.refresh_index import Index, elf, started, wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [
    path
    for path in sorted((Path(__file__).parents[1] / "compat_data" / "names").glob("*.json"))
    if path.stem != "torch"
]
LINUX = "cp310-cp310-manylinux1_x86_64.whl"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def index() -> Iterator[Index]:
    """torch and torchaudio 2.0, and a package that uses them."""
    with started() as index:
        add(index, "torch", "2.0.0", torch__version_dot_py="cuda = None\n")
        add(index, "torchaudio", "2.0.0", "torch==2.0.0", torchaudio__io_dot_py="def load(): ...\n")
        plain = "demucs-4.0-py3-none-any.whl"
        index.add("demucs", plain, wheel(plain, ("torch>=1.8", 'dora-search; extra == "train"')))
        index.add("demucs", "demucs-3.0.tar.gz", b"not an archive", **{"upload-time": "2020-01-01T00:00:00Z"})
        del index.projects["demucs"][1]
        yield index


def add(index: Index, project: str, version: str, *requires: str, tag: str = LINUX, **members: str | bytes) -> str:
    name = f"{project}-{version}-{tag}"
    library = {f"{project}__lib__x_dot_so": elf("libc10.so")} if project != "torch" else {}
    index.add(project, name, wheel(name, requires, **library, **members))
    return name


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables of nothing but the names of one release of torchaudio."""
    data = tmp_path / "data"
    for folder in ("releases", "dependents", "names", "builds"):
        (data / folder).mkdir(parents=True)
    for package in refresh_names.PACKAGES:
        known = {"releases": ["1.9.0"], "modules": {package: {"spans": [[0, 0]], "names": {"old": 0}}}}
        (data / "names" / f"{package}.json").write_bytes(text_of(known))
        (data / "releases" / f"{package}.json").write_text(json.dumps(EMPTY | {"name": package}))
    known = {"releases": ["9.0.0"], "always": {}, "changed": {}, "unloaded": []}
    (data / "names" / "torch.json").write_bytes(torch_names.text_of(known))
    (data / "dependents" / "demucs.json").write_text(json.dumps(EMPTY | {"name": "demucs"}))
    (data / "builds" / "requirements.toml").write_text("requirements = []\n")
    return data


EMPTY = {"tags": [], "requirements": [], "requires": [], "releases": {}, "files": {}}


def run(index: Index, data: Path, *options: str) -> int:
    arguments = ["--index", index.url, "--data", str(data), "--cache", str(data.parent / "cache")]
    return refresh.main([*arguments, *options])


def content(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_one_command_refreshes_all_tables(index: Index, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(index, data, "--changes", str(data.parent / "said")) == 0
    said = capsys.readouterr().out
    assert (data.parent / "said").read_text() == said
    assert said.splitlines() == [
        f"The names of torchaudio 2.0.0 were read from torchaudio-2.0.0-{LINUX}.",
        "torch is new in the data (1 release).",
        "torchaudio 2.0.0 of 2024-04-24 is new, with 1 wheel for Python 3.10 on Linux.",
        "demucs 4.0 of 2024-04-24 is new, with 1 wheel for every Python on any platform.",
    ]
    names = json.loads((data / "names" / "torchaudio.json").read_bytes())
    assert names["releases"] == ["1.9.0", "2.0.0"]
    assert "load" in names["modules"]["torchaudio.io"]["names"]
    assert (data / "releases" / "DATE").exists()


def test_an_unchanged_index_costs_a_page_a_project(
    index: Index, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = json.dumps({"releases": ["4.0"], "names": {}, "modules": []})
    (data / "names" / "others").mkdir()
    (data / "names" / "others" / "demucs.json").write_text(known, encoding="utf-8")
    run(index, data)
    before = content(data)
    for path in sorted((data.parent / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    index.asked.clear()
    capsys.readouterr()
    assert run(index, data) == 0
    assert capsys.readouterr().out == "Nothing changed.\n"
    assert content(data) == before
    assert len(index.asked) == len(set(index.asked))
    assert not [path for path in index.asked if path.startswith("/packages/")]


def test_a_dry_run_tells_and_writes_nothing(index: Index, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(data)
    assert run(index, data, "--dry-run") == 0
    assert "torchaudio 2.0.0 of 2024-04-24 is new" in capsys.readouterr().out
    assert content(data) == before


def test_a_failure_leaves_the_tables_as_they_are(index: Index, data: Path) -> None:
    before = content(data)
    index.broken.add("demucs-4.0-py3-none-any.whl")
    assert run(index, data) == 2
    assert content(data) == before
    index.broken.clear()
    index.asked.clear()
    assert run(index, data) == 0
    read = {path for path in index.asked if path.startswith("/packages/")}
    assert {path.rpartition("/")[2] for path in read if "torch" not in path} == {"demucs-4.0-py3-none-any.whl"}


def test_only_one_project(index: Index, data: Path) -> None:
    assert run(index, data, "--only", "torchaudio") == 0
    assert not (data / "releases" / "torch.json").exists()
    assert not (data / "releases" / "DATE").exists()
    assert b"2.0.0" in (data / "releases" / "torchaudio.json").read_bytes()


def test_what_changed_in_sentences(index: Index, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(index, data)
    add(index, "torchaudio", "2.1.0", "torch==2.1.0", tag="cp312-cp312-win_amd64.whl")
    add(index, "torch", "2.0.0", tag="cp311-cp311-manylinux1_x86_64.whl", torch__version_dot_py="cuda = None\n")
    index.details[f"torch-2.0.0-{LINUX}"]["yanked"] = "broken"
    del index.projects["demucs"]
    capsys.readouterr()
    assert run(index, data, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "torch 2.0.0 has 1 new wheel: cp311-cp311-manylinux1_x86_64.",
        "torchaudio 2.1.0 of 2024-04-24 is new, with 1 wheel for Python 3.12 on Windows. "
        "Unlike 2.0.0, it requires torch==2.1.0 and no longer requires torch==2.0.0.",
    ]


def test_other_bytes_under_a_known_name_are_told(index: Index, data: Path, tmp_path: Path) -> None:
    run(index, data)
    name = f"torchaudio-2.0.0-{LINUX}"
    index.files[name] = wheel(name, ("torch",), torchaudio__lib__x_dot_so=elf("libc10.so"))
    later = tmp_path / "later"
    for folder in ("releases", "dependents", "names", "builds"):
        (later / folder).mkdir(parents=True)
    for path, text in content(data).items():
        (later / path).write_bytes(text)
    run(index, later)
    (said,) = changes(data / "releases", later / "releases")
    assert said == f"torchaudio 2.0.0: the index serves other bytes as {name}. Find out why before you commit."


@pytest.mark.parametrize("path", NAMES, ids=lambda path: path.stem)
def test_a_table_of_names_is_its_own_seed(path: Path) -> None:
    """What a table states of each release makes the same table again."""
    from packaging.version import Version

    table = json.loads(path.read_bytes())
    known = {Version(text): names_stated(table, at) for at, text in enumerate(table["releases"])}
    assert text_of(table_of(path.stem, known)) == path.read_bytes()
