"""Tracebacks as people paste them: what they show, and which of it was first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.call_count import calls
from support.check import bad, run
from support.site_folder import install, write
from torchlock.check.log import candidates, decoded, read_log
from torchlock.check.log_order import chosen, remarks
from torchlock.check.log_place import elsewhere, taken_as
from torchlock.check.log_signatures import signatures
from torchlock.cli.main import main
from torchlock.finding import Finding
from torchlock.knowledge.rules import Matrix

TAG = "cp311-cp311-win_amd64"
REPORTS = Path(__file__).parents[2] / "shared" / "failures" / "reports.json"

LINES = [
    ("OSError: libc10_cuda.so: cannot open shared object file: No such file or directory", "TL201"),
    ("RuntimeError: Detected that PyTorch and TorchAudio were compiled with different CUDA versions.", "TL201"),
    ("OSError: /x/torchaudio/lib/libtorchaudio.so: undefined symbol: torch_library_impl", "TL101"),
    ("ImportError: dlopen(/x/_torchaudio.so): Symbol not found: __ZN3c106detail", "TL101"),
    ("OSError: [WinError 127] The specified procedure could not be found.", "TL101"),
    ("RuntimeError: Could not load libtorchcodec. Likely causes:", "TL304"),
    ("OSError: /x/libtorchcodec_core4.so: undefined symbol: torch_from_blob", "TL102"),
    ("RuntimeError: Couldn't find appropriate backend to handle uri x.wav and format None.", "TL306"),
    ("OSError: libsox.so: cannot open shared object file", "TL302"),
    ("OSError: sndfile library not found using ctypes.util.find_library", "TL301"),
    ("ImportError: /lib/libc.so.6: version `GLIBC_2.28' not found (required by x)", "TL612"),
    ("RuntimeError: operator torchvision::nms does not exist", "TL103"),
    ("RuntimeError: Numpy is not available", "TL105"),
    ("AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'", "TL701"),
    ("WARNING: Ignoring invalid distribution ~orch (/x/site-packages)", "TL603"),
    ("ImportError: TorchCodec is required for load_with_torchcodec.", "TL305"),
    ("ModuleNotFoundError: No module named 'torchaudio'", "TL615"),
    ("Could not load library libcudnn_ops_infer.so.8. Error: libcudnn_ops_infer.so.8: cannot open", "TL207"),
    ("OSError: /x/libcusparse.so.12: undefined symbol: __nvJitLinkAddData_12_1", "TL613"),
    ("OSError: /x/torchvision/_C.so: undefined symbol: _ZN3c106detail23torchInternalAssertFailE", "TL103"),
    ("ImportError: /x/flash_attn_2_cuda.so: undefined symbol: _ZN3c105ErrorC2ENS_14SourceLocationE", "TL611"),
    ("OSError: /x/libsndfile.dylib' (mach-o file, but is an incompatible architecture (have 'x86_64'", "TL608"),
    ("AssertionError: Torch not compiled with CUDA enabled", "TL209"),
    ("AttributeError: `np.NaN` was removed in the NumPy 2.0 release.", "TL703"),
    ("ModuleNotFoundError: No module named 'torchvision.transforms.functional_tensor'", "TL705"),
    ("torchaudio 2.8.0 requires torch==2.8.0, but you have torch 2.9.1 which is incompatible.", "TL609"),
    ("sm_120 is not compatible with the current PyTorch installation.", "TL208"),
    ('OSError: [WinError 126] The specified module could not be found. Error loading "fbgemm.dll"', "TL610"),
    ("The NVIDIA driver on your system is too old (found version 11040).", "TL202"),
]


def test_a_log_without_a_failure_shows_none() -> None:
    for text in ("", "Successfully installed torch-2.8.0 torchaudio-2.8.0\n", "epoch 1: loss 0.3\n" * 1000):
        assert read_log(text).first is None


@pytest.mark.parametrize(
    "line",
    [
        "Downloading nvidia_nvjitlink_cu12-12.8.93-py3-none-manylinux2010_x86_64.whl (39 MB)",
        "Collecting nvidia-cudnn-cu12==9.10.2.21",
        "Setting up libsndfile1:amd64 (1.2.0-1) ...",
        "RUN apt-get install -y libsox-dev libavutil-dev libsndfile1",
        "  copying libcudart.so.12 -> build/lib/libcudart.so.12",
        "torch.cuda.get_arch_list() -> ['sm_80', 'sm_120']",
        'File "/venv/lib/python3.11/site-packages/torchaudio/__init__.py", line 2, in <module>',
    ],
)
def test_what_installers_print_is_no_failure(line: str) -> None:
    assert read_log(line).first is None


@pytest.mark.parametrize("prefix", ["", "    ", "web-1  | ", "2026-11-23T10:00:0{}Z "])
def test_the_code_of_a_frame_is_no_error(prefix: str) -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 9, in load',
        "    raise OSError('sndfile library not found') from None",
        '  File "/app/main.py", line 12, in <module>',
        "    load(",
        "        'libsox.so: cannot open shared object file',",
        "    ~~~~^^^^",
        "OSError: libcudart.so.13: cannot open shared object file: No such file or directory",
    ]
    text = "".join(f"{prefix.format(at)}{line}\n" for at, line in enumerate(lines))
    assert [each.line for each in read_log(text).signatures] == [8]


@pytest.mark.parametrize(("line", "rule"), LINES)
def test_known_failures(line: str, rule: str) -> None:
    (signature,) = read_log(f"Traceback (most recent call last):\n{line}\n").signatures
    assert signature.rules[0] == rule
    assert signature.line == 2


def test_colours_time_stamps_and_windows_line_ends() -> None:
    text = "2026-11-23T10:00:00Z \x1b[31mOSError: libcudart.so.13: cannot open shared object file\x1b[0m\r\n"
    first = read_log(text).first
    assert first is not None
    assert "TL201" in first.rules
    assert "\x1b" not in first.text


def test_a_second_failure_is_not_the_first() -> None:
    text = (
        "AttributeError: partially initialized module 'torchaudio' has no attribute 'lib'\n"
        "OSError: libc10_cuda.so: cannot open shared object file\n"
    )
    first = read_log(text).first
    assert first is not None
    assert first.rules[0] == "TL201"


BLOCK = """\
RuntimeError: Could not load libtorchcodec. Likely causes:
          1. FFmpeg is not properly installed in your environment. We support versions 4, 5, 6, 7 and 8.
          2. The PyTorch version (2.8.0+cu128) is not compatible with this version of TorchCodec.
FFmpeg version 8:
OSError: libavutil.so.60: cannot open shared object file: No such file or directory
FFmpeg version 7:
OSError: {seven}
FFmpeg version 4:
OSError: libavutil.so.56: cannot open shared object file: No such file or directory
"""


def test_of_many_attempts_that_counts_which_was_not_bound_to_fail() -> None:
    symbol = "/x/torchcodec/libtorchcodec_core7.so: undefined symbol: torch_from_blob"
    cases = {
        symbol: "TL102",
        "libnppicc.so.12: cannot open shared object file": "TL610",
        "libavutil.so.59: cannot open shared object file: No such file or directory": "TL304",
    }
    for seven, rule in cases.items():
        first = read_log(BLOCK.format(seven=seven)).first
        assert first is not None
        assert first.rules[0] == rule, seven


def test_the_names_in_a_line() -> None:
    line = "12:30:01.5 OSError: /x/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN3c106detail19maybe"
    (found,) = read_log(line).signatures
    assert (found.library, found.symbol) == ("libtorchaudio.so", "_ZN3c106detail19maybe")
    assert found.text.startswith("OSError: ")
    line = "Detected that PyTorch and TorchAudio were compiled with different CUDA versions. "
    (found,) = read_log(
        line + "PyTorch has CUDA version 12.8 whereas TorchAudio has CUDA version 12.6."
    ).signatures
    assert found.versions == ("12.8", "12.6")
    (found,) = read_log("ModuleNotFoundError: No module named 'torchcodec.decoders'").signatures
    assert found.module == "torchcodec.decoders"


@pytest.mark.parametrize(
    "prefix",
    [
        "2026-11-23T10:00:00.1234567Z ",
        "build\tRun tests\t2026-11-23T10:00:00.1234567Z ",
        "web-1  | ",
        "#12 34.56 ",
        "[12:00:01] ",
        "\x1b[0K\x1b[31;1m",
        "\x1b]0;title\x07",
    ],
)
def test_what_a_ci_puts_before_a_line_is_not_part_of_it(prefix: str) -> None:
    (found,) = read_log(prefix + "OSError: libsox.so: cannot open shared object file").signatures
    assert found.text == "OSError: libsox.so: cannot open shared object file"


def test_typographic_quotes_and_a_log_of_two_byte_characters() -> None:
    assert candidates(read_log("No module named ‘torchaudio’"))[0] == "TL615"
    windows = "ModuleNotFoundError: No module named 'torchaudio'\r\n".encode("utf-16").decode("utf-8", "replace")
    assert candidates(read_log(windows))[0] == "TL615"


def frames(torch: str, torchaudio: str) -> str:
    return f'  File "{torch}/torch/_ops.py", line 1\n  File "{torchaudio}/torchaudio/__init__.py", line 2\n'


def test_one_environment_is_not_taken_for_two() -> None:
    site = "/v/lib/python3.9/site-packages"
    assert not read_log(frames(site, site)).split
    assert not read_log(frames(site, site.replace("lib/", "lib64/"))).split
    assert not read_log(frames("C:\\Env\\Lib\\site-packages", "c:/env/lib/site-packages")).split


def test_two_environments_in_one_traceback_come_first() -> None:
    log = read_log(
        frames("/home/u/.local/lib/python3.9/site-packages", "/opt/c/lib/python3.9/site-packages")
        + "OSError: [WinError 127] The specified procedure could not be found\n"
    )
    assert log.split
    assert candidates(log)[:2] == ("TL606", "TL101")
    assert log.pythons == ("3.9",)


def test_the_finding_that_the_log_shows_comes_first() -> None:
    findings = [Finding("TL303", "warning", "a"), Finding("TL101", "error", "b"), Finding("TL302", "note", "c")]
    log = read_log("OSError: /x/torchaudio/lib/libtorchaudio.so: undefined symbol: torch_library_impl")
    assert [each.rule for each in chosen(log, findings)] == ["TL101", "TL303", "TL302"]
    assert [each.rule for each in chosen(read_log(""), findings)] == ["TL303", "TL101", "TL302"]


def test_a_log_of_this_environment_has_no_remark() -> None:
    site = "/v/lib/python3.9/site-packages"
    log = read_log(frames(site, site) + "OSError: libsox.so: cannot open shared object file")
    assert elsewhere(log, [site]) == ""
    assert remarks(log, [Finding("TL302", "warning", "a")]) == []


def test_a_log_of_another_environment_is_told() -> None:
    site = "/v/lib/python3.9/site-packages"
    log = read_log(frames(site, site) + "OSError: libsox.so: cannot open shared object file")
    told = elsewhere(log, ["/v2/lib/python3.9/x"])
    assert "another environment: it has torch in /v/lib/python3.9" in told
    told = elsewhere(log, ["/home/u/project", "/w/lib/python3.9/site-packages"])
    assert told.endswith("this is /w/lib/python3.9/site-packages")
    assert remarks(log, [Finding("TL302", "warning", "a")], told) == [told]
    log = read_log("Python 3.9.2 (main)\nOSError: libsox.so: cannot open shared object file")
    told = elsewhere(log, ["/v/lib/python3.11/site-packages"])
    assert told == "the log is from another environment: it names Python 3.9, this is 3.11"
    assert elsewhere(log, ["/v/lib/python3.9/site-packages"]) == ""


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("C:\\work\\venv\\Lib\\site-packages", "/tmp/copy/venv/Lib/site-packages"),
        ("/home/u/venv/lib/python3.9/site-packages", "/mnt/copy/VENV/lib64/python3.9/site-packages"),
    ],
)
def test_a_copy_of_an_environment_may_be_the_one_that_the_log_is_of(prefix: str, folder: str) -> None:
    log = read_log(frames(prefix, prefix))
    assert elsewhere(log, [folder], moved=True) == ""
    assert elsewhere(log, [folder]) != ""


@pytest.mark.parametrize(
    ("place", "system"),
    [("D:\\Python39\\Lib\\site-packages", "windows"), ("/opt/conda/lib/python3.9/site-packages", "linux")],
)
def test_the_path_of_a_copy_says_nothing(place: str, system: str) -> None:
    """A tree that is named with --path may be a copy, and the log is of the machine that it is from."""
    log = read_log(frames(place, place))
    folders = ["/copy/b/Lib/site-packages"]
    assert elsewhere(log, folders, moved=True, system=system) == ""
    assert "it is read as a log of this environment" in taken_as(log, folders)
    assert "another environment" in elsewhere(log, folders, system=system)


@pytest.mark.parametrize("rooted", [False, True])
def test_the_path_of_an_environment_of_this_machine_says_which_one_it_is(rooted: bool, tmp_path: Path) -> None:
    place = "/opt/b/lib/python3.11/site-packages" if rooted else str(tmp_path / "lib/python3.11/site-packages")
    (tmp_path / ("opt/b" if rooted else "") / "lib/python3.11/site-packages/torch").mkdir(parents=True)
    log = read_log(frames(place, place))
    assert "another environment" in elsewhere(
        log, ["/copy/c/lib/python3.11/site-packages"], moved=True, root=str(tmp_path) if rooted else ""
    )


def test_the_paths_of_another_system_are_of_another_environment() -> None:
    place = "C:\\work\\venv\\Lib\\site-packages"
    log = read_log(frames(place, place))
    told = elsewhere(log, ["/tmp/x/lib/python3.9/site-packages"], moved=True, system="linux")
    assert told == "the log is from another environment: its paths are of Windows, this is for Linux"
    assert elsewhere(log, ["/tmp/x/Lib/site-packages"], moved=True, system="windows") == ""


def test_a_path_without_a_drive_is_one_of_windows() -> None:
    place = "\\.venv\\Lib\\site-packages"
    assert (
        elsewhere(read_log(frames(place, place)), ["C:\\x\\Lib\\site-packages"], moved=True, system="windows")
        == ""
    )


@pytest.mark.parametrize(
    ("line", "mine", "is_strange"),
    [
        ("2. The PyTorch version (2.8.0+cu128) is not compatible with this version", ("2.8.0", "cu128"), False),
        ("2. The PyTorch version (2.8.0+cu128) is not compatible with this version", ("2.8.0", "cu126"), True),
        ("2. The PyTorch version (2.8.0+cu128) is not compatible with this version", ("2.9.1", "cu128"), True),
        ("x 1.0 requires torch==2.8.0, but you have torch 2.9.1 which is incompatible.", ("2.9.1", ""), False),
        ("x 1.0 requires torch==2.8.0, but you have torch 2.9.1 which is incompatible.", ("2.8.0", ""), True),
        ("different CUDA versions. PyTorch has CUDA version 12.8 whereas", ("2.8.0", "cu128"), False),
        ("different CUDA versions. PyTorch has CUDA version 12.8 whereas", ("2.8.0", "cu126"), True),
        ("different CUDA versions. PyTorch has CUDA version 12.8 whereas", ("2.8.0", "cpu"), False),
    ],
)
def test_a_log_that_names_other_versions_is_of_another_environment(
    line: str, mine: tuple[str, str], is_strange: bool
) -> None:
    assert bool(elsewhere(read_log(line), ["/v"], {"torch": mine})) is is_strange


def test_where_the_packages_were() -> None:
    text = '  File "/home/u/.local/lib/python3.10/site-packages/torch/_ops.py", line 1, in load\n' + (
        '  File "C:\\\\env\\\\Lib\\\\site-packages\\\\torchaudio\\\\__init__.py", line 1\n'.replace("\\\\", "\\")
    )
    assert read_log(text).prefixes == (
        ("torch", "/home/u/.local/lib/python3.10"),
        ("torchaudio", "C:\\env\\Lib"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "libtorchcodec",
        "torchaudio",
        "libcudnn_a",
        "lib/python3",
        'File "/',
        "\x1b[0;",
        "/site-packages/torch/",
    ],
)
def test_a_large_log_is_read_in_linear_work(line: str) -> None:
    for end in ("", " error undefined symbol: "):
        text = (line * (3000 // len(line)) + end + "\n") * 25
        assert calls(lambda text=text: read_log(text)) < len(text)


def test_both_ends_of_a_log_that_is_too_large_are_read() -> None:
    noise = "epoch 1: loss 0.3, accuracy 0.91, learning rate 0.0003, 12.5 samples a second\n" * 80_000
    text = "OSError: libsox.so: cannot open\n" + noise + "RuntimeError: Numpy is not available\n"
    found = read_log(text).signatures
    assert [each.rules[0] for each in found] == ["TL302", "TL105"]
    assert [each.line for each in found] == [1, 80_002]


def test_every_rule_that_is_named_exists() -> None:
    matrix = Matrix()
    assert {rule for known in signatures() for rule in known.rules if not matrix.has(rule)} == set()


@pytest.mark.skipif(not REPORTS.exists(), reason="the reports are not part of the project")
def test_real_reports_that_quote_an_error_of_python() -> None:
    rows = json.loads(REPORTS.read_text(encoding="utf-8"))["reports"]
    quoted = [row for row in rows if row["error_kind"].startswith("quoted") and row["family"] in "ABCDGHIKLMN"]
    missed = []
    for row in quoted:
        error = row["error"] if isinstance(row["error"], str) else "\n".join(row["error"])
        if read_log(error).first is None:
            missed.append((row["id"], error[:100]))
    assert len(quoted) > 40
    assert len(missed) <= 8, missed


def test_two_openmp_runtimes_are_told_to_who_met_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "Lib" / "site-packages"
    install(site, "torch", "2.5.1", {"torch/__init__.py": "", "torch/lib/libiomp5md.dll": "MZ"}, tag=TAG)
    install(
        site, "ctranslate2", "4.4.0", {"ctranslate2/__init__.py": "", "ctranslate2/libiomp5md.dll": "MZ"}, tag=TAG
    )
    options = ["--path", site, "--platform", "windows-amd64"]
    assert not [each for each in bad(run(capsys, *options)) if each[1] == "TL613"]
    log = write(
        tmp_path / "log",
        "OMP: Error #15: Initializing libiomp5md.dll, but found libiomp5md.dll already initialized.",
    )
    report = run(capsys, *options, "--log", log)
    assert ("warning", "TL613") in bad(report)
    assert "KMP_DUPLICATE_LIB_OK=TRUE only hides the problem" in str(report)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_logs_of_any_encoding(encoding: str) -> None:
    """PowerShell writes UTF-16; a part of such a file has no mark at its start."""
    text = (
        "Fehler: Modul für torch nicht geladen\r\n[WinError 127] The specified procedure could not be found.\r\n"
    )
    log = read_log(decoded(text.encode(encoding)))
    assert log.first is not None
    assert log.first.rules[0] == "TL101"


# What a log is held against.


def torch_alone(tmp_path: Path, label: str = "+cpu") -> Path:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    files: dict[str, bytes | str] = {
        "torch/__init__.py": "",
        "torch/version.py": f"__version__ = '2.13.0{label}'\n",
    }
    install(site, "torch", f"2.13.0{label}", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    return site


def checked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, site: Path, text: str
) -> tuple[list[tuple[str, str]], str]:
    """The findings that are no notes, and what was said of the log."""
    log = write(tmp_path / "log", text)
    main(["check", "--path", str(site), "--log", str(log), "--format", "json"])
    out, said = capsys.readouterr()
    return bad(json.loads(out)), said


def test_what_the_log_brings_up_is_not_denied_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "ModuleNotFoundError: No module named 'torchaudio'"
    found, said = checked(capsys, tmp_path, torch_alone(tmp_path), text)
    assert found == [("error", "TL615")]
    assert "nothing was found" not in said


@pytest.mark.leaves_alone("TL209")
def test_a_module_that_is_missing_is_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "ModuleNotFoundError: No module named 'torch'"
    found, said = checked(capsys, tmp_path, torch_alone(tmp_path), text)
    assert found == []
    assert "no finding explains this line of the log: ModuleNotFoundError" in said


@pytest.mark.triggers("TL209")
def test_a_cpu_build_refuses_cuda(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "AssertionError: Torch not compiled with CUDA enabled"
    assert checked(capsys, tmp_path, torch_alone(tmp_path), text) == ([("warning", "TL209")], "")
    assert checked(capsys, tmp_path / "other", torch_alone(tmp_path / "other", "+cu130"), text)[0] == []


@pytest.mark.parametrize(
    ("text", "is_explained"),
    [
        ("OSError: libcudart.so.13: cannot open shared object file", True),
        ("OSError: libc10_cuda.so: cannot open shared object file", True),
        ("libcusparse.so.12: undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12", False),
        ("OSError: sndfile library not found", False),
        ("Could not load library libcudnn_ops_infer.so.8. Error: cannot open shared object file", False),
    ],
)
def test_the_library_that_a_log_names_is_the_one_that_is_wanting(text: str, is_explained: bool) -> None:
    missing = Finding("TL610", "error", "libtorchaudio.so of torchaudio needs libc10_cuda.so, which is not found")
    said = remarks(read_log(text), [Finding("TL201", "error", "built for CUDA", consequences=(missing,))])
    assert bool(said) is not is_explained


def test_an_echo_is_not_said_to_be_a_cause() -> None:
    text = "AttributeError: partially initialized module 'torchaudio' has no attribute 'lib'"
    (said,) = remarks(read_log(text), [Finding("TL101", "error", "torchaudio needs torch 2.1")])
    assert "asked torchaudio for a name while that was being imported" in said and "shows no cause" in said
    (said,) = remarks(read_log("ImportError: dlopen(x.so): image not found"), [])
    assert "may follow an earlier failure" in said


def test_a_crash_may_come_of_what_only_metadata_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = torch_alone(tmp_path, "+rocm7.0.0.lw.git1")
    install(
        site,
        "torchaudio",
        "2.8.0a0+rocm7.0.0.git2",
        {"torchaudio/__init__.py": ""},
        headers="Requires-Dist: torch (==2.8.0)\nRequires-Dist: absent\n",
    )
    assert ("warning", "TL609") not in checked(capsys, tmp_path, site, "nothing")[0][:1]
    assert checked(capsys, tmp_path, site, "Segmentation fault (core dumped)")[0][0] == ("warning", "TL609")


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: torch-2.0.1-cp310-cp310-win_amd64.whl is not a supported wheel on this platform.",
        "Downloading cryptography-42.0.5-cp37-abi3-manylinux_2_28_x86_64.whl (4.6 MB)",
    ],
)
def test_a_wheel_for_another_python_does_not_say_which_one_runs(line: str) -> None:
    assert read_log(line).pythons == ()
    assert read_log(line.replace("abi3", "cp37").replace(" not a supported", "")).pythons != ()


def test_a_log_too_large_for_memory_is_read_at_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlock.check.log import decoded
    from torchlock.manifests import text

    monkeypatch.setattr(text, "_LIMIT", 2000)
    monkeypatch.setattr(text, "_PIECE", 100)
    path = tmp_path / "log.txt"
    path.write_text("the first\n" + "noise\n" * 5000 + "the last\n")
    ends = text.read_ends(str(path))
    assert len(ends.head) == 1000
    assert len(ends.tail) <= 1000
    assert len(ends.head) + ends.skipped + len(ends.tail) == path.stat().st_size
    lines = decoded(ends.head, ends.lines, ends.tail).split("\n")
    assert (lines[0], lines.index("the last")) == ("the first", 5001)


def test_a_log_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlock.errors import InputError
    from torchlock.manifests import text

    monkeypatch.setattr(text, "_LIMIT", 2000)
    monkeypatch.setattr(text, "_PIECE", 100)
    monkeypatch.setattr(text, "_MOST_SKIPPED", 10_000)
    path = tmp_path / "log.txt"
    path.write_bytes(bytes(20_000))
    with pytest.raises(InputError, match="is too large"):
        text.read_ends(str(path))
