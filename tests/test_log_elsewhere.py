"""Logs that the environment does not explain: what they mean alone is said. Their covers and wrapped lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.check import bad, run, torch_files
from support.check import site as site
from support.site_folder import install, write
from torchlock.check.library_origins import meaning_of_missing
from torchlock.check.log import read_log
from torchlock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "/miniconda3/envs/x/lib/python3.6/site-packages/torch/lib"
CUT = f"ImportError: {OTHER}/libc10_cuda.so: undefined symbol:"
BLOCK = """\
FFmpeg version 7: libavutil.so.59: cannot open shared object file: No such file or directory
FFmpeg version 6: libavutil.so.58: cannot open shared object file: No such file or directory
"""


@pytest.mark.parametrize(
    ("log", "rule", "said"),
    [
        # The log names another environment.
        (
            f"ImportError: {OTHER}/../../libstdc++.so.6: version GLIBCXX_3.4.29 not found (required by /a/b.so)",
            "TL612",
            "has no GLIBCXX_3.4.29",
        ),
        (f"{CUT} cudaGetDriverEntryPointByVersion, version libcudart.so.12", "TL611", "an NVIDIA library"),
        # It may be of this one, whose files do not show it.
        ("Import error: undefined symbol: _ZNK2at10TensorBase8data_ptrIdEEPT_v", "TL611", "C++ interface"),
        ("OSError: libcusparse.so.11: cannot open shared object file: No such file", "TL610", "a library of CUDA"),
        ("OSError: libmpi_cxx.so.40: cannot open shared object file: No such file", "TL610", "of Open MPI"),
        ("ImportError: libopenblas.so.0: cannot open shared object file: No such file", "TL610", "of BLAS"),
        ("ImportError: libcblas.so.3: cannot open shared object file: No such file", "TL610", "of ATLAS"),
        (
            "ImportError: libiomp5.so: cannot open shared object file: No such file",
            "TL610",
            "OpenMP library of Intel",
        ),
        ("OSError: cannot load library 'libsndfile.so': libsndfile.so", "TL301", "does not find libsndfile"),
    ],
)
def test_its_meaning_and_the_state_are_said(
    log: str, rule: str, said: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--path", site, "--platform", "linux-x86_64", "--log", write(site.parent / "log", f"{log}\n")]
    report = run(capsys, *words, code=0)
    assert bad(report) == []
    assert report["command"] is None
    first = report["summary"]
    assert first.startswith("the log alone shows: ")
    assert said in first
    assert first.count("the log alone shows") == 1
    assert "what was examined in this environment does not show it; nothing wrong was found: torch 2.8.0" in first
    (note,) = [
        each for each in report["files"][0]["findings"] if each["message"] in first and each["rule"] == rule
    ]
    assert note["remedy"]["summary"].startswith("In the environment of the log: ")
    assert note["remedy"]["commands"] == []
    assert note["sources"] or rule not in ("TL610", "TL612")


def test_the_fault_of_the_environment_comes_first(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = torch_files("2.7.0+cpu")
    install(site, "torch", "2.7.0+cpu", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    log = write(site.parent / "log", f"{CUT} cudaGetDriverEntryPointByVersion, version libcudart.so.12\n")
    report = run(capsys, "--path", site, "--platform", "linux-x86_64", "--log", log, code=1)
    assert "the log alone shows" not in report["summary"]
    alone = [each for each in report["files"][0]["findings"] if "the log alone shows" in each["message"]]
    assert [each["severity"] for each in alone] == ["note"]


@pytest.mark.parametrize(
    "cover",
    [
        "torchcodec is not installed correctly so built-in audio decoding will fail. Solutions are:",
        "ImportError: TorchCodec is required for load_with_torchcodec. Please install torchcodec",
        "ImportError: To support decoding audio data, please install 'torchcodec'.",
    ],
)
def test_a_summary_above_the_reason_is_a_headline(cover: str) -> None:
    first = read_log(f"{cover}\n\n[start of libtorchcodec loading traceback]\n{BLOCK}").first
    assert first is not None
    assert (first.rules[0], first.library) == ("TL304", "libavutil.so.59")
    own = "OSError: /a/torchcodec/libtorchcodec_core7.so: undefined symbol: _ZN3c1013MessageLoggerC1EPKciib"
    first = read_log(f"{cover}\n{BLOCK}{own}\n").first
    assert first is not None
    assert first.symbol.startswith("_ZN3c10")
    first = read_log(f"{cover}\n").first  # Nothing below it says more.
    assert first is not None
    assert first.rules[0] == "TL305"
    first = read_log(f"{cover}\nOSError: /a/libstdc++.so.6: version `GLIBCXX_3.4.29' not found\n").first
    assert first is not None
    assert first.rules[0] == "TL305"  # The line below it is of another failure.


@pytest.mark.parametrize(
    ("log", "library", "symbol"),
    [
        (f"{CUT}\n    cudaGetX, version libcudart.so.12", "libc10_cuda.so", "cudaGetX"),
        (f"> {CUT}\n> cudaGetX", "libc10_cuda.so", "cudaGetX"),
        (f"{CUT[:-18]}\nundefined symbol: cudaGetX", "libc10_cuda.so", "cudaGetX"),
        (f"{CUT[:-8]}\nsymbol:\ncudaGetX", "libc10_cuda.so", "cudaGetX"),
        (
            "│ OSError: libcusparse.so.11: cannot open shared  │\n│ object file: No such file │",
            "libcusparse.so.11",
            "",
        ),
        ("E   OSError: libcusparse.so.11:\nE   cannot open shared object file", "libcusparse.so.11", ""),
        ("ImportError: dlopen(/a/_C.so, 0x2): Library not loaded:\n  @rpath/libtorch_cpu.dylib", "_C.so", ""),
        (
            "ImportError: /a/libstdc++.so.6: version `GLIBCXX_3.4.29'\nnot found (required by /a/b.so)",
            "libstdc++.so.6",
            "",
        ),
        ("OSError: [WinError 126] The specified module could not be\r\nfound", "", ""),
    ],
)
def test_a_message_over_lines_is_one(log: str, library: str, symbol: str) -> None:
    read = read_log(f"some line\n{log}\nlast line\n")
    assert read.first is not None
    assert (read.first.line, read.first.library, read.first.symbol) == (2, library, symbol)
    assert read.text.split("\n").index("last line") == 2 + log.count("\n")


def test_a_missing_module_over_lines() -> None:
    first = read_log("ModuleNotFoundError: No module named\n  'torchaudio'\n").first
    assert first is not None
    assert first.module == "torchaudio"


@pytest.mark.parametrize("log", ["all symbols of it:\nundefined\nsymbol", "libx.so:\nloaded", "no module\nfound"])
def test_lines_that_belong_to_no_message_stay(log: str) -> None:
    assert read_log(log).text == log


@pytest.mark.parametrize("library", ["libmpi.so.12", "libGL.so.1", "libopenblas64_p-r0-0cf96a72.3.23.dev.so"])
def test_a_library_that_is_not_known_has_no_meaning(
    library: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"ImportError: {library}: cannot open shared object file: No such file or directory\n"
    report = run(capsys, "--path", site, "--log", write(site.parent / "log", line), code=0)
    assert bad(report) == []
    assert "does not explain the log" in report["summary"]


@pytest.mark.parametrize(
    ("library", "words"),
    [("libjpeg.9.dylib", "both of conda-forge"), ("libjpeg.8.dylib", "install libjpeg-turbo")],
)
def test_jpeg_9_is_not_the_library_of_libjpeg_turbo(library: str, words: str) -> None:
    found = meaning_of_missing(library)
    assert found is not None
    assert words in found.look


def test_a_group_of_its_name_stands_in_the_words() -> None:
    found = meaning_of_missing("libgfortran.so.4")
    assert found is not None
    assert "libgfortran4" in found.look


def test_the_note_that_the_first_line_quotes_is_shown_without_v(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write(site.parent / "log", "OSError: libmpi_cxx.so.40: cannot open shared object file: No such file\n")
    assert main(["check", "--path", str(site), "--log", str(log), "--color", "never"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].startswith("note: the log alone shows: ")
    assert any(line.startswith("note TL610 the log alone shows: ") for line in lines)
    assert any(line.startswith("  Fix: In the environment of the log: Install Open MPI") for line in lines)
