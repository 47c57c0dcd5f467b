"""scripts/refresh_builds.py against a local index of the shape of the PyTorch wheel index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import refresh_builds
from refreshing.build_files import read_tables
from refreshing.build_pages import BuildIndex
from support.index_server import Reply, html
from support.wheel_index import AARCH64, LINUX, WINDOWS, WheelIndex
from torchlock.knowledge.build_files import index_address
from torchlock.standards.index_file import File

TAGS = f"cp311-cp311-{LINUX}"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("refresh_builds.today", lambda: "2030-01-02")


@pytest.fixture
def index() -> Iterator[WheelIndex]:
    with WheelIndex() as started:
        yield started


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    return tmp_path / "builds"


def run(index: WheelIndex, builds: Path, *options: str) -> int:
    folders = ["--output", str(builds), "--releases", str(builds.parent), "--cache", str(builds.parent / "cache")]
    code: int = refresh_builds.main(["--index", index.url, *folders, *options])
    return code


def table(builds: Path, folder: str, package: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((builds / "files" / folder / f"{package}.json").read_bytes())
    return found


def hashes(builds: Path, folder: str, package: str) -> dict[str, str | None]:
    rows = (row for rows in table(builds, folder, package)["files"].values() for row in rows)
    return {row[0]: row[1] for row in rows}


def conflicts(builds: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((builds / "conflicts.json").read_bytes())
    return found


def test_the_default_is_the_real_index() -> None:
    assert refresh_builds.parse_arguments([]).index == index_address() == "https://download.pytorch.org/whl"


def test_a_new_release_with_the_requirements_of_its_wheel(index: WheelIndex, builds: Path) -> None:
    torch = index.add("cu128", "torch", "2.99.0+cu128", TAGS, ["filelock", 'jinja2>=3; sys_platform == "linux"'])
    assert run(index, builds) == 0
    found = table(builds, "cu128", "torch")
    assert found["build"] == "cu128"
    (row,) = found["files"]["2.99.0+cu128"]
    assert row == [torch.filename, torch.sha256, None, "2025-08-06T14:51:23Z", torch.row, [1]]
    assert read_tables(builds).sources == {1: f"{index.authority} pages 2030-01-02"}
    assert (builds / "DATE").read_text() == "2030-01-02\n"
    assert found["releases"]["2.99.0+cu128"]["own"] == [0]
    assert found["requirements"] == [["filelock"], ["jinja2", ">=3", 'sys_platform == "linux"']]
    assert index.asked(f"{torch.address}.metadata") == 1
    assert index.asked(torch.address) == 0


def test_known_requirements_are_not_read(index: WheelIndex, builds: Path) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128", TAGS, ["none-of-the-real-ones"])
    assert run(index, builds) == 0
    assert index.asked(f"{torch.address}.metadata") == 0
    assert ["filelock"] in table(builds, "cu128", "torch")["requirements"]


def test_requirements_from_within_the_wheel(index: WheelIndex, builds: Path) -> None:
    torch = index.add("cu128", "torch", "2.99.0+cu128", TAGS, ["sympy"], beside="gone")
    audio = index.add("cu128", "torchaudio", "2.99.0+cu128", TAGS, ["torch"], beside="none")
    assert run(index, builds) == 0
    assert table(builds, "cu128", "torch")["requirements"] == [["sympy"]]
    assert table(builds, "cu128", "torchaudio")["requirements"] == [["torch"]]
    wheels = torch.address, audio.address
    ranges = [request.headers["Range"] for request in index.requests if request.path in wheels]
    assert len(ranges) == 2
    assert all(ranges)


def test_a_wheel_that_cannot_be_read(index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = index.add("cu128", "torch", "2.99.0+cu128", TAGS, beside="none")
    torch.content = b"no archive"
    assert run(index, builds) == 0
    assert "Wheels without readable metadata: 1." in capsys.readouterr().out
    assert "requires" not in table(builds, "cu128", "torch")["releases"]["2.99.0+cu128"]


def test_an_unchanged_page_costs_one_request(index: WheelIndex, builds: Path) -> None:
    index.add("cu128", "torch", "2.99.0+cu128")
    index.add("cpu", "torch", "2.99.0+cpu")
    assert run(index, builds) == 0
    index.requests.clear()
    before = {path: path.stat().st_mtime_ns for path in builds.rglob("*.*")}
    assert run(index, builds) == 0
    assert {path: path.stat().st_mtime_ns for path in builds.rglob("*.*")} == before
    asked = [request.path for request in index.requests]
    assert len(asked) == len(set(asked)) == len(index.pages_asked())
    assert {"/whl/torch/", "/whl/cpu/torch/", "/whl/cu128/torch/"} <= set(asked)
    assert "/whl/cu128/torchaudio/" not in asked
    assert [bool(r.headers["If-None-Match"]) for r in index.requests if "cu128" in r.path] == [True]


def test_a_hash_that_contradicts_the_table(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    assert run(index, builds) == 0
    torch.stated = "0" * 64
    capsys.readouterr()
    assert run(index, builds) == 1
    said = capsys.readouterr().out
    assert f"cu128: {torch.filename}: the index states the hash {'0' * 64}" in said
    assert "The table keeps its own hash." in said
    assert hashes(builds, "cu128", "torch") == {torch.filename: torch.sha256}
    (kept,) = conflicts(builds)
    assert (kept["used"], [value for value, _ in kept["values"]]) == (torch.sha256, [torch.sha256, "0" * 64])


def test_a_known_contradiction_is_told_and_is_no_failure(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    run(index, builds)
    torch.stated = "0" * 64
    run(index, builds)
    capsys.readouterr()
    assert run(index, builds) == 0
    assert "The table keeps its own hash." in capsys.readouterr().out
    assert run(index, builds, "--trust-index") == 0
    assert hashes(builds, "cu128", "torch") == {torch.filename: "0" * 64}


def test_a_trusted_index_decides_and_both_hashes_are_kept(index: WheelIndex, builds: Path) -> None:
    torch = index.add("cu128", "torch", "2.99.0+cu128", requires=["sympy"])
    run(index, builds)
    torch.stated = "0" * 64
    assert run(index, builds, "--trust-index") == 1
    assert hashes(builds, "cu128", "torch") == {torch.filename: "0" * 64}
    (kept,) = conflicts(builds)
    assert {value for value, _ in kept["values"]} == {torch.sha256, "0" * 64}
    assert run(index, builds) == 0


def test_a_page_without_a_hash_leaves_that_of_the_table(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = index.add("cu128", "torch", "2.8.0+cu128")
    audio = index.add("cu128", "torchaudio", "2.8.0+cu128", stated="")
    run(index, builds)
    assert hashes(builds, "cu128", "torchaudio") == {audio.filename: None}
    torch.stated, audio.stated = "", audio.sha256
    capsys.readouterr()
    assert run(index, builds) == 0
    assert hashes(builds, "cu128", "torch") == {torch.filename: torch.sha256}
    assert hashes(builds, "cu128", "torchaudio") == {audio.filename: audio.sha256}
    said = capsys.readouterr().out
    assert "Files without a hash on their page; the hash of the table stays: 1." in said
    assert "Files that had no hash and have one now: 1.\n  cu128: torchaudio 2.8.0+cu128: 1" in said


def test_a_file_that_is_gone_stays_in_the_table(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = index.add("cu128", "torch", "2.7.0+cu128")
    index.add("cu128", "torch", "2.8.0+cu128")
    index.add("cu126", "torchvision", "0.23.0+cu126")
    run(index, builds)
    index.published = index.published[1:2]
    capsys.readouterr()
    assert run(index, builds) == 0
    said = capsys.readouterr().out
    assert "Files that are not on their page any more; their rows stay: 1.\n  cu128: torch 2.7.0+cu128: 1" in said
    assert "has files: 1.\n  cu126/torchvision" in said
    assert old.filename in hashes(builds, "cu128", "torch")
    assert hashes(builds, "cu126", "torchvision")


def test_links_of_the_root_page_are_no_files_of_a_folder(index: WheelIndex, builds: Path) -> None:
    old = index.add("", "torchaudio", "2.2.0", f"cp311-cp311-{WINDOWS}", build="cpu")
    index.add("cu132", "torch", "2.12.0+cu132")
    audio = index.add("cu126", "torchaudio", "2.8.0+cu126")
    assert run(index, builds) == 0
    assert index.asked("/whl/cu132/torchaudio/") == 0
    assert not (builds / "files" / "cu132" / "torchaudio.json").exists()
    assert hashes(builds, "cu126", "torchaudio") == {audio.filename: audio.sha256}
    assert hashes(builds, "root", "torchaudio") == {old.filename: old.sha256}
    assert table(builds, "root", "torchaudio")["files"]["2.2.0"][0][4] == old.filename


def test_release_candidates_are_never_read(index: WheelIndex, builds: Path) -> None:
    final = index.add("cu128", "torch", "2.8.0+cu128")
    candidate = index.add("test/cu128", "torch", "2.8.0+cu128", requires=["other"])
    index.add("nightly/cu128", "torch", "2.9.0.dev20250801+cu128")
    assert candidate.sha256 != final.sha256
    assert run(index, builds) == 0
    assert hashes(builds, "cu128", "torch") == {final.filename: final.sha256}
    assert [path for path in index.pages_asked() if "test" in path or "nightly" in path] == []
    assert {path.name for path in (builds / "files").iterdir()} == {"cu128"}


def test_one_name_in_two_folders_has_two_hashes(index: WheelIndex, builds: Path) -> None:
    tags = f"cp311-cp311-{AARCH64}"
    cpu, cuda = (index.add(folder, "torchaudio", "2.8.0", tags) for folder in ("cpu", "cu128"))
    assert run(index, builds) == 0
    assert hashes(builds, "cpu", "torchaudio") == {cpu.filename: cpu.sha256}
    assert hashes(builds, "cu128", "torchaudio") == {cpu.filename: cuda.sha256}
    assert table(builds, "cu128", "torchaudio")["build"] == "cu128"


def test_odd_names(index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec = index.add("cpu", "TorchCodec", "0.2.1", TAGS)
    rebuilt = index.add("cpu", "torch", "2.10.0", "2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")
    mainframe = index.add("cpu", "torch", "2.9.0+cpu", "cp311-cp311-manylinux_2_28_s390x")
    free = index.add("cpu", "torch", "2.9.0+cpu", f"cp313-cp313t-{LINUX}")
    repacked = index.add("cu117_pypi_cudnn", "torch", "2.0.0+cu117.with.pypi.cudnn", TAGS)
    wrong = index.add("cpu", "torch", "2.9.0+cpu", f"cp313t-cp313t-{LINUX}")
    candidate = index.add("cpu", "torch", "2.9.0rc1+cpu", TAGS)
    assert run(index, builds) == 0
    assert hashes(builds, "cpu", "torchcodec") == {codec.filename: codec.sha256}
    assert set(hashes(builds, "cpu", "torch")) == {rebuilt.filename, mainframe.filename, free.filename}
    assert hashes(builds, "cu117_pypi_cudnn", "torch") == {repacked.filename: repacked.sha256}
    said = capsys.readouterr().out
    assert "Names that no wheel of a release has; they stay out: 2." in said
    assert f"cpu: {wrong.filename}" in said
    assert f"cpu: {candidate.filename}" in said


def test_tritons_are_read_from_the_root(index: WheelIndex, builds: Path) -> None:
    triton = index.add("", "pytorch_triton_rocm", "3.99.0", TAGS)
    index.add("rocm6.4", "torch", "2.8.0+rocm6.4")
    assert run(index, builds) == 0
    assert hashes(builds, "root", "pytorch-triton-rocm") == {triton.filename: triton.sha256}


def test_an_interrupted_run_writes_nothing_and_goes_on_where_it_stopped(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.add("cu128", "torch", "2.99.0+cu128")
    audio = index.add("cu128", "torchaudio", "2.99.0+cu128")
    index.routes[f"{audio.address}.metadata"] = index.routes[audio.address] = Reply(b"", 503)
    assert run(index, builds, "--jobs", "1") == 2
    assert "503" in (said := capsys.readouterr().err)
    assert "hint: run again to go on" in said
    assert not builds.exists()
    index.routes.clear()
    index.requests.clear()
    assert run(index, builds) == 0
    metadata = [request.path for request in index.requests if request.path.endswith(".metadata")]
    assert metadata == [f"{audio.address}.metadata"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(html("<a href='torch"), "answered with an incomplete page", id="torn"),
        pytest.param(html("<form>"), "answered with a web page (a login?)", id="login"),
        pytest.param(Reply(b"{", content_type="image/png"), "answered with image/png", id="picture"),
        pytest.param(Reply(b"", 403), "status 403", id="forbidden"),
    ],
)
def test_a_bad_page(
    reply: Reply, reason: str, index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index.add("cu128", "torch", "2.8.0+cu128")
    index.routes["/whl/cu128/torch/"] = reply
    assert run(index, builds) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert f"{index.url}/cu128/torch/" in said
    assert reason in said
    assert not builds.exists()


def test_an_address_without_such_pages(
    index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(index, builds) == 2
    assert f"error: {index.url} has no page of any member\n" in capsys.readouterr().err


def test_a_mirror_without_pages_at_its_root(index: WheelIndex, builds: Path) -> None:
    index.add("cu128", "torch", "2.8.0+cu128")
    run(index, builds)
    new = index.add("cu128", "torch", "2.9.0+cu128")
    index.routes["/whl/torch/"] = Reply(b"", 404)
    assert run(index, builds) == 0
    assert new.filename in hashes(builds, "cu128", "torch")


def test_a_bucket_that_denies_what_it_lacks(builds: Path) -> None:
    with WheelIndex(missing=403) as index:
        index.add("cu128", "torch", "2.8.0+cu128")
        assert run(index, builds) == 0


def test_check_writes_nothing(index: WheelIndex, builds: Path) -> None:
    index.add("cu128", "torch", "2.8.0+cu128")
    assert run(index, builds, "--check") == 1
    assert not builds.exists()
    assert run(index, builds) == 0
    assert run(index, builds, "--check") == 0


def test_only_one_project(index: WheelIndex, builds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index.add("cu128", "torch", "2.8.0+cu128")
    index.add("cu128", "torchaudio", "2.8.0+cu128")
    run(index, builds)
    index.requests.clear()
    assert run(index, builds, "--only", "torchaudio") == 0
    assert index.pages_asked() == ["/whl/torchaudio/", "/whl/cu128/torchaudio/"]
    assert run(index, builds, "--only", "numpy") == 2
    assert "error: --only: numpy is none of torch, torchaudio, " in capsys.readouterr().err


def test_files_on_another_host(builds: Path) -> None:
    with WheelIndex(r2=True) as index:
        torch = index.add("cu128", "torch", "2.99.0+cu128", requires=["sympy"])
        assert run(index, builds) == 0
        assert table(builds, "cu128", "torch")["files"]["2.99.0+cu128"][0][4] == torch.row
        assert [request.path for request in index.r2.requests] == [f"{torch.address}.metadata"]


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("https://example.org/mirror/cu128/torch-2.8.0%2Bcu128-x.whl", "cu128"),
        ("https://example.org/mirror/torch-2.2.0-x.whl", "root"),
        ("https://download-r2.pytorch.org/whl/cu128/torch-2.8.0-x.whl", "cu128"),
        ("https://download.pytorch.org/whl/test/cu128/torch-2.8.0-x.whl", "test/cu128"),
        ("https://example.org/mirrors/cu128/torch-2.8.0-x.whl", None),
    ],
)
def test_the_folder_in_an_address(url: str, folder: str | None, tmp_path: Path) -> None:
    mirror = BuildIndex("https://example.org/mirror/", tmp_path, lambda text: None)
    assert mirror.folder_of(File("torch", url, {})) == folder


def gathered(path: Path, *rows: list[Any], **more: Any) -> str:
    columns = ["folder", "file", "sha256", "size", "sources"]
    sources = {"7": "someone/project uv.lock 0123abc 2026-01-01", "8": "another/project uv.lock 4567 2026-01-01"}
    path.write_text(json.dumps({"columns": columns, "rows": rows, "sources": sources, **more}))
    return str(path)


def test_rows_that_were_gathered_elsewhere(index: WheelIndex, builds: Path, tmp_path: Path) -> None:
    rows = [
        ["cu128", f"torch-2.8.0+cu128-{TAGS}.whl", "a" * 64, 5, [7, 8]],
        ["", f"triton_rocm-3.6.0-{TAGS}.whl", "b" * 64, None, [7]],
        ["cu128", f"torchaudio-2.8.0+cu128-{TAGS}.whl", None, None, [8]],
    ]
    assert run(index, builds, "--add", gathered(tmp_path / "rows.json", *rows)) == 0
    assert index.requests == []
    assert hashes(builds, "cu128", "torch") == {rows[0][1]: "a" * 64}
    assert hashes(builds, "root", "triton-rocm") == {rows[1][1]: "b" * 64}
    assert hashes(builds, "cu128", "torchaudio") == {rows[2][1]: None}
    assert "another/project uv.lock 4567 2026-01-01" in read_tables(builds).sources.values()


def test_added_rows_that_contradict_each_other(
    index: WheelIndex, builds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"torch-2.8.0+cu128-{TAGS}.whl"
    rows = [["cu128", name, "a" * 64, None, [7]], ["cu128", name, "b" * 64, None, [8]]]
    assert run(index, builds, "--add", gathered(tmp_path / "rows.json", *rows)) == 1
    assert f"cu128: {name} is {'b' * 64}, not {'a' * 64}" in capsys.readouterr().out


ROW = ["cu128", f"torch-2.8.0+cu128-{TAGS}.whl", "a" * 64, 5, [7]]


@pytest.mark.parametrize(
    ("rows", "more", "reason"),
    [
        pytest.param([ROW, ROW[:4]], {}, "row 2: not as many cells as columns", id="short"),
        pytest.param([[*ROW[:2], "a" * 63, 5, [7]]], {}, "is not a SHA-256", id="hash"),
        pytest.param([[*ROW[:3], -1, [7]]], {}, "row 1: -1 is not a size", id="size"),
        pytest.param([[*ROW[:4], []]], {}, "row 1: it has no source", id="no-source"),
        pytest.param([[*ROW[:4], [9]]], {}, "row 1: the file has no source 9", id="unknown-source"),
        pytest.param([[None, *ROW[1:]]], {}, "row 1: folder and file must be texts", id="folder"),
        pytest.param([ROW], {"columns": ["file"]}, "its columns must be some of", id="columns"),
        pytest.param([ROW], {"sources": {"x": "y"}}, "its sources must be texts by number", id="sources"),
        pytest.param([ROW], {"rows": 5}, "must be an object with columns, rows and sources", id="rows"),
    ],
)
def test_bad_rows(
    rows: list[Any],
    more: dict[str, Any],
    reason: str,
    index: WheelIndex,
    builds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = gathered(tmp_path / "rows.json", *rows, **more)
    assert run(index, builds, "--add", path) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: ")
    assert reason in said


@pytest.mark.parametrize(("text", "reason"), [("{", "is not JSON"), (None, "cannot be read")])
def test_bad_files_of_rows(
    text: str | None,
    reason: str,
    index: WheelIndex,
    builds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "rows.json"
    if text is not None:
        path.write_text(text)
    assert run(index, builds, "--add", str(path)) == 2
    assert reason in capsys.readouterr().err


def test_rendering_asks_nobody(index: WheelIndex, builds: Path) -> None:
    index.add("cu128", "torch", "2.8.0+cu128")
    run(index, builds)
    index.requests.clear()
    path = builds / "files" / "cu128" / "torch.json"
    path.write_bytes(path.read_bytes().replace(b'["filelock"],\n', b""))
    assert run(index, builds, "--render", "--check") == 1
    assert run(index, builds, "--render") == 0
    assert ["filelock"] in table(builds, "cu128", "torch")["requirements"]
    assert index.requests == []
