"""The fleet: a row for each path, in order, whatever fails; nothing is done twice; a lost worker loses nothing."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.check import stage_audio, stage_torch
from support.examples import examples
from torchlock import fleet
from torchlock.cli.main import main
from torchlock.errors import InputError
from torchlock.fleet import running

EXAMPLES = Path(__file__).parents[1] / "examples"
TEXTS = (
    "torch==2.3.1\ntorchaudio==2.2.0\n",
    "torch==2.3.1\ntorchaudio==2.3.1\n",
    "flask\n",
    "torch==2.3.1 torch\n",
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Twelve projects in a folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    for number in range(12):
        folder = tmp_path / "projects" / f"p{number:02}"
        folder.mkdir(parents=True)
        (folder / "requirements.txt").write_text(TEXTS[number % len(TEXTS)])
    return [f"projects/p{number:02}/requirements.txt" for number in range(12)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler and two processes."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        shape = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
        with distributed.LocalCluster(**shape, dashboard_address=None, silence_logs=50) as made:
            yield made


def rows_in(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def undated(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "date": ""} for row in rows]


@pytest.mark.triggers("TL101")
def test_every_file_has_a_row_in_order(files: list[str]) -> None:
    summary = fleet.run(["projects"], "rows.jsonl", batch=5)
    rows = rows_in("rows.jsonl")
    assert [row["path"] for row in rows] == files
    assert [row["status"] for row in rows[:4]] == ["error", "ok", "ok", "error"]
    first = rows[0]
    assert first.keys() >= {"sha256", "date", "torchlock", "data", "data_update", "options", "kind", "error"}
    assert (summary.rows, summary.kept, dict(summary.statuses)) == (12, 0, {"error": 6, "ok": 6})
    (pair,) = [rule for rule in summary.rules if rule.rule == "TL101"]
    assert (pair.files, pair.findings, pair.severity) == (3, 3, "error")
    assert not Path("rows.jsonl.part").exists()


def test_what_fails_is_a_row(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = running.api.audit

    def audit(*paths: str, **options: Any) -> Any:
        if files[2] in paths:
            raise RuntimeError("a bug")
        return real(*paths, **options)

    monkeypatch.setattr(running.api, "audit", audit)
    rows = fleet.audit_rows([files[1], "no-such-file.txt", "projects", files[2], files[5]])
    assert [row["status"] for row in rows] == ["ok", "unreadable", "unreadable", "unreadable", "ok"]
    assert rows[2]["error"] == "is a folder, and not a file"
    assert rows[3]["error"] == "RuntimeError: a bug"


def test_nothing_is_done_again_until_it_changes(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    work = running.audit_rows
    monkeypatch.setattr(running, "audit_rows", lambda paths, options: asked.extend(paths) or work(paths, options))
    fleet.run(files, "rows.jsonl")
    first = rows_in("rows.jsonl")
    assert fleet.run(files, "rows.jsonl").kept == 12
    assert rows_in("rows.jsonl") == first
    assert asked == files
    Path(files[3]).write_text("torch==2.4.0\n")
    assert fleet.run(files, "rows.jsonl").kept == 11
    assert asked == [*files, files[3]]
    assert fleet.run(files, "rows.jsonl", options={"python": "3.11"}).kept == 0
    monkeypatch.setattr(running, "versions", lambda: {"torchlock": "9", "data": "x", "data_update": None})
    assert fleet.run(files, "rows.jsonl", options={"python": "3.11"}).kept == 0


def test_an_interrupted_run_continues(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.run(files, "whole.jsonl")

    def stop(done: int, _: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fleet.run(files, "rows.jsonl", batch=2, on_progress=stop)
    assert not Path("rows.jsonl").exists()
    with Path("rows.jsonl.part").open("ab") as journal:
        journal.write(b'{"path":"projects/p09')  # cut by the end of the process
    assert fleet.run(files, "rows.jsonl").kept == 4
    assert undated(rows_in("rows.jsonl")) == undated(rows_in("whole.jsonl"))


def test_parquet_has_the_same_rows(files: list[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    fleet.run(files, "rows.jsonl")
    fleet.run(files, "rows.parquet")
    table = parquet.read_table("rows.parquet").to_pylist()
    lines = rows_in("rows.jsonl")
    for one, other in zip(table, lines, strict=True):
        assert {**one, "findings": 0, "date": 0} == {**other, "findings": 0, "date": 0}
        assert [each["rule"] for each in one["findings"]] == [each["rule"] for each in other["findings"]]
    assert fleet.run(files, "rows.parquet").kept == 12
    assert parquet.read_table("rows.parquet").to_pylist() == table


@pytest.mark.parametrize("content", ["torch==2.3.1\n", '{"a": 1}\n', "[]\n"])
def test_another_file_is_not_replaced(files: list[str], content: str) -> None:
    Path("rows.jsonl").write_text(content)
    with pytest.raises(InputError) as raised:
        fleet.run(files, "rows.jsonl")
    assert (raised.value.path, raised.value.line) == ("rows.jsonl", 1)
    assert Path("rows.jsonl").read_text() == content


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"command": "lock"}, "neither audit nor check"),
        ({"batch": 0}, "a batch of 0"),
        ({"options": {"probe": True}}, "probe is not an option"),
        ({"options": {"platform": "amiga"}}, "amiga"),
        ({"command": "check", "options": {"python": "x"}}, "python is not an option"),
    ],
)
def test_wrong_use_is_an_error_before_any_work(files: list[str], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fleet.run(files, "rows.jsonl", **settings)
    assert not Path("rows.jsonl.part").exists()


def test_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, audio in (("good", "2.7.1+cpu"), ("wrong", "2.6.0+cpu")):
        site = tmp_path / name
        site.mkdir()
        stage_torch(site, "2.7.1+cpu")
        stage_audio(site, audio)
    summary = fleet.run(
        ["wrong", "good", "none"], "rows.jsonl", command="check", options={"platform": "linux-x86_64"}
    )
    rows = rows_in("rows.jsonl")
    assert [row["path"] for row in rows] == ["good", "none", "wrong"]
    assert rows[1]["status"] == "unreadable"
    assert rows[2]["status"] == "error"
    assert "InputError" in rows[1]["error"]
    again = fleet.run(
        ["wrong", "good", "none"], "rows.jsonl", command="check", options={"platform": "linux-x86_64"}
    )
    assert (summary.kept, again.kept) == (0, 2)


def test_the_command(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.txt").write_text("\n".join(files[:6]))
    words = ["fleet", files[7], "--paths-from", "list.txt", "--python", "3.11", "-o", "rows.jsonl"]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "7 rows: 4 error, 3 ok"
    assert captured.err == "note: rows.jsonl: 7 rows\n"
    assert json.loads(rows_in("rows.jsonl")[0]["options"]) == {"python": "3.11"}
    for wrong in (["fleet", "x"], ["fleet", "-o", "a.jsonl"], ["fleet", "x", "-o", "a.csv"]):
        assert main(wrong) == 2


def test_without_dask_workers_are_refused(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="Dask is not installed"):
        fleet.run(files, "rows.jsonl", workers=2)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_killed_worker_loses_nothing(files: list[str], cluster: Any) -> None:
    fleet.run(files, "alone.jsonl")
    killed: list[int] = []

    def kill_one(done: int, _: int) -> None:
        if not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    summary = fleet.run(
        [str(Path(path).absolute()) for path in files],
        "rows.jsonl",
        scheduler=cluster.scheduler_address,
        batch=1,
        on_progress=kill_one,
    )
    assert killed
    assert summary.rows == 12
    found = [{**row, "path": os.path.relpath(row["path"])} for row in rows_in("rows.jsonl")]
    assert undated(found) == undated(rows_in("alone.jsonl"))


# In a process of its own, with the local workers of the command: below pytest, Dask does not start a worker again.
KILLING = """
import os, signal
from torchlock.fleet import running
from torchlock.fleet.engines import engine_of
from torchlock.fleet.rows import failed_row

def work(batch):
    if "bad" in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"path": path, "status": "ok", "error": ""} for path in batch]

def failed(outcome):
    return failed_row("audit", outcome.batch[0], {}, outcome.why)

def main():
    with engine_of(None, 2) as engine:
        for rows in running._judged(engine, ["a", "b", "bad", "c", "d"], 2, work, failed):
            for row in rows:
                print(row["path"], row["status"], row["error"])

if __name__ == "__main__":
    main()
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_path_that_kills_its_workers_is_a_row_and_the_others_are_judged(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "killing.py").write_text(KILLING)
    process = subprocess.run([sys.executable, "killing.py"], cwd=tmp_path, capture_output=True, text=True)
    found = {
        path: (status, error)
        for path, status, error in (line.split(" ", 2) for line in process.stdout.splitlines())
    }
    assert found.keys() == {"a", "b", "bad", "c", "d"}, process.stderr
    assert [path for path, (status, _) in found.items() if status != "ok"] == ["bad"]
    assert "could not be judged" in found["bad"][1]


def test_the_page_of_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its examples run, and the command prints what is shown."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("a", TEXTS[0]), ("b", TEXTS[1])):
        (tmp_path / "repositories" / name).mkdir(parents=True)
        (tmp_path / "repositories" / name / "requirements.txt").write_text(text)
    page = EXAMPLES.parent / "docs" / "fleet.md"
    shown = page.read_text(encoding="utf-8").partition("```console\n")[2].partition("```")[0]
    command, _, printed = shown.partition("\n")
    assert main(command.split()[2:]) == 0
    assert capsys.readouterr().out == printed
    for example in examples(page):
        exec(compile(example, "docs/fleet.md", "exec"), {"__name__": "__main__"})  # noqa: S102


def test_the_example_with_dask(files: list[str], cluster: Any) -> None:
    from distributed import Client

    audited = runpy.run_path(str(EXAMPLES / "fleet_dask.py"))["audited"]
    places = [str(Path(path).absolute()) for path in files[:4]]
    with Client(cluster) as client:
        assert undated(list(audited(client, places, 2))) == undated(fleet.audit_rows(places))


def test_the_example_with_ray(files: list[str]) -> None:
    ray = pytest.importorskip("ray")
    audited = runpy.run_path(str(EXAMPLES / "fleet_ray.py"))["audited"]
    places = [str(Path(path).absolute()) for path in files[:4]]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        assert undated(list(audited(places, 2))) == undated(fleet.audit_rows(places))
    finally:
        ray.shutdown()


def test_the_example_with_spark(files: list[str]) -> None:
    pyspark = pytest.importorskip("pyspark")
    audited = runpy.run_path(str(EXAMPLES / "fleet_spark.py"))["audited"]
    places = [str(Path(path).absolute()) for path in files[:4]]
    with pyspark.SparkContext("local[2]", "torchlock") as context:
        assert undated(audited(context, places, 2)) == undated(fleet.audit_rows(places))
