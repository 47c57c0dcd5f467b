"""``torchlock lock`` as its users meet it: real files, real processes, exit codes, streams."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.local_index import publish
from torchlock.cli.main import main
from torchlock.solve.problem import GaveUp

LINUX = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and no settings of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("TORCHLOCK_", "PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["lock", *arguments])


# Left alone.


def test_a_lock_on_standard_output_is_the_file_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch==2.3.1", "torchaudio", *LINUX) == 0
    output = capsys.readouterr()
    assert re.fullmatch(r"note: standard output: \d+ packages locked for .*\n", output.err)
    assert "\ntorchaudio==2.3.1 \\\n    --hash=sha256:" in output.out
    assert "\ntorch==2.3.1 \\\n" in output.out
    assert output.out.endswith("\n")


def test_a_second_run_changes_no_byte() -> None:
    command = ["torchaudio", "soundfile", *LINUX, "-o", "requirements.txt"]
    assert run(*command) == 0
    first = Path("requirements.txt").read_bytes()
    assert run(*command) == 0
    assert Path("requirements.txt").read_bytes() == first
    assert b"\r" not in first


def test_pins_of_the_existing_lock_are_kept(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("filelock==3.13.1\njinja2==3.1.3\ntorch==2.3.0\n")
    assert run("torch<2.4", "torchaudio", *LINUX, "-o", "requirements.txt") == 0
    text = lock.read_text()
    assert "filelock==3.13.1 " in text
    assert "torch==2.3.0 " in text
    assert "torchaudio==2.3.0 " in text
    assert run("torch<2.4", "torchaudio", *LINUX, "-o", "requirements.txt", "-P", "torch", "-P", "torchaudio") == 0
    text = lock.read_text()
    assert "filelock==3.13.1 " in text
    assert "torch==2.3.1 " in text
    assert run("torch<2.4", "torchaudio", *LINUX, "-o", "requirements.txt", "--upgrade") == 0
    assert "filelock==3.13.1 " not in lock.read_text()


def test_a_pin_is_set_to_a_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("filelock==3.13.1\njinja2==3.1.3\ntorch==2.3.0\n")
    command = ["torch<2.4", *LINUX, "-o", "requirements.txt"]
    assert run(*command, "-P", "Torch==2.2.2", "-P", "jinja2") == 0
    text = lock.read_text()
    assert "torch==2.2.2 " in text
    assert "filelock==3.13.1 " in text
    assert "jinja2==3.1.3 " not in text
    assert "-P" not in text.splitlines()[1]
    assert run(*command) == 0
    assert "torch==2.2.2 " in lock.read_text()
    capsys.readouterr()
    assert run(*command, "-P", "torch==2.4.0") == 1
    assert "command line: --upgrade-package torch==2.4.0" in capsys.readouterr().err
    assert "torch==2.2.2 " in lock.read_text()


@pytest.mark.parametrize("value", ["", "torch[x]", "torch>=2", "./torch", "torch==", "torch==2.*.1", "torch @ x"])
def test_what_is_no_pin_is_no_upgrade(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch", *LINUX, "-P", value) == 2
    assert "--upgrade-package" in capsys.readouterr().err


def test_a_pin_that_the_snapshot_does_not_know_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("filelock==99.0\n")
    assert run("filelock", *LINUX, "-o", "requirements.txt", "--upgrade") == 0
    err = capsys.readouterr().err
    assert "downgraded  filelock  99.0 → 4.3.1  99.0 is not known as of 20" in err


def test_a_pin_in_another_spelling_did_not_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "requirements.txt").write_text("filelock==3.13.1.0\n")
    assert run("filelock", *LINUX, "-o", "requirements.txt") == 0
    assert "graded" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "asked", "said"),
    [
        (
            "filelock==3.13.1",
            ["filelock>=3.14"],
            "updated filelock 3.13.1 → 4.3.1 the command line asks for filelock>=3.14",
        ),
        (
            "numpy==2.1.0",
            ["torch==2.2.2", "numpy"],
            "downgraded numpy 2.1.0 → 1.26.4 follows torch 2.2.2: numpy 2.1.0 does not work with torch 2.2.2 (TL",
        ),
        (
            "torch==1.13.1",
            ["torch", "torchaudio>=2.1"],
            "updated torch 1.13.1 → 2.15.0 follows torchaudio 2.11.1, which needs torch>=2.11",
        ),
        ("numpy==2.5.5", ["numpy"], "2.5.5 requires Python >=3.12"),
        ("torch==1.7.0", ["torch"], "updated torch 1.7.0 → 2.15.0 1.7.0 has no wheel for Python 3.11"),
    ],
)
def test_a_pin_that_changed_is_told_with_its_reason(
    old: str, asked: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text(f"{old}\n")
    assert run(*asked, *LINUX, "-o", "requirements.txt") == 0
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("cuda-driver=550.54", "\n  2. CUDA 13.2 needs NVIDIA driver 580 or newer, because"),
        ("cuda-driver=550.54", "\n  3. the target has NVIDIA driver 550.54\n"),
        ("ffmpeg=3.4", "needs FFmpeg >=4,<8, because"),
        ("ffmpeg=3.4", "the target has FFmpeg 3.4\n"),
        ("ffmpeg=none", "the target has no FFmpeg\n"),
    ],
)
def test_a_conflict_with_the_machine_names_what_it_has(
    library: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "torch==2.15.0" if library.startswith("cuda") else "torchcodec==0.1.1"
    assert run(asked, *LINUX, "--system-lib", library) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "meant"), [("linux", "linux-x86_64 or linux-aarch64"), ("macos-arm46", "macos-arm64")]
)
def test_an_unknown_platform_is_told_what_was_meant(
    text: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("six", "--platform", text) == 2
    assert f"unknown platform '{text}'; did you mean {meant}?" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-c", "--override"])
def test_an_address_is_no_constraint(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text("torch<3\nfilelock @ https://example.org/filelock-3.13.1-py3-none-any.whl\n")
    assert run("filelock", *LINUX, option, "c.txt") == 2
    assert "c.txt:2: filelock @ https://example.org/" in capsys.readouterr().err


def test_a_variable_that_is_no_option_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("TORCHLOCK_PYTHN", "TORCHLOCK_HOUSE", "TORCHLOCK_IGNORE", "TORCHLOCK_CACHE_DIR"):
        monkeypatch.setenv(name, "3.11")
    assert run("filelock", *LINUX) == 0
    err = capsys.readouterr().err
    assert "warning: unknown environment variable TORCHLOCK_PYTHN; did you mean TORCHLOCK_PYTHON?\n" in err
    assert "warning: unknown environment variable TORCHLOCK_HOUSE\n" in err
    assert "TORCHLOCK_IGNORE" not in err
    assert "TORCHLOCK_CACHE_DIR" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--platform", "macosx_10_9_arm64"], "the first macOS for arm64 is 11.0"),
        (["--platform", "musllinux_1_2_x86_64", "--system", "conda-forge"], "its packages need glibc"),
    ],
)
def test_a_machine_that_there_is_not(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("filelock", "--python", "3.11", "--offline", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_pin_that_no_longer_works_gives_way(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("numpy==2.1.0\ntorch==2.3.1\n")
    assert run("torch==2.1.2", "torchaudio", "numpy", *LINUX, "-o", "requirements.txt") == 0
    assert "torch==2.1.2 " in lock.read_text()
    assert "numpy==1.26.4 " in lock.read_text()


def test_markers_of_the_input_are_kept_and_other_targets_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch==2.3.1 ; sys_platform == 'linux'", "pywin32 ; sys_platform == 'win32'", *LINUX) == 0
    output = capsys.readouterr()
    assert 'torch==2.3.1 ; sys_platform == "linux" \\\n' in output.out
    assert "\npywin32" not in output.out
    assert "does not apply" in output.err


def test_check_is_silent_on_a_lock_that_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["torchaudio==2.8.0", *LINUX, "-o", "requirements.txt"]
    assert run(*command) == 0
    capsys.readouterr()
    assert run(*command, "--check") == 0
    assert capsys.readouterr() == ("", "")


def test_inputs_mix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "requirements.in").write_text("torchaudio\n")
    (tmp_path / "limits.txt").write_text("torch<2.5\n")
    assert run("-r", "requirements.in", "six", "-c", "limits.txt", *LINUX) == 0
    text = capsys.readouterr().out
    assert "torch==2.4.1 " in text
    assert "\nsix==" in text
    assert "# via -r requirements.in" in text


def test_a_project_is_found_without_being_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1"\ndependencies = ["torch==2.3.1"]\n'
        '[project.optional-dependencies]\naudio = ["torchaudio"]\n'
    )
    assert run("--extra", "audio", *LINUX) == 0
    assert "torchaudio==2.3.1 " in capsys.readouterr().out


def test_overrides_replace_what_metadata_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "override.txt").write_text("fsspec==2023.1.0\n")
    assert run("torch==2.3.1", "--override", "override.txt", *LINUX) == 0
    assert "fsspec==2023.1.0 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "pins"),
    [
        ("cffi==1.17.1\ncffi==1.16.0; python_version < '3.9'\n", {"cffi==1.17.1"}),
        ("cffi>=1.17\ncffi<1.17.2\n", {"cffi==1.17.1"}),
        ("cffi; python_version < '3.9'\n", set()),
    ],
    ids=["of two Pythons", "together", "of another Python, so the package is left out"],
)
def test_an_override_counts_where_its_marker_holds(
    overrides: str, pins: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "override.txt").write_text(overrides)
    plain = ("--no-hashes", "--no-annotate")
    assert run("soundfile==0.12.1", "--override", "override.txt", *plain, *LINUX) == 0
    assert {line for line in capsys.readouterr().out.splitlines() if line.startswith("cffi")} == pins


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (
            "cffi==1.17.1\ncffi==1.16.0\n",
            "no cffi that installs here satisfies the overrides ==1.17.1 and ==1.16.0",
        ),
        ("cffi==99\n", "no cffi that installs here satisfies the override ==99"),
    ],
)
@pytest.mark.parametrize("asked", ["soundfile==0.12.1", "cffi==2.0.0"])
def test_overrides_that_no_release_satisfies_are_the_reason(
    asked: str, overrides: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "override.txt").write_text(overrides)
    assert run(asked, "--override", "override.txt", *LINUX) == 1
    said = capsys.readouterr().err
    assert reason in said
    assert "instead of" not in said


def test_the_past_is_another_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch", "torchaudio", *LINUX, "--exclude-newer", "2024-01-01") == 0
    text = capsys.readouterr().out
    assert "torch==2.1.2 " in text
    assert "torchaudio==2.1.2 " in text


def test_lowest_takes_the_oldest_that_loads(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch>=2.1", "torchaudio>=2.1", *LINUX, "--prefer", "lowest") == 0
    text = capsys.readouterr().out
    assert "torch==2.1.0 " in text
    assert "torchaudio==2.1.0 " in text


def test_json_keeps_to_its_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torchaudio==2.8.0", *LINUX, "--json") == 0
    solution = json.loads(capsys.readouterr().out)
    assert {"target", "packages", "system", "indexes"} <= solution.keys()
    packages = {package["name"]: package for package in solution["packages"]}
    assert list(packages) == sorted(packages)
    torch = packages["torch"]
    assert torch["version"] == "2.8.0"
    assert torch["rules"] == ["TL101"]
    assert "torchaudio" in torch["required_by"]
    (file,) = torch["files"]
    assert file["filename"].endswith("manylinux_2_28_x86_64.whl")
    assert file["url"].endswith(file["filename"])
    assert len(file["hashes"]["sha256"]) == 64
    assert {entry["library"] for entry in solution["system"]} >= {"libsox", "ffmpeg"}


# The classical file.


CLASSICAL = ["torch==1.13.1", "torchaudio==0.13.1", "soundfile==0.12.0", "--python", "3.10", "--offline"]


def test_the_classical_file_needs_libsndfile_where_glibc_is_old(capsys: pytest.CaptureFixture[str]) -> None:
    system = ["--system", "debian-11", "--system-lib", "glibc=2.28"]
    assert run(*CLASSICAL, "--platform", "linux-x86_64", *system) == 0
    text = capsys.readouterr().out
    needs = text[text.index("# Required from the system:") :].partition("# Bundled")[0]
    assert "libsndfile" in needs
    assert "apt-get install -y" in needs
    assert "libsndfile1" in needs
    assert "libsox" not in needs
    assert "libsox 14.4.2, in torchaudio 0.13.1" in text
    assert "numpy==2" not in text


def test_the_classical_file_needs_nothing_where_glibc_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*CLASSICAL, "--platform", "linux-x86_64", "--system-lib", "glibc=2.31") == 0
    text = capsys.readouterr().out
    assert "Required from the system" not in text
    assert "libsndfile 1.2.0, in soundfile 0.12.0" in text
    assert text[text.index("\nsoundfile==0.12.0") :].partition("# via")[0].count("--hash=") == 2


# Refused, and how.


def test_a_conflict_names_the_lines_the_reason_and_what_would_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.in").write_text("six\n\n# the pair\ntorch==2.3.1\ntorchaudio==2.3.0\n")
    Path("out.txt").write_text("old\n")
    assert run("-r", "requirements.in", *LINUX, "-o", "requirements.txt") == 1
    message = capsys.readouterr().err
    assert "requirements.in:4: torch==2.3.1" in message
    assert "requirements.in:5: torchaudio==2.3.0" in message
    assert "six" not in message
    assert "torchaudio==2.3.1 instead of torchaudio==2.3.0 (torch 2.3.1 works with torchaudio 2.3.1)" in message
    assert not Path("requirements.txt").exists()


def test_a_conflict_through_a_rule_cites_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("torch==2.15.0", "torchaudio==2.11.0", *LINUX) == 1
    message = capsys.readouterr().err
    assert "torch 2.15.0 is built for CUDA 13.2" in message
    assert "TL201" in message
    assert "sources" in message
    assert "https://" in message


def test_check_shows_the_difference_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("torch==2.3.1\n")
    assert run("torch==2.3.1", *LINUX, "-o", "requirements.txt", "--check") == 1
    output = capsys.readouterr()
    assert output.out.startswith("--- requirements.txt")
    assert "not up to date" in output.err
    assert lock.read_text() == "torch==2.3.1\n"


BAD_USE = [
    pytest.param(["--bogus"], "--bogus", id="unknown option"),
    pytest.param(["torch==2..1"], "torch==2..1", id="bad version"),
    pytest.param(["torch=2.1"], "torch==2.1", id="one equals sign"),
    pytest.param(["-r", "missing.in"], "missing.in", id="missing file"),
    pytest.param(["-r", "."], "folder", id="a folder"),
    pytest.param([], "nothing to lock", id="nothing"),
    pytest.param(["torch", "--python", "2.7"], "--python", id="bad Python"),
    pytest.param(["torch", "--python", "/no/such/python"], "--python", id="no interpreter"),
    pytest.param(["torch", "--platform", "amiga"], "--platform", id="bad platform"),
    pytest.param(["torch", "--accelerator", "cuda"], "--accelerator", id="accelerator without a version"),
    pytest.param(
        ["torch", "--accelerator", "cu128", "--platform", "macos-arm64"], "--accelerator", id="cuda on macos"
    ),
    pytest.param(["torch", "--system", "windows-3.1"], "--system", id="unknown system"),
    pytest.param(["torch", "--system-lib", "ffmpeg"], "--system-lib", id="library without version"),
    pytest.param(["torch", "--exclude-newer", "yesterday"], "--exclude-newer", id="bad date"),
    pytest.param(["torch", "--extra", "audio"], "--extra", id="extra of nothing"),
    pytest.param(["torch", "-o", "no/such/folder/lock.txt"], "no/such/folder", id="no folder to write to"),
    pytest.param(["no-such-project-here", "--offline"], "no-such-project-here", id="unknown package offline"),
    pytest.param(["--check", "torch"], "--check", id="check without a file"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD_USE)
def test_wrong_use_ends_with_two_and_one_message(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments, "--offline") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert says in output.err
    assert output.err.count("error:") == 1
    assert "Traceback" not in output.err


def test_a_file_that_cannot_be_decoded_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.in").write_bytes(b"six\ntorch==2.3.1 # \xff\xfe\n")
    assert run("-r", "requirements.in") == 2
    assert "requirements.in:2:" in capsys.readouterr().err


def test_files_that_include_each_other_are_shown_as_a_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.in").write_text("-r b.in\n")
    (tmp_path / "b.in").write_text("-r a.in\n")
    assert run("-r", "a.in") == 2
    assert "a.in → b.in → a.in" in capsys.readouterr().err


def test_an_old_lock_survives_a_failure(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("torch==2.3.1\n")
    assert run("torch==2.3.1", "torchaudio==2.3.0", *LINUX, "-o", "requirements.txt") == 1
    assert run("torch=2", *LINUX, "-o", "requirements.txt") == 2
    assert lock.read_text() == "torch==2.3.1\n"
    assert list(tmp_path.iterdir()) == [lock]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_is_an_error_not_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        process = torchlock("lock", "torch==2.3.1", *LINUX, stdout=full)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "error:" in process.stderr


def test_defaults_come_from_the_project_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.torchlock]\npython = "3.8"\nplatform = "linux-x86_64"\n')
    assert run("torchaudio", "--offline", "--no-hashes", "--no-annotate") == 0
    assert "torchaudio==2.4.1\n" in capsys.readouterr().out
    monkeypatch.setenv("TORCHLOCK_PYTHON", "3.9")
    assert run("torchaudio", "--offline", "--no-hashes", "--no-annotate") == 0
    assert "torchaudio==2.8.0\n" in capsys.readouterr().out
    (tmp_path / "pyproject.toml").write_text('[tool.torchlock]\npytho = "3.8"\n')
    assert run("torchaudio") == 2
    assert "pytho" in capsys.readouterr().err


def test_names_of_files_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-r", "\033[31mred.in") == 2
    assert "\033" not in capsys.readouterr().err


def torchlock(*arguments: str, stdout: object = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-m", "torchlock", *arguments],
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        check=False,
    )


def test_offline_opens_no_socket_and_imports_no_network_library() -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*a, **k): raise AssertionError('a socket')\n"
        "socket.socket = refuse\n"
        "from torchlock.cli.main import main\n"
        f"code = main(['lock', 'torchaudio', 'librosa', *{LINUX!r}])\n"
        "loaded = {'requests', 'ssl', 'http.client', 'email', 'importlib.metadata', 'rich', 'torch', 'tomllib'}\n"
        "print(sorted(loaded & sys.modules.keys()), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert process.returncode == 0
    assert process.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["lock", "--help"]])
def test_help_teaches(arguments: list[str]) -> None:
    process = torchlock(*arguments)
    assert process.returncode == 0
    assert "torchlock" in process.stdout


def test_version() -> None:
    assert torchlock("--version").stdout.startswith("torchlock 0.")


# Given up.


def _pigeons(folder: Path, holes: int) -> list[str]:
    """An index on which each of some packages needs a place of its own, of which there are too few."""
    places = [f"h{hole}" for hole in range(1, holes + 1)]
    numbers = range(1, holes + 2)
    files = [(f"p{pigeon}", f"{place[1:]}.0", [f"{place}=={pigeon}.0"]) for pigeon in numbers for place in places]
    files += [(place, f"{number}.0", []) for place in places for number in numbers]
    for name, version, requires in files:
        publish(folder, name, version, requires)
    return [f"p{number}" for number in numbers]


def test_a_puzzle_too_hard_to_search_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = _pigeons(tmp_path / "index", 7)
    publish(tmp_path / "index", "innocent", "1.0")
    Path("requirements.in").write_text("\n".join([*names[:4], "innocent"]))
    options = ["--python", "3.12", "--platform", "linux-x86_64", "--index-url", "./index", "-o", "lock.txt"]
    assert main(["lock", "-r", "requirements.in", *names[4:], *options]) == 1
    said = capsys.readouterr().err
    assert "each of the 8 packages" in said
    assert "requirements.in:1: p1" in said
    assert "p8" in said
    assert "innocent" not in said
    assert "bug" not in said
    assert not Path("lock.txt").exists()


def test_a_small_puzzle_is_proved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = _pigeons(tmp_path / "index", 6)
    options = ["--python", "3.12", "--platform", "linux-x86_64", "--index-url", "./index"]
    assert main(["lock", *names, *options]) == 1
    assert "these requirements conflict" in capsys.readouterr().err


def test_explain_gives_up_as_lock_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_up(*_: object) -> None:
        raise GaveUp(7, ["torch"])

    monkeypatch.setattr("torchlock.lock.preferences._solve_keeping", give_up)
    assert (
        main(["explain", "torchaudio", "numpy", "--python", "3.12", "--platform", "linux-x86_64", "--offline"])
        == 1
    )
    said = capsys.readouterr().err
    assert "gave up after 7 tries; these requirements were still in conflict: torchaudio\n" in said


# Nothing asked for.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.in", "# none\n"),
        ("pyproject.toml", "[project]\nname = 'x'\n[project.optional-dependencies]\ngpu = ['torch']\n"),
        ("setup.cfg", "[options]\npackages = x\n"),
        ("script.py", "# /// script\n# requires-python = '>=3.9'\n# ///\n"),
    ],
)
def test_an_empty_lock_is_told(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text(text)
    assert run("-r", name, *LINUX) == 0
    assert f"no requirement of {name} is selected, so the lock is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\ndynamic = ['dependencies']\n", "is dynamic"),
        ("pyproject.toml", "[tool.poetry]\nname = 'x'\n", "has no [project] table"),
        ("setup.cfg", "[options]\npackages = x\n", "has no install_requires, which setup.py sets"),
        ("setup.cfg", "[metadata]\nname = x\n", "has no [options] section"),
    ],
)
def test_requirements_that_cannot_be_read_are_refused(
    name: str, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text)
    Path("setup.py").write_text("from setuptools import setup\nsetup(install_requires=read())\n")
    assert run("-r", name, *LINUX) == 2
    assert told in capsys.readouterr().err


# A tag is a claim.


def test_a_wheel_for_the_other_build_of_python_is_not_locked(capsys: pytest.CaptureFixture[str]) -> None:
    """torch 2.6.0 has cp313-none for macOS, which pip takes for 3.13t; its extension is that of 3.13."""
    macos = ["--python", "3.13t", "--platform", "macos-arm64", "--offline"]
    assert run("torch>=1.13.1", "--prefer", "lowest", *macos, "--no-hashes") == 0
    assert "\ntorch==2.7.0\n" in capsys.readouterr().out
    assert run("torch==2.6.0", *macos) == 1
    said = capsys.readouterr().err
    assert "torch 2.6.0 needs a Python with the global interpreter lock, because" in said
    assert "TL404, measured" in said
    assert run("torch==2.6.0", "--python", "3.13", *macos[2:], "--json") == 0
    assert json.loads(capsys.readouterr().out)["system"] == []
    assert run("torch==2.7.0", "--python", "3.13t", "--platform", "linux-x86_64", "--offline") == 0


def test_wheels_that_do_not_load_are_no_files_of_the_lock(capsys: pytest.CaptureFixture[str]) -> None:
    target = ["--platform", "macos-arm64", "--offline", "--json", "--python"]
    for python, names in (("3.13t", ["cp313t"]), ("3.13", ["none"])):
        assert run("torch==2.7.0", *target, python) == 0
        files = next(each for each in json.loads(capsys.readouterr().out)["packages"] if each["name"] == "torch")[
            "files"
        ]
        assert [file["filename"].split("-")[3] for file in files] == names


def test_audit_judges_the_free_threaded_build_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Path("requirements.txt").write_text("torch==2.6.0\n")
    audit = ["audit", "requirements.txt", "--platform", "macos-arm64", "--python"]
    assert main([*audit, "3.13t"]) == 1
    assert "TL404 torch 2.6.0 on macOS (arm64) needs the global interpreter lock" in capsys.readouterr().out
    assert main([*audit, "3.13"]) == 0
    assert main(["audit", "requirements.txt", "--python", "3.13t"]) == 0
    Path("requirements.txt").write_text("torch==2.7.0\n")
    assert main([*audit, "3.13t"]) == 0
    Path("requirements.txt").write_text("torchaudio==2.5.1\n")
    assert main(["audit", "requirements.txt", "--python", "3.13t"]) == 1


# Labels, and names that nothing bears.


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            "torch==2.13.0+cpu",
            ": use --accelerator cpu, or --index-url "
            "https://download.pytorch.org/whl/cpu; it has torch 2.13.0 without a label, built for cu130",
        ),
        ("torch==2.6.0+cu111", "which was never published for Python 3.11"),
        ("numpy==1.26.4+mkl", "name the index that serves it with --index-url; it has numpy 1.26.4 without"),
        ("torch==2.13.0+acme1", ": name the index that serves it with --index-url; it has torch 2.13.0"),
    ],
)
def test_a_label_is_a_build_of_its_own(asked: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked, "--accelerator", "pypi", *LINUX) == 1
    output = capsys.readouterr()
    assert told in output.err
    assert output.out == ""
    assert "(without the label) instead of" in output.err


def test_a_labelled_release_is_judged_by_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """torchaudio 2.11.0 of the public index is for CUDA 13.0, and does not import beside a CPU build."""
    for version in ("2.11.0+cpu", "2.11.0+cu130"):
        publish(tmp_path / "index", "torch", version, tags="cp311-cp311-manylinux_2_28_x86_64")
    publish(tmp_path / "index", "torchaudio", "2.11.0+cu130", tags="cp311-cp311-manylinux_2_28_x86_64")
    options = [*LINUX[:-1], "--index-url", str(tmp_path / "index")]
    assert run("torch==2.11.0+cu130", "torchaudio", *options, "--no-hashes") == 0
    capsys.readouterr()
    assert run("torch==2.11.0+cpu", "torchaudio", *options) == 1
    assert "CPU build" in capsys.readouterr().err


def test_names_that_nothing_bears_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("over.txt").write_text("nobody==1\nnumpy<2\n")
    options = ["-P", "numpy", "--override", "over.txt", "-o", "lock.txt"]
    assert run("soundfile", *options, *LINUX, "-P", "sound-file") == 2
    said = capsys.readouterr().err
    assert "-P sound-file: the lock and the input do not contain this package; did you mean soundfile?" in said
    assert not Path("lock.txt").exists()
    assert run("soundfile", *options, *LINUX) == 0
    said = capsys.readouterr().err
    assert "over.txt:1: the override nobody==1 has no effect: nothing requires the package" in said
    assert "numpy" not in said


def test_offline_forbids_to_refresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("soundfile", *LINUX, "--refresh") == 2
    assert "--refresh asks the index, and --offline forbids it" in capsys.readouterr().err


def test_an_extra_that_a_release_does_not_have_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("librosa[Display,no_such]", *LINUX) == 0
    said = capsys.readouterr().err
    assert "requires nothing for [no-such]" in said
    assert "[display]" not in said
