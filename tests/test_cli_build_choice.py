"""--gpu and --accelerator auto on the command line, with the bundled tables and machines of one's own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.amount import amount
from support.build_tables import use_tables
from support.machine import FakeMachine
from support.machine import machine as machine
from support.wheel_index import WheelIndex
from torchlock.cli.main import main
from torchlock.manifests.lock_comments import read_lock_comments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = ("--python", "3.12", "--offline")
LINUX = (*HERE, "--platform", "linux-x86_64")
OUT = ("-o", "requirements.txt")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "TORCHLOCK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("TORCHLOCK_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def locked(*arguments: str, code: int = 0) -> str:
    """The lock in the output file."""
    assert main(["lock", "torch", "torchaudio", *arguments, *OUT]) == code
    return Path("requirements.txt").read_text(encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    """The messages of a lock that fails."""
    assert main(["lock", *arguments]) == code
    return capsys.readouterr().err


def test_a_machine_that_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    text = locked("--accelerator", "auto", "--gpu", "GTX 1080 Ti", "--system-lib", "cuda-driver=535.104", *LINUX)
    found = read_lock_comments(text)
    assert (found.label, found.machine) == ("cu126", "NVIDIA driver 535.104; GTX 1080 Ti (sm_61)")
    assert "# held back: cu132, cu130: driver 535.104 is older than 580, the oldest that runs it\n" in text
    assert "# held back: cu129, cu128: no torch of it has code for sm_61\n" in text
    assert "note: --accelerator auto chooses cu126" in capsys.readouterr().err


def test_a_gpu_without_a_driver(capsys: pytest.CaptureFixture[str]) -> None:
    text = locked("--accelerator", "auto", "--gpu", "sm_89", *LINUX)
    assert read_lock_comments(text).label == "cu130"
    assert "cu130 needs an NVIDIA driver 580 or newer; state the driver" in capsys.readouterr().err


def test_the_recorded_machine_is_kept(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """A check on a machine without a GPU, and an upgrade there, are for the machine of the lock."""
    machine.nvidia("550.54.14", ("NVIDIA A100-SXM4-80GB", "8.0"))
    first = locked("--accelerator", "auto", *HERE)
    assert read_lock_comments(first).machine == "NVIDIA driver 550.54.14; NVIDIA A100-SXM4-80GB (sm_80)"
    machine.program("nvidia-smi", "exit 9")
    assert locked("--accelerator", "auto", "--check", *HERE) == first
    assert "the machine of the existing lock is used: NVIDIA driver 550.54.14" in capsys.readouterr().err
    assert read_lock_comments(locked("--accelerator", "auto", "--upgrade", *HERE)).label == "cu129"
    assert read_lock_comments(locked("--accelerator", "auto", "--gpu", "host", *HERE)).label == "cpu"


def test_no_gpu_is_said_aloud(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_lock_comments(locked("--accelerator", "auto", *HERE)).label == "cpu"
    assert "no GPU was found on this machine, so the CPU builds are chosen" in capsys.readouterr().err


def test_macos_has_cpu_builds_alone(capsys: pytest.CaptureFixture[str]) -> None:
    where = (*HERE, "--platform", "macos-arm64")
    for gpu in ((), ("--gpu", "Apple M2"), ("--gpu", "none")):
        text = locked("--accelerator", "auto", *gpu, *where)
        assert read_lock_comments(text).label == "cpu"
        assert "-cp312-cp312-macosx_" in text
    assert "also use the GPU of Apple silicon" in capsys.readouterr().err


def test_a_driver_without_a_gpu_is_refused(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    driver = ("--system-lib", "cuda-driver=535.104")
    said = refused(capsys, "torch", "--accelerator", "auto", *driver, *HERE, code=2)
    assert "cuda-driver=535.104 states an NVIDIA driver, but no GPU was found" in said
    assert read_lock_comments(locked("--accelerator", "auto", "--gpu", "none", *driver, *HERE)).label == "cpu"


def test_a_stated_driver_replaces_the_recorded_one(capsys: pytest.CaptureFixture[str]) -> None:
    auto = ("--accelerator", "auto", *LINUX)
    locked(*auto, "--gpu", "RTX 4090", "--system-lib", "cuda-driver=535.104")
    capsys.readouterr()
    locked(*auto, "--system-lib", "cuda-driver=550.54")
    assert "existing lock is used: NVIDIA driver 550.54; RTX 4090 (sm_89);" in capsys.readouterr().err


def test_a_changed_comment_on_the_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    auto = ("--accelerator", "auto", *LINUX)
    text = locked(*auto, "--gpu", "RTX 4090")
    Path(OUT[1]).write_text(text.replace("# machine: RTX 4090 (sm_89)", "# machine: banana"), encoding="utf-8")
    locked(*auto, code=2)
    assert "requirements.txt: the comment '# machine: banana' does not describe" in capsys.readouterr().err
    assert "# machine: RTX 4090 (sm_89)\n" in locked(*auto, "--gpu", "RTX 4090")


def test_lines_that_ask_for_two_builds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ("torch==2.8.0+cu128", "torchaudio==2.8.0+cu126")
    said = refused(capsys, *lines, "--accelerator", "auto", "--gpu", "RTX 4090", *LINUX, code=2)
    assert "the line asks for the build +cu126, and torch==2.8.0+cu128 for +cu128" in said
    assert "cu132" not in said


def test_a_driver_is_shown_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "torch==2.15.0", "--system-lib", "cuda-driver=575.57.08", *LINUX, code=1)
    assert "the target has NVIDIA driver 575.57.08\n" in said


def test_a_gpu_that_does_not_answer_is_refused(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.adapter("0000:01:00.0", "10de", "2204")
    said = refused(capsys, "torch", "--accelerator", "auto", *HERE, code=2)
    assert "an NVIDIA GPU (10de:2204) is present, but no driver answers" in said
    assert "--gpu none" in said and "cuda-driver=" in said


def test_all_gpus_of_a_machine_are_served(machine: FakeMachine) -> None:
    machine.nvidia("580.95.05", ("Tesla V100-SXM2-16GB", "7.0"), ("NVIDIA GeForce RTX 5090", "12.0"))
    assert read_lock_comments(locked("--accelerator", "auto", *HERE)).label == "cu128"


def test_another_platform_than_that_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "torch", "--accelerator", "auto", *HERE, "--platform", "windows-amd64", code=2)
    assert "the GPUs of this machine say nothing about windows-amd64" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gpu", "RTX 4091"], "did you mean RTX 4090"),
        (["--gpu", "none, RTX 4090"], "none means that there is no GPU"),
        (["--accelerator", "cuda-12.8"], "did you mean cu128?"),
        (["--accelerator", "cuda"], "did you mean auto?"),
        (["--accelerator", "cu11"], "did you mean cu118 or cu117?"),
        (["--accelerator", "GPU"], "did you mean auto?"),
        (["--accelerator", "mps"], "did you mean cpu?"),
        (["--accelerator", "rocm-6.4"], "did you mean rocm6.4?"),
        (
            ["--accelerator", "auto", "--gpu", "H100", "--system-lib", "cuda-driver=none"],
            "without a driver no CUDA build uses the GPU",
        ),
    ],
)
def test_wrong_use(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, "torch", *arguments, *LINUX, code=2)


def test_a_refusal_names_the_frontier_and_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "torch", "torchaudio", "--accelerator", "cu132", *LINUX, code=1)
    assert "  cu130: it works: torch " in said
    assert "  cu129, cu128, cu126, cu124, cu121, cu118, cu117: not tried, because cu130 works" in said
    command = "torchlock lock torch torchaudio --python 3.12 --offline --platform linux-x86_64 --accelerator cu130"
    assert f"hint: the nearest build that works is cu130: {command}\n" in said


def test_lines_that_conflict_by_themselves_have_a_short_frontier(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ("torch==2.7.1", "torchaudio==2.5.1")
    said = refused(capsys, *lines, "--accelerator", "cu118", *LINUX, code=1)
    assert "these requirements conflict" in said
    assert "the nearest build that works" not in said
    frontier = said.partition("builds, newest first\n")[2].splitlines()
    assert "  cpu: torchaudio 2.5.1+cpu declares that it needs torch==2.5.1" in frontier
    assert len(frontier) == 6


def test_a_driver_is_judged_before_anything_is_solved(capsys: pytest.CaptureFixture[str]) -> None:
    driver = ("--system-lib", "cuda-driver=470.82")
    said = refused(capsys, "torch", "--accelerator=cu126", *driver, *LINUX, code=1)
    assert "error: cu126: driver 470.82 is older than 525.60.13, the oldest that runs it\n" in said
    assert "the nearest build that works is cu118:" in said
    assert "--accelerator=cu126" not in said


def test_a_driver_without_support_for_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    machine = ("--gpu", "GTX 1080 Ti", "--system-lib", "cuda-driver=590.48")
    said = refused(capsys, "torch", "--accelerator", "auto", *machine, *LINUX, code=1)
    assert "driver 590.48 does not support GTX 1080 Ti (sm_61): R580 is the last branch for Pascal" in said
    assert "the nearest build that works is cpu:" in said
    assert "with a driver of branch R580, there are CUDA builds for Pascal" in said


def test_verbose_shows_the_frontier(capsys: pytest.CaptureFixture[str]) -> None:
    locked("--accelerator", "auto", "--gpu", "RTX 5090", "--system-lib", "cuda-driver=580.95", "-v", *LINUX)
    said = capsys.readouterr().err
    assert "builds, newest first\n  cu132: " in said
    assert "  cu126, cu124, cu121, cu118, cu117: no torch of it has code for sm_120\n" in said


def test_public_builds_without_code_for_the_gpu_are_left_out() -> None:
    text = locked("--gpu", "GTX 1080 Ti", *LINUX)
    assert "torch==2.7.1 " in text
    assert read_lock_comments(text).machine == ""


def test_public_builds_and_a_gpu_of_another_maker(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "torch", "--gpu", "RX 7900 XTX", *LINUX, code=1)
    assert "does not support AMD GPUs" in said
    assert "hint: --accelerator auto chooses among the builds of the PyTorch index for this GPU" in said


def test_public_builds_and_a_driver_without_support_for_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    locked("--gpu", "RTX 5090", "--system-lib", "cuda-driver=550.54", *LINUX)
    assert "warning: driver 550.54 does not support RTX 5090 (sm_120): R570 is" in capsys.readouterr().err
    locked("--gpu", "RTX 5090", "--system-lib", "cuda-driver=570.54", *LINUX)
    assert "does not support" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("torch", "machine", "code", "label"),
    [
        ("torch>=2.8", ("--gpu", "RTX 2080", "--system-lib", "cuda-driver=470.82"), 1, ""),  # 470 ends at 2.7.1
        ("torch<2.8", ("--gpu", "RTX 2080", "--system-lib", "cuda-driver=470.82"), 0, "cu118"),
        (
            "torch>=2.15",
            ("--gpu", "RTX 4090", "--system-lib", "cuda-driver=550.54"),
            1,
            "",
        ),  # CUDA 12 ends at 2.14
        ("torch>=2.15", ("--gpu", "V100", "--system-lib", "cuda-driver=580.95"), 1, ""),
        ("torch<2.12", ("--gpu", "V100", "--system-lib", "cuda-driver=580.95"), 0, "cu129"),
    ],
)
def test_builds_end(
    torch: str, machine: tuple[str, ...], code: int, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock", torch, "--accelerator", "auto", *machine, *LINUX, *OUT]) == code
    said = capsys.readouterr().err
    if label:
        assert read_lock_comments(Path("requirements.txt").read_text(encoding="utf-8")).label == label
    else:
        assert "no build is known to work on this machine" in said


def explained(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["explain", *arguments, *LINUX]) == code
    return capsys.readouterr().out


def test_explain_shows_the_whole_frontier(capsys: pytest.CaptureFixture[str]) -> None:
    machine = ("--gpu", "RTX 5090", "--system-lib", "cuda-driver=580.95")
    said = explained(capsys, "torch", "torchaudio", "--accelerator", "auto", *machine)
    assert "they work together" in said and "+cu130" in said
    assert "  cu128: it works: torch " in said


def test_explain_of_a_build_that_cannot_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    said = explained(capsys, "torch", "--accelerator", "cu124", "--gpu", "RTX 5090", "--json", code=1)
    (story,) = json.loads(said)["explained"]
    assert story["headline"] == "cu124: no torch of it has code for sm_120"
    assert story["builds"][-1] == "cu126, cu124, cu121, cu118, cu117: no torch of it has code for sm_120"
    assert "torchlock explain torch --gpu 'RTX 5090' --json" in story["remedies"][0]


# An index that can be asked.


def test_the_pages_of_builds_that_are_ruled_out_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = "cp312-cp312-manylinux_2_28_x86_64"
    with WheelIndex(dated=False) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.public_url)
        for label in ("cu132", "cu130", "cu129", "cu128", "cu126", "cu124"):
            index.add(label, "torch", f"2.9.0+{label}", tags)
        use_tables(monkeypatch, tmp_path / "tables", {"cu126": []})
        driver = ("--system-lib", "cuda-driver=535.104")
        where = ("--python", "3.12", "--platform", "linux-x86_64", "--builds-url", index.url)
        assert main(["lock", "torch", "--accelerator", "auto", "--gpu", "GTX 1080 Ti", *driver, *where]) == 0
        asked = {page.split("/")[2] for page in index.pages_asked() if page.startswith("/whl/")}
    out = capsys.readouterr().out
    assert asked == {"cu126"}
    assert f"# builds: cu126 of {index.url}\n" in out
    assert f"torch @ {index.url}/cu126/torch-2.9.0%2Bcu126-" in out


# The grid of tests/test_build_choice.py, with the solver and the bundled tables.

GRID = tomllib.loads((Path(__file__).parent / "accelerator_grid.toml").read_text(encoding="utf-8"))["row"]
PLATFORMS = {"linux": "linux-x86_64", "aarch64": "linux-aarch64", "windows": "windows-amd64"}
CELLS = [(row, name) for row in GRID for name in PLATFORMS if name in row]


@pytest.mark.sampled
@pytest.mark.parametrize(("row", "platform"), Random(15).sample(CELLS, amount(len(CELLS), quick=8)))
def test_grid_with_the_solver(row: dict[str, Any], platform: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--gpu", row["gpu"], "--python", row.get("python", "3.12"), "--platform", PLATFORMS[platform]]
    if row["driver"]:
        arguments += ["--system-lib", f"cuda-driver={row['driver']}"]
    code = main(["lock", "torch", "torchaudio", "--accelerator", "auto", "--offline", *arguments])
    text, said = capsys.readouterr()
    if row[platform].startswith("no: "):
        assert (code, row[platform].removeprefix("no: ") in said) == (1, True)
    else:
        assert read_lock_comments(text).label == row[platform]


# Files that are judged.


def audited(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    Path("requirements.txt").write_text("torch==2.14.1\n", encoding="utf-8")
    main(["audit", "requirements.txt", *arguments, "--platform", "linux-x86_64", "--format", "json"])
    return [each["rule"] for each in json.loads(capsys.readouterr().out)["files"][0]["findings"]]


def test_audit_reads_this_machine_if_asked(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.nvidia("550.54.14", ("NVIDIA GeForce GTX 1080 Ti", "6.1"))
    assert {"TL208", "TL202"} <= set(audited(capsys, "--gpu", "host"))
    assert audited(capsys, "--gpu", "host", "--system-lib", "cuda-driver=580.95").count("TL202") == 0
    assert audited(capsys) == []


def test_audit_with_several_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(capsys, "--gpu", "RTX 4090") == []
    assert audited(capsys, "--gpu", "RTX 4090, V100") == ["TL208"]


@pytest.mark.parametrize(
    ("text", "build", "rules"),
    [
        ("torch==2.12.0\ntorchaudio==2.11.0\nnumpy\n", "cu132", ["TL217", "TL217"]),
        ("torch==2.12.0\ntorchaudio==2.11.0\nnumpy\n", "cu130", []),
        ("torch>=2.7\n", "cu124", ["TL217"]),
        ("torch==2.6.0\ntorchaudio==2.6.0\n", "cu124", []),
        ("torch==2.6.0+cu126\n", "cu124", ["TL217"]),
        ("six\n", "cu124", []),
        (
            "--index-url https://example.org/whl/cu118\ntorch==2.6.0\n",
            "cu132",
            ["TL217"],
        ),  # the file names a build
    ],
)
def test_audit_judges_files_as_one_build(
    text: str, build: str, rules: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requirements.txt").write_text(text, encoding="utf-8")
    where = ("--platform", "linux-x86_64", "--python", "3.12")
    main(["audit", "requirements.txt", "--accelerator", build, *where, "--format", "json"])
    found = json.loads(capsys.readouterr().out)["files"][0]["findings"]
    assert [each["rule"] for each in found if each["severity"] == "error"] == rules


@pytest.mark.parametrize("line", ['accelerator = "auto"', 'gpu = "host"'])
@pytest.mark.parametrize("command", ["lock", "audit"])
def test_a_project_may_not_ask_programs_of_the_machine(
    line: str, command: str, machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.program("nvidia-smi", f"touch {machine.folder}/ran")
    Path("pyproject.toml").write_text(f"[tool.torchlock]\n{line}\n", encoding="utf-8")
    assert main([command]) == 2
    assert "a project may not ask programs of this machine for its GPUs" in capsys.readouterr().err
    assert not (machine.folder / "ran").exists()


def test_a_refusal_says_that_the_index_could_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    where = ("--builds-url", "http://127.0.0.1:9/whl", "--cache-dir", str(tmp_path))
    online = [word for word in LINUX if word != "--offline"]
    said = refused(capsys, "torch", "torchaudio", "--accelerator", "cu132", *where, *online, code=1)
    assert "note: the PyTorch index could not be asked (http://127.0.0.1:9/whl/cu132/" in said
