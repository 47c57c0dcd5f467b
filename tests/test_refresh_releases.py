"""scripts/refresh_releases.py against a small index on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import refresh_releases
from support.refresh_index import Index, elf, started, wheel
from torchlock.gathering.binaries import cuda_libraries, elf_needed
from torchlock.gathering.pages import File, sort_files
from torchlock.gathering.rendering import render
from torchlock.gathering.samples import Table
from torchlock.gathering.seeds import files_stated, seed_of
from torchlock.gathering.wheels import decide_build, declared_build

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def index() -> Iterator[Index]:
    with started() as index:
        yield index


@pytest.fixture
def stack(index: Index) -> Index:
    """torch, torchaudio whose wheels differ, and the little world that they can reach."""
    linux, arm = "cp310-cp310-manylinux1_x86_64.whl", "cp310-cp310-manylinux2014_aarch64.whl"
    torch = f"torch-1.13.1-{linux}"
    index.add("torch", torch, wheel(torch, torch__version_dot_py="cuda: Optional[str] = '11.7'\nhip = None\n"))
    head = b"Metadata-Version: 2.1\nName: torch\nVersion: 1.13.1\n"
    index.beside[torch] = head + b"Requires-Dist: typing_extensions\n\n"
    torch = f"torch-1.13.1-{arm}"
    index.add("torch", torch, wheel(torch, ("typing-extensions",), torch__version_dot_py="cuda = None\n"))
    audio = f"torchaudio-0.13.1-{linux}"
    extension = elf("libc10.so", "libtorch_cuda.so")
    index.add("torchaudio", audio, wheel(audio, ("torch (==1.13.1)",), torchaudio__lib__x_dot_so=extension))
    audio = f"torchaudio-0.13.1-{arm}"
    index.add("torchaudio", audio, wheel(audio, ("torch",), torchaudio__lib__x_dot_so=elf("libc10.so")))
    plain = "typing_extensions-4.0.0-py3-none-any.whl"
    index.add("typing-extensions", plain, wheel(plain, ('flit; extra == "dev"',)))
    index.add("typing-extensions", "typing_extensions-3.0.tar.gz", b"sdist")
    return index


def refresh(index: Index, tmp_path: Path, *options: str, builds: Path | None = None) -> int:
    arguments = ["--index", index.url, "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
    arguments += ["--builds", str(builds or builds_in(tmp_path))]
    code: int = refresh_releases.main([*arguments, *options])
    return code


def builds_in(folder: Path, requires: tuple[str, ...] = (), marker: str = "") -> Path:
    """Tables of builds of which one, torch 2.0 for XPU, requires this."""
    builds = folder / "builds"
    builds.mkdir(exist_ok=True)
    lines = [
        "[[requirements]]",
        'package = "torch"',
        'releases = "2.0"',
        'folders = "xpu"',
        'platforms = "linux-x86_64"',
        'kind = "declared"',
        'sources = ["lock"]',
        "checked = 2026-11-29",
        *([f"marker = {marker!r}"] if marker else []),
        f"requires = {json.dumps(requires)}",
    ]
    (builds / "requirements.toml").write_text("\n".join(lines))
    return builds


def written(tmp_path: Path, name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((tmp_path / "out" / f"{name}.json").read_bytes())
    return table


def test_wheels_of_the_family_keep_their_own_requirements_and_builds(stack: Index, tmp_path: Path) -> None:
    assert refresh(stack, tmp_path) == 0
    table = written(tmp_path, "torchaudio")
    record = table["releases"]["0.13.1"]
    assert [table["tags"][at] for at in record["wheels"]] == [
        "cp310-cp310-manylinux1_x86_64",
        "cp310-cp310-manylinux2014_aarch64",
    ]
    declared = [[table["requirements"][at] for at in table["requires"][one]] for one in record["requires"]]
    assert declared == [[["torch", "==1.13.1"]], [["torch"]]]
    assert record["build"] == ["cu117", "cpu"]
    assert record["date"] == "2024-04-24"
    assert written(tmp_path, "torch")["releases"]["1.13.1"]["build"] == ["cu117", "cpu"]


def test_metadata_beside_the_wheel_saves_opening_it(stack: Index, tmp_path: Path) -> None:
    del stack.projects["torchaudio"]
    plain = stack.projects["typing-extensions"][0]
    stack.beside[plain] = b"Metadata-Version: 2.1\nName: typing_extensions\nVersion: 4.0.0\n\n"
    refresh(stack, tmp_path)
    assert f"/packages/aa/{plain}.metadata" in stack.asked
    assert f"/packages/aa/{plain}" not in stack.asked


def test_the_files_come_last_one_release_a_line(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    text = (tmp_path / "out" / "typing-extensions.json").read_text()
    tail = text.partition('\n"files": {\n')[2].splitlines()
    assert tail[0].startswith('"3.0": [["typing_extensions-3.0.tar.gz","')
    assert tail[1].startswith('"4.0.0": [["typing_extensions-4.0.0-py3-none-any.whl","')
    assert tail[1].endswith('"2024-04-24T15:00:09Z","packages/aa/typing_extensions-4.0.0-py3-none-any.whl"]]')
    assert written(tmp_path, "typing-extensions")["releases"]["3.0"] == {
        "wheels": [],
        "date": "2024-04-24",
        "sdist": True,
    }


def test_a_second_run_asks_for_pages_only_and_rewrites_nothing(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.json")}
    stack.asked.clear()
    assert refresh(stack, tmp_path) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.json")} == before
    assert [path for path in stack.asked if path.startswith("/packages/")] == []


def without_cache(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "cache")


def test_a_wheel_that_a_release_file_describes_is_not_read(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.json")}
    without_cache(tmp_path)
    stack.asked.clear()
    assert refresh(stack, tmp_path) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("*.json")} == before
    assert [path for path in stack.asked if path.startswith("/packages/")] == []
    pages = [path for path in stack.asked if path.startswith("/simple/")]
    assert len(pages) == len(set(pages))


def test_only_the_new_wheel_of_a_known_release_is_read(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    without_cache(tmp_path)
    new = "torchaudio-0.13.1-cp311-cp311-manylinux2014_aarch64.whl"
    stack.add("torchaudio", new, wheel(new, ("torch", "numpy"), torchaudio__lib__x_dot_so=elf("libc10.so")))
    stack.asked.clear()
    assert refresh(stack, tmp_path) == 0
    assert {path.rpartition("/")[2] for path in stack.asked if path.startswith("/packages/")} == {new}
    record = written(tmp_path, "torchaudio")["releases"]["0.13.1"]
    assert (len(set(record["requires"])), record["build"]) == (3, ["cu117", "cpu", "cpu"])


def test_a_file_under_a_known_name_with_another_hash_is_read(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    plain = stack.projects["typing-extensions"][0]
    stack.files[plain] = wheel(plain, ("flit>=3",))
    assert refresh(stack, tmp_path) == 0
    assert written(tmp_path, "typing-extensions")["requirements"] == [["flit", ">=3"]]


def test_afresh_reads_every_wheel(stack: Index, tmp_path: Path) -> None:
    refresh(stack, tmp_path)
    without_cache(tmp_path)
    stack.asked.clear()
    assert refresh(stack, tmp_path, "--afresh", "--check") == 0
    assert (
        len({path for path in stack.asked if path.startswith("/packages/")}) == 6
    )  # one has its metadata beside it


PROJECTS = sorted((Path(__file__).parents[1] / "compat_data" / "releases").glob("*.json"))


@pytest.mark.parametrize("path", PROJECTS, ids=lambda path: path.stem)
def test_a_bundled_file_is_its_own_seed(path: Path) -> None:
    """What the file states of its wheels makes the same file again, to the byte."""
    stated = json.loads(path.read_bytes())
    project = sort_files(path.stem, files_stated(stated))
    seed = seed_of(stated, project)
    table = Table(project)
    table.metadata.update({sha256: known for sha256, known in seed.metadata.items() if known})
    table.builds.update({sha256: known for sha256, known in seed.builds.items() if known})
    assert render(table, {}) == path.read_bytes()


def test_check_tells_and_writes_nothing(stack: Index, tmp_path: Path) -> None:
    assert refresh(stack, tmp_path, "--check") == 1
    assert not (tmp_path / "out").exists()
    refresh(stack, tmp_path)
    assert refresh(stack, tmp_path, "--check") == 0


def test_an_interrupted_run_goes_on_where_it_stopped(stack: Index, tmp_path: Path) -> None:
    plain = stack.projects["typing-extensions"][0]
    stack.broken.add(plain)
    assert refresh(stack, tmp_path) == 2
    stack.broken.clear()
    stack.asked.clear()
    assert refresh(stack, tmp_path) == 0
    assert {path.rpartition("/")[2] for path in stack.asked if path.startswith("/packages/")} == {plain}


def test_requirements_nobody_can_read_are_told_apart(index: Index, tmp_path: Path) -> None:
    name = "odd-1.0-py3-none-any.whl"
    requires = ("good>=1", "bad (>=2011k)", "far @ https://example.invalid/far.zip")
    index.add("odd", name, wheel(name, requires))
    assert refresh(index, tmp_path, "--only", "odd") == 0
    table = written(tmp_path, "odd")
    assert table["requirements"] == [["good", ">=1"]]
    assert table["releases"]["1.0"]["invalid"] == sorted(requires[1:])


def test_only_what_a_specifier_admits_is_followed(index: Index, tmp_path: Path) -> None:
    for name, requires in (
        ("torch-2.0-py3-none-any.whl", ("mid>=2", 'old; python_version < "3"', "tool[fast]")),
        ("mid-1.0-py3-none-any.whl", ("never",)),
        ("mid-2.0-py3-none-any.whl", ("leaf", 'dev; extra == "dev"')),
        ("tool-1.0-py3-none-any.whl", ('speed; extra == "fast"',)),
        *((f"{name}-1.0-py3-none-any.whl", ()) for name in ("leaf", "speed", "never", "old", "dev")),
    ):
        index.add(name.split("-")[0], name, wheel(name, requires))
    refresh(index, tmp_path)
    assert {path.stem for path in (tmp_path / "out").glob("*.json")} == {"torch", "mid", "leaf", "tool", "speed"}


@pytest.fixture
def oneapi(index: Index) -> Index:
    """torch, and what only its build for XPU requires."""
    for name, requires in (
        ("torch-2.0-py3-none-any.whl", ("filelock",)),
        ("filelock-1.0-py3-none-any.whl", ()),
        ("umf-0.9-py3-none-any.whl", ("never",)),
        ("umf-1.0-py3-none-any.whl", ("tcmlib", 'gone; python_version < "3"')),
        ("tool-1.0-py3-none-any.whl", ('speed; extra == "fast"',)),
        *((f"{name}-1.0-py3-none-any.whl", ()) for name in ("tcmlib", "speed", "never", "gone", "triton_xpu")),
    ):
        index.add(name.split("-")[0].replace("_", "-"), name, wheel(name, requires))
    return index


def names_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.json")}


def test_what_builds_require_is_followed_too(oneapi: Index, tmp_path: Path) -> None:
    builds = builds_in(tmp_path, ("umf==1.0", "tool[fast]", "triton-xpu==1.0", 'gone; os_name == "java"'))
    assert refresh(oneapi, tmp_path, builds=builds) == 0
    assert names_in(tmp_path / "out") == {"torch", "filelock", "umf", "tcmlib", "tool", "speed"}
    assert "/simple/triton-xpu/" not in oneapi.asked  # the PyTorch index has it, whatever has its name here


def test_what_a_table_of_files_says_is_followed_too(oneapi: Index, tmp_path: Path) -> None:
    builds = builds_in(tmp_path)
    folder = builds / "files" / "xpu"
    folder.mkdir(parents=True)
    tag = "cp312-cp312-linux_x86_64"
    table = {
        "name": "torch",
        "build": "xpu",
        "tags": [tag],
        "requirements": [["umf", "==1.0"]],
        "requires": [[0]],
        "releases": {"2.0+xpu": {"wheels": [0], "requires": 0}},
    }
    head = json.dumps(table).removesuffix("}")
    (folder / "torch.json").write_text(head + ',\n"files": {\n"2.0+xpu": []\n}\n}\n')
    assert refresh(oneapi, tmp_path, builds=builds) == 0
    assert names_in(tmp_path / "out") == {"torch", "filelock", "umf", "tcmlib"}


def test_new_projects_are_added_and_the_others_are_left(oneapi: Index, tmp_path: Path) -> None:
    refresh(oneapi, tmp_path)
    out = tmp_path / "out"
    (out / "DATE").write_text("2024-01-01\n")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    oneapi.add("torch", "torch-3.0-py3-none-any.whl", wheel("torch-3.0-py3-none-any.whl", ("gone",)))
    oneapi.asked.clear()
    (tmp_path / "later").mkdir()
    assert refresh(oneapi, tmp_path, "--new", builds=builds_in(tmp_path / "later", ("umf==1.0",))) == 0
    assert names_in(out) == {"torch", "filelock", "umf", "tcmlib"}
    assert {name: (out / name).read_bytes() for name in before} == before
    pages = {path.split("/")[2] for path in oneapi.asked if path.startswith("/simple/")}
    assert pages >= {"umf", "tcmlib"}
    assert not pages & {"torch", "filelock"}


def test_a_damaged_table_of_builds_is_told(
    oneapi: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builds = builds_in(tmp_path)
    (builds / "requirements.toml").write_text("[[requirements]]\npackage = 1\n")
    assert refresh(oneapi, tmp_path, builds=builds) == 2
    assert "requirements[0]" in capsys.readouterr().err
    assert oneapi.asked == []


def test_one_wheel_speaks_for_its_siblings_outside_the_family(index: Index, tmp_path: Path) -> None:
    for python in ("cp310", "cp311", "cp312"):
        name = f"numpy-2.0.0-{python}-{python}-win_amd64.whl"
        index.add("numpy", name, wheel(name))
    refresh(index, tmp_path, "--only", "numpy")
    assert len({path for path in index.asked if path.startswith("/packages/")}) == 1
    record = written(tmp_path, "numpy")["releases"]["2.0.0"]
    assert len(record["wheels"]) == 3
    assert record["requires"] == 0


def test_yanked_python_and_files_without_a_place(index: Index, tmp_path: Path) -> None:
    name = "odd-1.0-py3-none-any.whl"
    index.add("odd", name, wheel(name), yanked="broken", **{"requires-python": ">=3.8"})
    for other in ("odd-1.0.win32.exe", "odd-1.0-py2.7.egg", "odd-2004d.tar.gz", "odd-tools-1.0.tar.gz"):
        index.add("odd", other)
    refresh(index, tmp_path, "--only", "odd")
    assert written(tmp_path, "odd")["releases"] == {
        "1.0": {"wheels": [0], "date": "2024-04-24", "python": ">=3.8", "requires": 0, "yanked": "broken"}
    }


def test_a_wheel_that_cannot_be_read_leaves_its_requirements_unknown(index: Index, tmp_path: Path) -> None:
    index.add("odd", "odd-1.0-py3-none-any.whl", b"no zip archive")
    assert refresh(index, tmp_path, "--only", "odd") == 0
    assert "requires" not in written(tmp_path, "odd")["releases"]["1.0"]


@pytest.mark.parametrize(
    ("text", "build"),
    [
        pytest.param("cuda = '9.0.176'\n", "cu90", id="three-parts"),
        pytest.param("cuda: Optional[str] = '12.1'\nhip: Optional[str] = None\n", "cu121", id="annotated"),
        pytest.param("cuda = None\nhip = '6.1.40091'\n", "rocm6.1", id="rocm"),
        pytest.param("cuda: str | None = None\nhip: str | None = None\nxpu = '2025'\n", "xpu", id="xpu"),
        pytest.param("debug = False\ncuda = None\n", "cpu", id="cpu"),
        pytest.param("__version__ = '0.4.0'\n", None, id="silent"),
    ],
)
def test_what_torch_declares(text: str, build: str | None) -> None:
    assert declared_build(text) == build


@pytest.mark.parametrize(
    ("label", "linked", "build"),
    [
        pytest.param(None, [], "cpu", id="links-nothing"),
        pytest.param("cu126", [], "cpu", id="label-without-libraries"),
        pytest.param("cu130", ["libtorch_cuda.so"], "cu130", id="label"),
        pytest.param(None, ["libcudart.459720b2.so.10.2"], "cu102", id="runtime"),
        pytest.param(None, ["c10_cuda.dll", "cudart64_101.dll"], "cu101", id="runtime-windows"),
        pytest.param(None, ["libcudart.so.11.0"], "cu117", id="runtime-of-a-whole-major"),
        pytest.param("cpu", ["libtorch_cuda.so"], None, id="contradiction"),
    ],
)
def test_how_a_build_is_decided(label: str | None, linked: list[str], build: str | None) -> None:
    facts = {"declared": None, "label": label, "linked": linked}
    assert decide_build(facts, "cu117") == build


def test_needed_libraries_of_a_binary() -> None:
    assert elf_needed(elf("libc.so.6", "libcudart.so.12")) == ["libc.so.6", "libcudart.so.12"]
    assert elf_needed(b"\x7fELF\x02\x01" + bytes(100)) == []
    assert cuda_libraries(b"MZ\0\0c10_cuda.dll\0kernel32.dll\0") == ["c10_cuda.dll"]


@pytest.mark.parametrize(
    ("tag", "platform"),
    [
        ("cp39-cp39-manylinux1_x86_64", ("linux", "x86_64")),
        ("cp39-cp39-manylinux_2_17_aarch64.manylinux2014_aarch64", ("linux", "aarch64")),
        ("cp39-cp39-musllinux_1_2_x86_64", ("linux", "x86_64")),
        ("cp39-cp39-linux_armv7l", ("linux", "armv7l")),
        ("cp39-cp39-macosx_11_0_arm64", ("macos", "arm64")),
        ("cp39-cp39-macosx_10_9_universal2", ("macos", "universal2")),
        ("cp39-cp39-win_amd64", ("windows", "amd64")),
        ("cp39-cp39-win32", ("windows", "32")),
        ("py3-none-any", ("any", "")),
    ],
)
def test_platform_of_a_tag(tag: str, platform: tuple[str, str]) -> None:
    file = File(f"odd-1.0-{tag}.whl", "", "", None, None, None, None)
    assert file.platform == platform
