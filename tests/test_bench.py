"""The bench: its servers answer as an index does, samples outlive an interruption, the page has all figures."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

import pytest
import requests

import bench
from benching import page, plots, releases
from benching.processes import Run, run
from benching.rounds import FILLED, Budget, Step, measure
from benching.running import Server, Traffic
from benching.samples import Store, Summary, Trial

INDEX, FILES = "/layers/12/1/metadata/0/simple/", "/layers/12/1/metadata/0/files/"
JSON = "application/vnd.pypi.simple.v1+json"
MACHINE = {
    "date": "2026-01-01",
    "python": "3.11.7",
    "system": "Linux",
    "cores": 2,
    "load": "0.1",
    "runs": 5,
    "tools": {"torchlock": "0.1.0", "uv": "0.9"},
}


@pytest.fixture(scope="module")
def loopback() -> Iterator[Server]:
    with Server("loopback") as server:
        yield server


def get(url: str, **headers: str) -> requests.Response:
    """The answer at an address."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(url, headers=sent, timeout=30)


def project_of(server: Server) -> str:
    return server.get("/layers/12/1/roots").split()[0].partition(">")[0]


def test_the_index_has_pages_in_json_and_html_with_the_same_files(loopback: Server) -> None:
    address = f"{loopback.address}{INDEX}{project_of(loopback)}/"
    found = get(address, Accept=JSON)
    assert found.headers["Content-Type"] == JSON
    html = get(address, Accept="text/html").text
    for file in found.json()["files"]:
        assert f"{file['filename']}#sha256={file['hashes']['sha256']}" in html
        assert file["core-metadata"]["sha256"] in html


def test_the_index_serves_wheels_whole_and_in_ranges_and_their_metadata(loopback: Server) -> None:
    project = project_of(loopback)
    file = get(f"{loopback.address}{INDEX}{project}/", Accept=JSON).json()["files"][0]
    address = f"{loopback.address}{FILES}{project}/{file['filename']}"
    wheel = get(address).content
    archive = zipfile.ZipFile(io.BytesIO(wheel))
    (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    assert archive.read(name) == get(f"{address}.metadata").content
    tail = get(address, Range="bytes=-22")
    assert (tail.content, tail.status_code) == (wheel[-22:], 206)
    assert tail.headers["Content-Range"] == f"bytes {len(wheel) - 22}-{len(wheel) - 1}/{len(wheel)}"
    assert get(address, Range="bytes=2-5").content == wheel[2:6]
    assert get(address, Range=f"bytes={len(wheel)}-").status_code == 416


def test_the_index_without_metadata_says_so_and_has_none(loopback: Server) -> None:
    project = project_of(loopback)
    base = f"{loopback.address}/layers/12/1/ranges/0"
    file = get(f"{base}/simple/{project}/", Accept=JSON).json()["files"][0]
    assert file["core-metadata"] is False
    assert get(f"{base}/files/{project}/{file['filename']}.metadata").status_code == 404


def test_a_page_that_the_client_has_is_not_sent_again_and_all_is_counted(loopback: Server) -> None:
    address = f"{loopback.address}{INDEX}{project_of(loopback)}/"
    loopback.reset()
    page_of = get(address)
    again = get(address, If_None_Match=page_of.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert get(f"{loopback.address}{INDEX}no-such-project/").status_code == 404
    counted = loopback.traffic()
    assert counted.requests == 3
    assert len(page_of.content) < counted.bytes < len(page_of.content) + 2000


def test_requests_through_the_forwarding_server_are_those_of_the_index_behind_it(loopback: Server) -> None:
    project = project_of(loopback)
    with Server("forwarding", f"{loopback.address}{INDEX}") as server:
        here = f"{server.address}/simple/{project}/"
        direct = get(f"{loopback.address}{INDEX}{project}/", Accept="text/html")
        assert get(here, Accept="text/html").content == direct.content
        server.reset()
        found = get(here, Accept=JSON)
        assert get(here, Accept=JSON, If_None_Match=found.headers["ETag"]).status_code == 304
        assert get(f"{server.address}/simple/no-such-project/").status_code == 404
        file = f"{loopback.address}{FILES}{project}/{found.json()['files'][0]['filename']}"
        part = get(f"{server.address}/-/{file.replace('://', '/')}", Range="bytes=0-1")
        assert (part.content, part.status_code) == (b"PK", 206)
        head = requests.head(f"{server.address}/-/{file.replace('://', '/')}", timeout=30)
        assert (head.headers["Content-Length"], head.content) == (str(len(get(file).content)), b"")
        assert server.traffic().requests == 5


def test_addresses_on_pages_lead_through_the_forwarding_server() -> None:
    from benching.forwarding import FILE

    pages = (b'{"url": "https://files.example.org/a.whl"}', b'<a href="https://files.example.org/a.whl#sha256=0">')
    for text in pages:
        assert b"http://here/-/https/files.example.org/a.whl" in FILE.sub(rb"\1http://here/-/\2/", text)


def test_a_process_says_what_it_cost_and_how_it_ended(tmp_path: Path) -> None:
    script = "import sys; print('a\\nthe reason', file=sys.stderr); sys.exit(1)"
    found = run([sys.executable, "-c", script], tmp_path, {}, 60)
    assert (found.code, found.over, found.said) == (1, False, "the reason")
    assert found.memory > 1
    late = run([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path, {}, 0.2)
    assert late.over
    assert late.code < 0


def a_step(folder: Path, state: str, script: str = "pass", **more: object) -> Step:
    trial = Trial("part", "case", "tool", state)
    command = [sys.executable, "-c", script]
    return Step(trial, command, folder, {}, 60, cache=folder / "cache", **more)  # type: ignore[arg-type]


COUNT = "import pathlib; p = pathlib.Path('cache/runs'); p.write_text((p.read_text() if p.exists() else '') + 'x')"


def test_a_cold_run_has_no_cache_and_a_warm_one_what_a_run_has_left(tmp_path: Path) -> None:
    store = Store(tmp_path / "samples", is_resumed=False)
    measure([a_step(tmp_path, "cold", COUNT)], 2, store, Budget(60))
    assert (tmp_path / "cache/runs").read_text() == "x"
    measure([a_step(tmp_path, "warm", COUNT)], 1, store, Budget(60))
    assert (tmp_path / "cache/runs").read_text() == "xx"
    (tmp_path / "cache" / FILLED).unlink()
    measure([a_step(tmp_path, "warm", COUNT)], 2, store, Budget(60))
    assert (tmp_path / "cache/runs").read_text() == "xxxx"


def test_a_cold_run_that_is_counted_has_no_cache_either(tmp_path: Path) -> None:
    store = Store(tmp_path / "samples", is_resumed=False)
    measure([a_step(tmp_path, "cold, counted", COUNT)], 2, store, Budget(60))
    assert (tmp_path / "cache/runs").read_text() == "x"


def test_samples_are_kept_and_not_taken_again(tmp_path: Path) -> None:
    step = a_step(tmp_path, "cold")
    measure([step], 2, Store(tmp_path / "samples", is_resumed=False), Budget(60))
    with (tmp_path / "samples").open("a") as file:
        file.write('{"trial": ["part", "ca')
    again = Store(tmp_path / "samples", is_resumed=True)
    assert again.count(step.trial) == 2
    measure([step], 2, again, Budget(60))
    assert again.count(step.trial) == 2
    assert Store(tmp_path / "samples", is_resumed=False).count(step.trial) == 0


def test_what_a_spent_budget_leaves_out_is_not_in_the_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "samples", is_resumed=False)
    measure([a_step(tmp_path, "cold")], 1, store, Budget(0))
    measure([a_step(tmp_path, "cold", "import time; time.sleep(600)")], 1, store, Budget(0.2))
    assert store.trials() == []
    assert "its time is spent in round 1" in capsys.readouterr().err


def test_what_has_no_answer_is_not_repeated_nor_tried_in_a_larger_size(tmp_path: Path) -> None:
    store = Store(tmp_path / "samples", is_resumed=False)
    fails = a_step(tmp_path, "cold", "import sys; sys.exit(3)")
    larger = a_step(tmp_path, "warm", smaller=fails.trial)
    measure([fails, larger], 3, store, Budget(60))
    assert store.count(fails.trial) == 1
    assert store.summary(larger.trial) is None


def figures() -> releases.Figures:
    """A case of each part."""
    trials = {}
    for part, case, state in (
        *(("bundled", "torch", "offline"), ("live", "gradio", "warm"), ("live", "gradio", "warm, counted")),
        *(("generated", f"wide {size}", "warm") for size in (100, 300, 1000)),
    ):
        size = int(case.split()[1]) if " " in case else 1
        for tool, factor in (("torchlock", 2), ("uv", 1)):
            cost = 50.0 * factor * size
            trials[Trial(part, case, tool, state)] = Summary(5, cost, cost, 30, 0, False, "", 10 * factor, 5000)
    pair = Trial("commands", "audit of one file, beside pip --version", "torchlock", "warm")
    trials[pair] = Summary(5, 50, 40, 20, 1, False, "")
    trials[pair._replace(tool="peer")] = Summary(5, 200, 190, 20, 0, False, "")
    return releases.Figures(MACHINE, trials, {"python -c pass": 40_000_000, "audit of one file": 900_000_000})


def test_figures_of_a_release_come_back_as_they_were_and_can_be_compared(tmp_path: Path) -> None:
    then = figures()
    assert releases.write(then, tmp_path).name == "0.1.0.json"
    assert releases.read("0.1.0", tmp_path) == then
    slower = {
        trial: each._replace(wall=each.wall * 2) if trial.tool == "torchlock" else each
        for trial, each in then.trials.items()
    }
    found = {
        what: (before, after) for what, _, before, after in releases.changes(then._replace(trials=slower), then)
    }
    assert found["bundled, offline: wall, mean of 1 cases"] == pytest.approx((2, 4))
    assert found["audit of one file"] == (900, 900)


@pytest.mark.parametrize("power", [1, 2])
def test_the_exponent_of_growth(power: int) -> None:
    assert releases.slope((x, 3.0 * x**power) for x in (100, 300, 1000)) == pytest.approx(power)
    assert releases.slope([(1, 1), (2, 2)]) is None


def test_a_lock_beside_a_refusal_has_no_ratio() -> None:
    found, trial = figures(), Trial("bundled", "torch", "torchlock", "offline")
    refused = {**found.trials, trial: found.trials[trial]._replace(code=1)}
    assert found.ratio(trial, "wall") == 2
    assert found._replace(trials=refused).ratio(trial, "wall") is None


def test_the_page_has_each_part_and_its_ratios() -> None:
    text = page.markdown(figures(), figures())
    assert "| locks from bundled data | 1 | 2.00 | 2.00 | 2.00 | 1.00 |" in text
    assert "| `gradio` | 100 ms | 50 ms | 2.00 | 100 ms, 50 ms | 2.00 | 20 (10) | 5 (5) | - | - |" in text
    assert "| wide | 1.00 | 1,000 | 1.00 | 1,000 |" in text
    assert "| audit of one file | 900 | 860 |" in text
    assert "## Against 0.1.0 of 2026-01-01" in text
    pair = "| audit of one file, beside pip --version | 50 ms | 40 ms | 20 MiB | 200 ms | "
    assert pair in text  # an audit that found something is compared with a peer that exits 0
    assert f"{pair}0.25 | 0.21 | at most 0.2 |" in text


def test_the_plots_of_the_page_are_there_and_well_formed() -> None:
    made = page.drawings(figures())
    text = page.markdown(figures(), None)
    assert made.keys() == {"bundled-offline.svg", "live-warm.svg", "growth-warm.svg"}
    for name, drawing in made.items():
        assert f"(benchmarks/{name})" in text
        expat.ParserCreate().Parse(drawing, True)  # raises ExpatError
        assert "prefers-color-scheme: dark" in drawing


def test_axes_hold_all_values() -> None:
    axis = plots.scale([3, 4000], 0, 100)
    assert axis.ticks() == [1, 10, 100, 1000, 10000]
    assert axis.at(100) == pytest.approx(50)
    assert plots.scale([10, 10], 0, 1).ticks() == [10, 100]


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", "--only", "bundled,nothing"])
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == 2
    assert "unknown: nothing (known: commands, bundled, live, generated, instructions)" in capsys.readouterr().err


def test_a_release_without_figures_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", "--against", "9.9"])
    assert bench.main() == 2
    assert "no figures of 9.9" in capsys.readouterr().err


def test_traffic_is_part_of_a_sample(tmp_path: Path) -> None:
    store, trial = Store(tmp_path / "samples", is_resumed=False), Trial("generated", "wide 10", "uv", "cold")
    for asked in (3, 5, 4):
        store.add(trial, Run(1, 1, 1, 0), Traffic(asked, 100 * asked, 1))
    summary = store.summary(trial)
    assert summary is not None
    assert (summary.requests, summary.bytes, summary.runs) == (4, 400, 3)
