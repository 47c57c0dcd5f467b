"""``torchlock matrix``: the table, its filters and formats, and the values below them."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.amount import THOROUGH
from torchlock.cli.main import main
from torchlock.knowledge.gpus import Gpu
from torchlock.knowledge.masks import lowest
from torchlock.knowledge.proofs import Proofs
from torchlock.knowledge.rules import Matrix
from torchlock.matrix.fitness import fitness_of
from torchlock.matrix.judging import Pair, PairJudge
from torchlock.matrix.page_data import page_data
from torchlock.matrix.page_facts import spans_of
from torchlock.matrix.selection import Selection
from torchlock.matrix.table import Table
from torchlock.report.matrix_html import page
from torchlock.report.matrix_rows import KEYS, agreed
from torchlock.report.matrix_text import spans
from torchlock.report.own_outputs import is_report
from torchlock.target import Platform, PythonVersion, Target

LINUX = Target(PythonVersion.parse("3.12"), Platform.parse("linux-x86_64"))


@pytest.fixture(scope="module")
def table() -> Table:
    return Table()


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["matrix", "--platform", "linux-x86_64", *arguments]) == code
    return capsys.readouterr().out


def cells(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(capsys, *arguments, "--json"))["cells"]
    return found


def test_a_pair_without_a_proof_is_judged_as_the_rules_say(table: Table) -> None:
    """The judge of the matrix and the compiled table of the audit agree on the builds of the public index."""
    verdicts: dict[tuple[str, str, str, str], set[str]] = {}
    for platform in table.stack.platforms:
        for entry in table.entries(Selection(platforms=(platform,))):
            if entry.judged.rule:
                key = entry.package, entry.version, entry.torch, platform
                verdicts.setdefault(key, set()).add(entry.judged.verdict if entry.allowed else "refused")
    for (name, version, against, platform), found in verdicts.items():
        torch = table.stack.packages["torch"].versions.index(against)
        release = 1 << table.stack.packages[name].versions.index(version)
        loads = table.stack.loads(name, release, table.stack.platforms.index(platform)) >> torch & 1
        assert ("loads" in found) == bool(loads), (name, version, against, platform)
    assert len(verdicts) > 300


@pytest.mark.sampled
def test_every_entry_says_how_it_is_known(table: Table) -> None:
    for entry in table.entries(Selection(build="all", ranges={"torch": ">=2.5" if THOROUGH else ">=2.11"})):
        judged = entry.judged
        assert judged.reason.endswith("."), entry
        assert (judged.verdict == "unknown") >= (not judged.kind), entry
        assert not judged.kind or judged.sources, entry
        assert entry.pythons, entry


def test_an_unknown_build_is_neither_yes_nor_no() -> None:
    judge = PairJudge(Matrix(), Proofs())
    pair = Pair("torchaudio", "2.9.1", "", "2.9.1", "cu128", public=True)
    assert judge.judge(pair, LINUX).verdict == "unknown"
    assert judge.judge(pair._replace(build="cu128"), LINUX).verdict == "loads"
    # Whatever the build is, the release is for another torch.
    assert judge.judge(pair._replace(torch="2.8.0"), LINUX).verdict == "fails"


@pytest.mark.parametrize("where", ["", "linux-x86_64"])
def test_a_release_of_an_update_is_unknown_until_it_is_proven(where: str) -> None:
    judge = PairJudge(Matrix(), Proofs(), {"torch": {"2.15.0": {where: "no rule covers it yet"}}})
    pair = Pair("torchcodec", "0.13.0", "cpu", "2.15.0", "cpu", public=False)
    found = judge.judge(pair, LINUX)
    assert (found.verdict, found.kind) == ("unknown", "")
    assert "torch 2.15.0 is unproven" in found.reason
    assert judge.judge(pair._replace(version="0.7.0"), LINUX).verdict == "fails"
    elsewhere = PairJudge(Matrix(), Proofs(), {"torch": {"2.15.0": {"macos-arm64": "no rule covers it yet"}}})
    assert elsewhere.judge(pair, LINUX).verdict == "loads"


def test_a_yanked_release_is_not_shown_where_another_one_loads(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"2\.0\.0 cu117 +2\.0\.1 [md]\n", run(capsys, "torch==2.0.0", "torchaudio"))
    assert {cell["version"]: cell["yanked"] for cell in cells(capsys, "torch==2.0.0", "torchaudio<2.1,>=2")} == {
        "2.0.0": True,
        "2.0.1": False,
        "2.0.2": False,
    }


@pytest.mark.parametrize(
    ("build", "torch_build", "public", "verdict"),
    [
        ("cpu", "cu128", False, "unknown"),
        ("cpu", "cu128", True, "loads"),
        ("cpu", "cpu", False, "loads"),
        ("cu126", "cu128", False, "fails"),
        ("cu126", "cpu", False, "fails"),
        ("cu126", "rocm6.4", False, "fails"),
        ("cpu", "rocm6.4", False, "unknown"),
    ],
)
def test_builds_are_compared(build: str, torch_build: str, public: bool, verdict: str) -> None:
    pair = Pair("torchaudio", "2.9.1", build, "2.9.1", torch_build, public)
    assert PairJudge(Matrix(), Proofs()).judge(pair, LINUX).verdict == verdict


def test_a_proof_decides_and_names_its_wheels() -> None:
    judged = PairJudge(Matrix(), Proofs()).judge(
        Pair("torchaudio", "2.11.1", "cu132", "2.12.1", "cu130", public=True), LINUX
    )
    assert (judged.verdict, judged.kind) == ("fails", "measured")
    assert [wheel.file.split("-")[0] for wheel in judged.evidence] in (["torchaudio", "torch"], [])


def test_a_library_that_a_machine_may_have_is_named() -> None:
    """torchcodec 0.11.0 for CUDA 13 was imported beside torch 2.14.1 with nvidia-npp, and not without it."""
    judge = PairJudge(Matrix(), Proofs())
    for torch in ("2.11.0", "2.11.99"):
        judged = judge.judge(Pair("torchcodec", "0.11.0", "cu130", torch, "cu130", public=True), LINUX)
        assert judged.verdict == "unknown"
        assert "libnppicc.so.13" in judged.reason
        assert "CUDA toolkit" in judged.reason
    older = judge.judge(Pair("torchcodec", "0.11.0", "cu130", "2.10.0", "cu128", public=True), LINUX)
    assert older.verdict == "fails"
    assert "libnppicc" not in older.reason


@pytest.mark.parametrize(
    ("pair", "platform", "because"),
    [
        (("torchvision", "0.22.0", "cpu", "2.8.0", "cpu"), "linux-aarch64", "its C++ operators are compiled"),
        (("torchcodec", "0.3.0", "cpu", "2.9.0", "cpu"), "macos-arm64", "compiled against that series"),
        (("torchaudio", "0.8.1", "cpu", "1.9.0", "cpu"), "windows-amd64", "it is built for that series of torch"),
    ],
)
def test_a_rule_does_not_overrule_wheels_that_miss_nothing(
    pair: tuple[str, str, str, str, str], platform: str, because: str
) -> None:
    """Nothing is missing, but a document names another torch: unknown, and both are cited."""
    python = "3.9" if pair[0] == "torchaudio" else "3.10"
    target = Target(PythonVersion.parse(python), Platform.parse(platform))
    judged = PairJudge(Matrix(), Proofs()).judge(Pair(*pair, public=True), target)
    assert judged.verdict == "unknown"
    assert "documented as failing: " in judged.reason
    assert because in judged.reason
    assert judged.rule
    assert judged.evidence
    assert judged.sources[0] == "proofs-from-wheels"
    assert len(judged.sources) > 1


def test_a_build_of_torch_is_compared_with_a_gpu_and_a_driver() -> None:
    pascal, blackwell = Gpu("sm_61", "sm_61"), Gpu("sm_120", "sm_120")
    assert fitness_of("2.9.1", "cu130", "linux-x86_64", pascal, "").answer == "no"
    assert fitness_of("2.9.1", "cu130", "linux-x86_64", blackwell, "580.65.06").answer == "yes"
    assert fitness_of("2.9.1", "cu130", "linux-x86_64", blackwell, "550.54.14").answer == "no"
    assert fitness_of("2.9.1", "cpu", "linux-x86_64", pascal, "").answer == "yes"
    assert fitness_of("1.0.0", "cu90", "linux-x86_64", pascal, "").answer == "unknown"


def test_a_release_whose_wheels_differ_by_python_has_an_entry_for_each(table: Table) -> None:
    ranges = {"torch": "==2.2.0", "torchtext": "==0.16.2"}
    found = {entry.pythons: entry.judged.verdict for entry in table.entries(Selection(ranges))}
    assert found == {("3.8", "3.9", "3.10", "3.11"): "fails", ("3.12",): "loads"}
    wheels = {entry.pythons[-1]: entry.judged.evidence for entry in table.entries(Selection(ranges))}
    assert all("cp312" in each.file for each in wheels["3.12"][:1])
    assert not any("cp312" in each.file for each in wheels["3.11"][:1])
    (whole,) = agreed(table.entries(Selection(ranges)))
    assert whole.judged.verdict == "unknown"
    (one,) = agreed(table.entries(Selection(ranges, python=12)))
    assert one.judged.verdict == "loads"


def test_the_terminal_table_has_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        [],
        ["--accelerator", "all", "torch>=2.8"],
        ["torch==2.15.0", "torchaudio==2.11.0"],
        ["-v", "torch==2.9.1"],
    ):
        out = run(capsys, *arguments)
        assert max(map(len, (line for line in out.splitlines() if "://" not in line))) <= 80


def test_one_companion(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "torchcodec", "torch==2.9.1", "--python", "3.12")
    assert re.search(r"2\.9\.1 cu128 +0\.8\.0-0\.9\.1 [dm]\n", out)
    assert "torchaudio" not in out


def test_few_cells_have_their_reasons_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "torch==2.15.0", "torchaudio==2.11.0")
    assert "torchaudio 2.11.0 cu130 and torch 2.15.0 cu132: fails (measured" in out
    assert "sources\n" in out
    assert "1 more" not in out
    assert "-v shows the reason of each, a narrower request" in run(capsys, "torchaudio")
    assert "sources\n" in run(capsys, "torchaudio", "torch==2.15.0", "-v")


def test_one_torch_has_the_reasons_of_what_does_not_fail_and_of_the_newest_that_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = run(capsys, "torch==2.15.0", "torchaudio")
    assert "torchaudio 2.11.1 cu132 and torch 2.15.0 cu132: loads (measured)" in out
    assert "torchaudio 2.11.0 cu130 and torch 2.15.0 cu132: fails (measured)" in out
    assert "torchaudio 2.10.0" not in out
    assert re.search(r"^\d+ cells: \d+ more fail; data of \S+ \(-v shows the reason of each\)$", out, re.M)
    assert "sources\n" not in run(capsys, "torch==2.15.0")


def test_it_is_said_which_cells_follow_from_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "torch==2.12.0", "torchaudio==2.10.0", "--accelerator", "cpu")
    assert "torchaudio 2.10.0 cpu and torch 2.12.0 cpu: loads (measured, TL101)" in out
    assert "  These two wheels were not compared: the rule decides." in out
    assert "decided by their two wheels: 0 of 1 cells; 1 by the rule TL101" in out
    assert "decided by" not in run(capsys, "torch==2.12.0", "torchaudio==2.10.0")


def test_the_legend_has_what_the_table_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no release loads" in run(capsys, "torch==2.15.0", "torchtext")
    assert "no release loads" not in run(capsys, "torch==2.15.0", "torchaudio")


@pytest.mark.parametrize(
    ("arguments", "title", "cell", "absence"),
    [
        (["torch==2.15.0", "--verdict", "fails"], "that fail with", "2.11.0 m", ""),
        (
            ["torch==2.13.0", "--verdict", "unknown"],
            "of which it is unknown whether they load with",
            "?",
            "no release is unknown",
        ),
        (
            ["torch==2.15.0", "--verdict", "unknown", "--verdict", "loads"],
            "that load with",
            "2.11.1 m",
            "no release loads",
        ),
        (["torch==2.13.0", "--kind", "declared"], "that load with", "", "no release loads by what is declared"),
        (["torch==2.15.0", "torchaudio==2.11.0"], "that load with", "", "none of these releases loads"),
    ],
)
def test_a_table_says_nothing_of_cells_that_the_filters_leave_out(
    arguments: list[str], title: str, cell: str, absence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(capsys, *arguments)
    assert f": releases {title} each torch" in out
    assert cell in out.split("\n\n")[1]
    said = " ".join(out.split("\n\n")[2].split())
    assert absence in said
    assert ("- n" in said) == bool(absence)
    assert ": loads (" not in out or "that load" in title
    assert is_report(out)


def test_what_does_not_run_is_said_of_the_driver_and_of_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    for machine in (["--driver", "450"], ["--gpu", "RTX 5090"]):
        out = run(capsys, "torch==2.0.1", "torchaudio", "--accelerator", "cu118", *machine)
        assert "\n  does not run" in out


@pytest.mark.parametrize(
    ("arguments", "key", "values"),
    [
        (["--verdict", "loads"], "verdict", {"loads"}),
        (["--verdict", "loads", "--verdict", "unknown", "--accelerator", "all"], "verdict", {"loads", "unknown"}),
        (["--kind", "measured"], "kind", {"measured"}),
        (["torchcodec"], "package", {"torchcodec"}),
        (["torchcodec", "torchaudio"], "package", {"torchcodec", "torchaudio"}),
        (["--accelerator", "cu126"], "torch_build", {"cu126"}),
        (["--platform", "linux-x86_64"], "platform", {"linux-x86_64"}),
    ],
)
def test_filters(arguments: list[str], key: str, values: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert {cell[key] for cell in cells(capsys, "torch>=2.8", *arguments)} == values


def test_a_python_leaves_out_what_does_not_install_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = cells(capsys, "torch==2.15.0", "--python", "3.15")
    assert {cell["version"] for cell in found if cell["package"] == "torchaudio"} == {"2.11.1"}
    assert all(cell["pythons"] == ["3.15"] for cell in found)


def test_all_platforms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--platform", "all", "torch==2.9.1", "torchaudio==2.9.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["cells"]
    assert {cell["platform"] for cell in found} == {
        "linux-x86_64",
        "linux-aarch64",
        "macos-arm64",
        "windows-amd64",
    }
    assert {cell["verdict"] for cell in found} == {"loads"}


def test_json_and_csv_have_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "torch==2.15.0", "--json", "--gpu", "RTX 5090", "--driver", "580.65.06")
    document = json.loads(text)
    assert list(document) == ["torchlock", "data", "filters", "cells", "sources"]
    assert all(tuple(cell) == KEYS for cell in document["cells"])
    assert document["sources"].keys() == {source for cell in document["cells"] for source in cell["sources"]}
    rows = list(csv.DictReader(io.StringIO(run(capsys, "torch==2.15.0", "--format", "csv", "--gpu", "RTX 5090"))))
    assert len(rows) == len(document["cells"])
    assert tuple(rows[0]) == KEYS
    assert {row["gpu"] for row in rows} == {"yes"}
    promised = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in promised for key in KEYS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["requests"], "the matrix does not cover 'requests'"),
        (["torchadio"], "did you mean torchaudio?"),
        (["torch==2.9.1+cu128"], "build label"),
        (["torch; python_version < '3'"], "marker"),
        (["--python", "3.13t"], "free-threaded"),
        (["--accelerator", "auto"], "does not examine this machine"),
        (["--accelerator", "cu999x"], "not a build"),
        (["--gpu", "Voodoo 2"], "unknown GPU"),
        (["--gpu", "host"], "the name of one GPU"),
        (["--gpu", "sm_80,sm_90"], "the name of one GPU"),
        (["--driver", "new"], "not the version of a driver"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--platform", "linux-x86_64", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_no_cell_is_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no cell" in run(capsys, "torch==99", code=1)
    assert json.loads(run(capsys, "torch==99", "--json", code=1))["cells"] == []


@pytest.mark.parametrize("kind", ["text", "json", "csv", "html"])
def test_a_report_may_be_written_anew_but_over_nothing_else(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "matrix.out"
    command = ["matrix", "torch==2.9.1", "--platform", "linux-x86_64", "--format", kind, "-o", str(path)]
    assert main(command) == 0
    assert main(command) == 0
    path.write_text("<!DOCTYPE html>\n<title>mine</title>\n")
    assert main(command) == 2
    assert "not a report" in capsys.readouterr().err


def test_the_page_holds_everything_itself(table: Table) -> None:
    text = page(table, Selection())
    assert len(text.encode()) < 1_500_000
    assert "{{" not in text
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?!data:)", text)
    assert "default-src 'none'" in text
    written = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert written is not None
    assert json.loads(written[1])["date"] == table.date
    assert "2.9.1" in text.partition("<noscript>")[0]  # the first table is in the page itself


def test_the_page_starts_with_the_filters_of_the_command_line(table: Table) -> None:
    chosen = Selection(platforms=("macos-arm64",), python=12, gpu=Gpu("sm_89", "sm_89"), driver="550.54.14")
    text = page(table, chosen)
    assert '<option value="2" selected>macos-arm64</option>' in text
    found = re.search(r'"initial":(\{[^}]*\})', text)
    assert found is not None
    assert json.loads(found[1]) == {"platform": 2, "python": 6, "gpu": "sm_89", "driver": "550.54.14"}


def test_each_fact_of_the_page_is_stored_once(table: Table) -> None:
    data = page_data(table)
    for key in ("facts", "sets", "texts", "builds"):
        assert len({json.dumps(each) for each in data[key]}) == len(data[key]), key
    assert all(source[1] for source in data["sources"])


def test_spans() -> None:
    assert spans_of(0b10111) == "0-2 4"
    assert spans_of(0) == ""
    assert spans(["0.3", "0.1", "0.2", "0.5"], ["0.1", "0.2", "0.3", "0.4", "0.5"]) == ["0.5", "0.1-0.3"]
    assert lowest(0b1000) == 3
