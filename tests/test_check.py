"""The check over staged environments, by the command itself: the healthy first."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from support.check import (
    CXX,
    audio_files,
    bad,
    first,
    image,
    remove,
    rules_below,
    run,
    stage_audio,
    stage_torch,
    torch_files,
)
from support.check import site as site
from support.libraries import elf
from support.site_folder import install, write
from torchlock.cli.main import main

# What must be left alone.


@pytest.mark.leaves_alone("TL302", "TL603", "TL607", "TL609", "TL611", "TL612", "TL615", "TL908")
def test_a_stack_that_goes_together_is_fine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    assert report["files"][0]["status"] == "ok"
    assert (
        report["summary"]
        == "nothing is wrong: torch 2.8.0 (CPU build), torchaudio 2.8.0 (CPU build) and soundfile 0.13.1 load"
    )
    assert report["command"] is None


def test_a_vendors_torch_is_judged_by_its_libraries_only(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove(site, "torch")
    stage_torch(site, "2.9.0a0+145a3a7bda.nv25.10", cuda="'13.0'")
    assert bad(run(capsys, "--path", site)) in ([], [("warning", "TL609")])


@pytest.mark.leaves_alone("TL605", "TL606")
def test_the_same_copy_seen_through_a_link_is_one(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site.parents[2] / "lib64").symlink_to("lib")
    assert bad(run(capsys, "--path", site.parents[2], code=0)) == []


@pytest.mark.leaves_alone("TL604")
def test_conda_needs_no_records_of_pip(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for info in site.glob("*.dist-info"):
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
    meta = site.parents[2] / "conda-meta"
    for name in ("pytorch-2.8.0-cpu_0", "torchaudio-2.8.0-py311_cpu"):
        write(meta / f"{name}.json", "{}")
    assert bad(run(capsys, "--path", site.parents[2], code=0)) == []


def second_copy(site: Path, tmp_path: Path, version: str) -> Path:
    """A torchaudio in a second site folder behind the first, which a .pth file names."""
    other = tmp_path / "other"
    other.mkdir()
    stage_audio(other, version)
    write(site / "other.pth", f"{other}\n")
    return other


@pytest.mark.parametrize("version", ["2.8.0+cpu", "2.7.1+cpu", "2.5.1"])
def test_a_second_copy_behind_a_good_one_is_fine(
    version: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second_copy(site, tmp_path, version)
    assert bad(run(capsys, "--path", site, code=0)) == []


# What must be found, and its cause first.


def test_a_wrong_copy_before_a_good_one(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second_copy(site, tmp_path, "2.8.0+cpu")
    remove(site, "torchaudio")
    stage_audio(site, "2.5.1+cpu")
    report = run(capsys, "--path", site, code=1)
    assert (first(report)["rule"], rules_below(first(report))[0]) == ("TL606", "TL101")
    assert "torchaudio is installed twice: 2.5.1+cpu" in report["summary"]
    assert report["command"].endswith("uninstall -y torchaudio")


def test_a_wrong_copy_before_another_wrong_one(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second_copy(site, tmp_path, "2.6.0+cpu")
    remove(site, "torchaudio")
    stage_audio(site, "2.5.1+cpu")
    assert first(run(capsys, "--path", site, code=1))["rule"] == "TL101"


def test_versions_that_do_not_fit(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove(site, "torchaudio")
    stage_audio(site, "2.5.1+cpu", uses=("_ZN5torch4gone3newEv",))
    report = run(capsys, "--path", site, code=1)
    finding = first(report)
    assert finding["rule"] == "TL101"
    assert (
        "torchaudio 2.5.1 (CPU build) needs torch 2.5, and torch 2.8.0 (CPU build) is installed"
        in report["summary"]
    )
    assert rules_below(finding) == ["TL611", "TL609"]
    assert "undefined symbol: _ZN5torch4gone3newEv" in finding["consequences"][0]["says"]
    lines = {command["tool"]: command["line"] for command in finding["remedy"]["commands"]}
    assert "--torch-backend=cpu torchaudio==2.8.0+cpu" in lines["uv"]


def test_the_headline_a_cuda_torchaudio_on_a_cpu_torch(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.13.0+cpu", exports=("torch_library_impl",))
    stage_audio(site, "2.11.0+cu130", needed=("libc10_cuda.so", "libtorch_cpu.so"), uses=("torch_library_impl",))
    report = run(capsys, "--path", site, code=1)
    assert (
        "torchaudio 2.11.0 was built for CUDA 13.0, this torch (2.13.0+cpu) is the CPU build" in report["summary"]
    )
    assert "libc10_cuda.so" in report["summary"]
    finding = first(report)
    assert (finding["rule"], rules_below(finding)) == ("TL201", ["TL610"])
    assert "libc10_cuda.so: cannot open shared object file" in finding["consequences"][0]["says"]
    assert "torchaudio==2.11.0+cpu" in report["command"]


def test_builds_for_two_versions_of_cuda(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.15.0+cu132", cuda="'13.2'", exports=("torch_library_impl",))
    stage_audio(site, "2.11.0+cu130", uses=("torch_library_impl",))
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL201"
    assert "PyTorch has CUDA version 13.2 whereas TorchAudio has CUDA version 13.0" in first(report)["says"]
    assert "torchaudio==" in report["command"]
    assert "torchaudio==2.11.0" not in report["command"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (elf()[:-40], "is truncated"),
        (elf()[:80], "the file at 80"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
    ],
)
def test_libraries_that_are_none(
    site: Path, content: bytes, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", content)
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL607"
    assert word in report["summary"]


@pytest.mark.triggers("TL605")
def test_another_release_recorded_over_the_first(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = site / "torch-2.7.0.dist-info"
    write(info / "METADATA", "Name: torch\nVersion: 2.7.0\n\n")
    write(info / "RECORD", "torch/__init__.py,,\n")
    assert bad(run(capsys, "--path", site, code=0)) == []  # every file is that of the later one
    write(info / "RECORD", "torch/__init__.py,,999\n")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []  # the files are those of 2.8.0, and the other record is a leftover
    assert "recorded twice in one folder, as 2.7.0 and 2.8.0+cpu, and its files are those of 2.8.0+cpu" in str(
        report
    )
    write(site / "torch" / "functional.py", "# of 2.7.0\n")
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL605"
    assert "their files are mixed" in report["summary"]
    assert report["command"].startswith(f"rm -rf {site}/torch {info} ")


def test_modules_of_another_python(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove(site, "torch")
    files = torch_files()
    files["torch/_C.cpython-310-x86_64-linux-gnu.so"] = files.pop("torch/_C.so")
    install(site, "torch", "2.8.0+cpu", files)
    report = run(capsys, "--path", site, code=1)
    assert "built for Python 3.10, this is Python 3.11" in report["summary"]
    assert first(report)["rule"] == "TL608"


@pytest.mark.triggers("TL608")
def test_libraries_of_another_machine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "torchaudio" / "lib" / "libtorchaudio.so", elf("", ["libtorch_cpu.so"], machine=183))
    report = run(capsys, "--path", site, code=1)
    assert any(rule == "TL608" for _, rule in bad(report)), report["summary"]
    assert "aarch64" in json.dumps(report)


@pytest.mark.triggers("TL609")
def test_what_the_metadata_asks_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "speechtool", "1.0", headers="Requires-Dist: torchaudio<2.5\n")
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL609")]
    assert "speechtool 1.0 asks for torchaudio <2.5, and 2.8.0+cpu is installed" in report["summary"]


def test_a_rule_can_be_left_out(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "speechtool", "1.0", headers="Requires-Dist: torchaudio<2.5\n")
    assert bad(run(capsys, "--path", site, "--ignore", "TL609", code=0)) == []
    run(capsys, "--path", site, "--strict", code=1)


# The machine.


def codec(site: Path) -> None:
    files: dict[str, bytes | str] = {
        "torchcodec/__init__.py": "",
        "torchcodec/version.py": "__version__ = '0.7.0+cpu'\n",
    }
    for major, number in ((4, 56), (5, 57), (6, 58), (7, 59)):
        library = elf("", [f"libavutil.so.{number}", "libtorch_cpu.so"], [], [CXX])
        files[f"torchcodec/libtorchcodec_core{major}.so"] = library
    install(site, "torchcodec", "0.7.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")


def test_one_ffmpeg_of_several_is_enough(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec(site)
    image(site, "libavutil.so.57")
    assert bad(run(capsys, "--path", site, code=0)) == []


def test_no_ffmpeg_at_all(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec(site)
    image(site)
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == [("warning", "TL304")]
    assert "needs FFmpeg 4 to 7 as shared libraries, and this machine has none" in report["summary"]
    assert report["command"] == "apt-get install -y ffmpeg"


def test_an_ffmpeg_that_is_too_new(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec(site)
    image(site, "libavutil.so.60")
    assert "this machine has FFmpeg 8" in run(capsys, "--path", site, code=0)["summary"]


def test_what_is_not_known_of_a_machine_is_not_missed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec(site)
    assert bad(run(capsys, "--path", site, code=0)) == []
    assert bad(run(capsys, "--path", site, "--system-lib", "ffmpeg=none", code=0)) == [("warning", "TL304")]


def test_nothing_to_load_files_with(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a note: torchaudio is imported and computes. A log of a failing call makes it a warning."""
    image(site, "libsox.so.3")
    assert bad(run(capsys, "--path", site, code=0)) == []
    (site / "soundfile.py").unlink()
    for info in site.glob("soundfile-*"):
        for file in info.iterdir():
            file.unlink()
        info.rmdir()
    report = run(capsys, "--path", site, code=0)
    assert bad(report) == []
    told = first(report)
    assert (told["severity"], told["rule"]) == ("note", "TL306")
    assert "libsox.so.3 is there, but torchaudio opens libsox.so" in told["because"]
    assert told["remedy"]["commands"][0]["line"].endswith("pip install soundfile")


@pytest.mark.triggers("TL612")
def test_a_c_library_that_is_too_old(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site)
    path = site / "torch" / "lib" / "libtorch_cpu.so"
    write(path, elf("libtorch_cpu.so", ["libc.so.6"], [CXX], needs=[("libc.so.6", "GLIBC_2.34")]))
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL612"
    assert "GLIBC_2.34" in report["summary"]
    assert "has GLIBC_2.28 at most" in report["summary"]


def test_a_wheel_for_glibc_on_a_machine_of_musl(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = site.parents[2]
    write(root / "etc" / "os-release", "ID=alpine\nVERSION_ID=3.22.1\n")
    write(root / "lib" / "ld-musl-x86_64.so.1", elf("libc.musl-x86_64.so.1"))
    write(site / "torch" / "lib" / "libtorch_cpu.so", elf("libtorch_cpu.so", ["libc.so.6"], [CXX]))
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL612"
    assert "was built for glibc, and this machine has musl" in report["summary"]


def test_soundfile_without_its_library(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, "libavutil.so.56")
    (site / "_soundfile_data" / "libsndfile_x86_64.so").unlink()
    report = run(capsys, "--path", site)
    assert (first(report)["rule"], rules_below(first(report))) == ("TL601", ["TL301"])
    assert report["command"].endswith("--no-cache-dir soundfile==0.13.1")


def test_soundfile_with_the_library_of_the_machine_alone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image(site, "libavutil.so.56", "libsndfile.so.1")
    (site / "_soundfile_data" / "libsndfile_x86_64.so").unlink()
    assert bad(run(capsys, "--path", site, code=0)) == []


# The command.


def test_the_first_line_says_it_all(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "torch" / "functional.py").unlink()
    assert main(["check", "--path", str(site)]) == 1
    first, fix, command, place, *_ = capsys.readouterr().out.splitlines()
    assert first == "error: torch lacks a file that was installed with it, torch/functional.py"
    assert fix == "Fix:"
    assert command.startswith("  ")
    assert "install" in command
    assert place == f"  in {site}"


def test_hostile_names_cannot_speak_to_the_terminal(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site / "torch\x1b[31m\n.py", "")
    install(site, "evil\x1b]0;x\x07", "1.0\x1b[2J", headers="Requires-Dist: torch<1\x1b[2J\n")
    main(["check", "-v", "--path", str(site)])
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


@pytest.mark.parametrize("form", ["sarif", "github", "gitlab", "junit", "markdown"])
def test_other_formats(site: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    (site / "torch" / "functional.py").unlink()
    assert main(["check", "--path", str(site), "--format", form]) == 1
    out = capsys.readouterr().out
    assert "TL601" in out
    if form == "sarif":
        (result, *_) = json.loads(out)["runs"][0]["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.endswith("torch/functional.py")


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--path", str(tmp_path / "none")],
        ["--python", str(tmp_path / "none")],
        ["--ignore", "TL999", "--path", str(tmp_path)],
        ["--path", str(tmp_path), "--probe"],
        ["--path", str(tmp_path), "--root", str(tmp_path / "none")],
        ["--root", str(tmp_path)],
        ["--probe", "--probe-seconds", "0"],
        ["--export", "--format", "json"],
        ["--path", str(tmp_path), "--log", str(tmp_path)],
        ["--path", str(tmp_path), "--platform", "plan9"],
        ["--path", str(tmp_path), "--system-lib", "ffmpeg"],
        ["--path", str(tmp_path), "--system", "plan9"],
        ["--path", str(tmp_path), "--log", str(tmp_path / "none.log")],
    ):
        assert main(["check", *words]) == 2, words
        assert "error:" in capsys.readouterr().err


def test_an_old_report_survives_a_failure(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    assert main(["check", "--path", str(site), "-o", str(report)]) == 0
    old = report.read_text()
    assert main(["check", "--path", str(tmp_path / "none"), "-o", str(report)]) == 2
    assert report.read_text() == old
    assert main(["check", "--path", str(site), "--format", "json", "-o", str(report)]) == 0
    assert json.loads(report.read_text())["command"] is None


def test_an_export_can_be_audited(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "bad name\nx", "1.0")
    assert main(["check", "--path", str(site), "--export"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if not line.startswith("#")]
    page = "--extra-index-url https://download.pytorch.org/whl/cpu"
    assert lines == [page, "soundfile==0.13.1", "torch==2.8.0+cpu", "torchaudio==2.8.0+cpu"]
    path = write(tmp_path / "requirements.txt", out)
    assert main(["audit", str(path)]) == 0


def test_the_interpreter_that_runs_this_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    ended = main(["check", "--python", sys.executable, "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert ended in (0, 1)
    assert report["target"]["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")


def test_a_log_chooses_among_findings(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codec(site)
    image(site)
    install(site, "speechtool", "1.0", headers="Requires-Dist: torchaudio<2.5\n")
    log = write(tmp_path / "log", "RuntimeError: Could not load libtorchcodec. Likely causes\n")
    assert first(run(capsys, "--path", site, "--log", log))["rule"] == "TL304"
    log = write(
        tmp_path / "log",
        '  File "/elsewhere/lib/python3.9/site-packages/torch/__init__.py", line 1\nOSError: libsox.so\n',
    )
    main(["check", "--path", str(site), "--log", str(log)])
    assert "another environment: it names Python 3.9" in capsys.readouterr().err


def test_what_the_log_shows_is_no_mere_note(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "torchaudio"):
        remove(site, name)
    stage_torch(site, "2.13.0+cpu", exports=("torch_library_impl",))
    stage_audio(site, "2.11.0+cpu", uses=("torch_library_impl",))
    assert bad(run(capsys, "--path", site, code=0)) == []
    log = write(tmp_path / "log", "ImportError: TorchCodec is required for load_with_torchcodec.\n")
    report = run(capsys, "--path", site, "--log", log)
    assert bad(report) == [("warning", "TL305")]
    assert "torchcodec==" in report["command"]


@pytest.mark.triggers("TL607")
def test_a_fifo_in_the_place_of_a_library_does_not_hang(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = site / "torchaudio" / "lib" / "libtorchaudio.so"
    path.unlink()
    os.mkfifo(path)
    report = run(capsys, "--path", site, code=1)
    assert first(report)["rule"] == "TL607"


def test_a_hostile_tree_is_looked_at_in_a_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    needed = [
        "../../../../../etc/passwd",
        "/etc/passwd",
        "x" * 5000,
        "\x1b[31mlib\n.so",
        *(f"l{i}.so" for i in range(2000)),
    ]
    files = torch_files()
    files["torch/_C.so"] = elf("", needed, [], [f"_ZN5torch{number}E" for number in range(20_000)])
    files["torch/__init__.py"] = "from . import *\n" + "import torch.a\n" * 1000
    rows = "../../../../../../etc/passwd,sha256=x,10\n/etc/shadow,,\ntorch/x\x1b[2J.py,,\n"
    install(site, "torch", "2.8.0+cpu", files, rows=rows)
    (site / "torch" / "loop").symlink_to(".")
    (site / "torchaudio").symlink_to("torchaudio")
    write(site / "x.pth", f"import os; open({str(tmp_path / 'executed')!r}, 'w')\n../../../../..\n")
    for name in ("fifo.pth", "torchaudio.py"):
        os.mkfifo(site / name)
    write(
        site / "big-1.0.dist-info" / "METADATA",
        "Name: big\nVersion: 1.0\n" + "Requires-Dist: torch (>=1)\n" * 500_000,
    )
    write(site / "torchvision" / "__init__.py", "x = " + "[" * 5000)
    write(site / "torchvision" / "version.py", "(" * 100_000)
    write(site / "torchvision" / "_C.so", b"\x7fELF\x02\x01\x01" + b"\xff" * 5000)
    os.mkdir(os.fsencode(site) + b"/\xff\xfe-1.dist-info")  # noqa: PTH102
    before = sorted(tmp_path.iterdir())
    for form in ("text", "json", "sarif", "github", "gitlab", "junit", "markdown"):
        assert main(["check", "-v", "--deep", "--path", str(site), "--format", form]) in (0, 1)
        captured = capsys.readouterr()
        assert "\x1b" not in captured.out + captured.err
    assert main(["check", "--path", str(site), "--export"]) == 0
    assert sorted(tmp_path.iterdir()) == before


def test_what_a_project_locks_for_says_nothing_about_what_is_checked(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHLOCK_PYTHON", "3.8")
    table = '[tool.torchlock]\npython = "3.12"\nplatform = "macos-arm64"\nsystem = "debian-12"\nno-hashes = true\n'
    write(tmp_path / "pyproject.toml", table)
    assert run(capsys, "--path", site, code=0)["target"]["platform"] == "manylinux_2_28_x86_64"
    write(tmp_path / "pyproject.toml", table + 'ignore = ["TL604"]\nstrict = true\nbogus = 1\n')
    assert main(["check", "--path", str(site)]) == 2
    assert "unknown option 'bogus'" in capsys.readouterr().err


def test_what_a_project_locks_to_is_not_overwritten(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHLOCK_OUTPUT", "requirements.txt")
    write(tmp_path / "requirements.txt", "torch==2.8.0\n")
    table = '[tool.torchlock]\noutput = "requirements.txt"\nformat = "pylock"\n'
    write(tmp_path / "pyproject.toml", table)
    assert main(["check", "--path", str(site)]) == 0
    assert capsys.readouterr().out.startswith("ok: nothing is wrong")
    monkeypatch.setenv("TORCHLOCK_FORMAT", "pylock")
    assert main(["audit", "requirements.txt"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    assert (tmp_path / "requirements.txt").read_text() == "torch==2.8.0\n"
    monkeypatch.setenv("TORCHLOCK_FORMAT", "json")
    assert main(["check", "--path", str(site)]) == 0
    assert capsys.readouterr().out.startswith("{")
    monkeypatch.setenv("TORCHLOCK_FORMAT", "yaml")
    assert main(["check", "--path", str(site)]) == 2
    assert "TORCHLOCK_FORMAT: unknown value 'yaml'" in capsys.readouterr().err


def test_what_is_ignored_is_not_said_to_load(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remove(site, "torchaudio")
    stage_audio(site, "2.5.1+cpu")
    rules = {rule for _, rule in bad(run(capsys, "--path", site, code=1))}
    rules |= {each["rule"] for each in first(run(capsys, "--path", site))["consequences"]}
    report = run(capsys, "--path", site, "--ignore", ",".join(sorted(rules)), code=0)
    assert report["summary"].startswith("nothing is wrong except the ignored rules (TL")
    report = run(capsys, "--path", site, "--ignore", "TL609,TL202", code=1)
    assert "ignored" not in report["summary"]


def test_cuda_that_is_asked_for(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bad(run(capsys, "--path", site, "--accelerator", "cpu", code=0)) == []
    report = run(capsys, "--path", site, "--accelerator", "cu126", code=0)
    assert bad(report) == [("warning", "TL209")]
    assert any("cu126" in each["line"] for each in first(report)["remedy"]["commands"])


def test_a_python_of_another_platform_than_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    other = "windows-amd64" if sys.platform != "win32" else "linux-x86_64"
    assert main(["check", "--python", sys.executable, "--platform", other]) == 2
    assert "the checked Python runs on" in capsys.readouterr().err


def test_a_folder_that_is_no_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was looked at, so nothing is said of it."""
    assert main(["check", "--path", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "contains no Python packages and no environment" in told
    assert "name a site-packages folder" in told


def test_paths_in_an_image_are_those_of_its_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A ``.pth`` file names a folder: that of the image counts, and not one of the same name out here."""
    root = tmp_path / "image"
    site = root / "usr" / "lib" / "python3.11" / "site-packages"
    outside, inside = tmp_path / "app", root / str(tmp_path)[1:] / "app"
    for folder in (site, outside, inside):
        folder.mkdir(parents=True)
    write(root / "etc" / "os-release", "ID=debian\nVERSION_ID=12\n")
    write(root / "lib64" / "libc.so.6", elf("libc.so.6", defines=["GLIBC_2.36"]))
    stage_torch(site)
    stage_audio(outside, "2.5.1+cpu")
    write(site / "app.pth", f"{outside}\n")
    report = run(capsys, "--path", site, "--ignore", "TL306", code=0)
    assert report["summary"].endswith("torchaudio is not installed")
    stage_audio(inside)
    report = run(capsys, "--path", site, "--ignore", "TL306", code=0)
    assert report["summary"] == "nothing is wrong: torch 2.8.0 (CPU build) and torchaudio 2.8.0 (CPU build) load"


def test_a_numpy_that_does_not_load_takes_torch_with_it(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torch minds no numpy that is absent, but one whose library is none."""
    core = "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
    other = "numpy/random/mtrand.cpython-311-x86_64-linux-gnu.so"
    files = {"numpy/__init__.py": "", "numpy/_core/__init__.py": "", core: elf(), other: elf()}
    install(site, "numpy", "2.3.0", files)
    assert bad(run(capsys, "--path", site, code=0)) == []
    for path, severity in ((other, "warning"), (core, "error")):
        content = (site / path).read_bytes()
        write(site / path, b"<html>" * (len(content) // 6) + b"x" * (len(content) % 6))
        report = run(capsys, "--path", site)
        assert not [each for each in bad(report) if each[0] == "error"] or severity == "error"
    assert first(report)["rule"] == "TL607"
    assert "numpy==2.3.0" in report["command"]
    (site / core).unlink()
    assert ("error", "TL601") in bad(run(capsys, "--path", site, code=1))
    remove(site, "numpy")
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.leaves_alone("TL608")
def test_a_library_for_tests_is_not_what_a_package_was_built_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site / "torch" / "lib" / "libbackend_with_compiler.so", elf(machine=183))
    assert bad(run(capsys, "--path", site, code=0)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"import os\ndef resample(): ret", "is truncated after 29 of 58 bytes"),
        (b"\0" * 58, "is not valid Python"),
        (b"", "is empty"),
        (b"<html>404</html>\n", "is not valid Python"),
    ],
)
def test_a_source_file_that_an_install_left_unfinished(
    site: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = b"import os\ndef resample(): return os.path.join('a', 'b', 'c')\n"
    remove(site, "torchaudio")
    files = audio_files()
    files["torchaudio/functional.py"] = whole[:57] + b"\n"
    install(site, "torchaudio", "2.8.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    path = site / "torchaudio" / "functional.py"
    path.write_bytes(content)
    report = run(capsys, "--path", site, code=1)
    assert first(report)["message"] == f"torchaudio/functional.py of torchaudio is damaged: it {said}"
    assert "--force-reinstall" in report["command"] and "torchaudio==2.8.0+cpu" in report["command"]


def test_a_source_file_that_somebody_shortened_is_left_alone(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "torchaudio" / "__init__.py").write_text("import os\n")
    assert bad(run(capsys, "--path", site, code=0)) == []
