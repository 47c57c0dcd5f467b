"""What a careless or hostile caller may do: nothing is lost, nothing leaks, nothing ends in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from torchlock.cli.main import main

ROOT = Path(__file__).parents[1]
TARGET = ["--python", "3.11", "--platform", "linux-x86_64", "--offline"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def torchlock(*arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **environ}
    return subprocess.run(
        [sys.executable, "-m", "torchlock", *arguments], capture_output=True, env=everything, check=False
    )


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        pytest.param("requirements.in", "six\n", ["-r", "requirements.in"], id="a requirements file"),
        pytest.param("limits.txt", "six<2\n", ["six", "-c", "limits.txt"], id="a constraints file"),
        pytest.param(
            "pyproject.toml",
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["six"]\n',
            [],
            id="the project",
        ),
        pytest.param("script.py", "# nothing of ours\n", ["six", "-U"], id="a Python file"),
    ],
)
def test_an_input_is_never_written_over(
    name: str, text: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text)
    assert main(["lock", *arguments, *TARGET, "-o", name]) == 2
    assert Path(name).read_text() == text
    assert name in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_device_is_written_to_not_replaced() -> None:
    assert main(["lock", "six", *TARGET, "-o", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "six", *TARGET, "-o", "-"]) == 0
    assert "\nsix==" in capsys.readouterr().out
    assert not Path("-").exists()


def test_no_name_can_put_a_line_into_the_lock(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\nevil-package==1.0\n#.in"
    Path(name).write_text("six\n")
    assert main(["lock", "-r", name, *TARGET]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if line.startswith("evil")]


@pytest.mark.parametrize(
    "request_", ["demo @ git+https://me:t0ken@example.org/demo.git", "demo @ https://t0ken@example.org/demo-1.zip"]
)
def test_credentials_are_not_shown(request_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", request_, "torch==2.3.1", "torchaudio==2.3.0", *TARGET]) == 1
    assert main(["lock", request_, *TARGET, "--json"]) == 0
    output = capsys.readouterr()
    assert "t0ken" not in output.err + output.out


@pytest.mark.parametrize(
    "text",
    [
        "tool = 3 # tool.torchlock",
        "tool.torchlock = 3",
        "[[tool.torchlock]]",
        '[tool.torchlock]\npython = ["3.12"]',
    ],
)
def test_wrong_types_of_settings_are_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(text)
    assert main(["lock", "six", "--offline"]) in (0, 2)
    assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ['tool = { torchlock = { python = "3.8" } }', '["tool"."torchlock"]\npython = "3.8"']
)
def test_settings_count_however_they_are_spelled(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text(text)
    assert main(["lock", "torchaudio", "--platform", "linux-x86_64", "--offline", "--no-hashes"]) == 0
    assert "torchaudio==2.4.1" in capsys.readouterr().out


def test_a_terminal_of_ascii_alone_is_no_obstacle() -> None:
    Path("ü.in").write_text("torchaudio==2.3.1\n")
    for arguments in (["lock", "--help"], ["lock", "-r", "ü.in", *TARGET]):
        process = torchlock(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="1")
        assert process.returncode == 0, process.stderr
        process.stdout.decode("ascii")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
@pytest.mark.parametrize("arguments", [["--version"], ["lock", "--help"]])
def test_no_traceback_on_a_full_disk(arguments: list[str]) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "torchlock", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environ,
            check=False,
        )
    assert b"Traceback" not in process.stderr


@pytest.mark.parametrize("request_", ["a" * 300, "torch>=" + "9" * 5000])
def test_very_long_requests_are_wrong_use(request_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", request_, *TARGET]) in (1, 2)
    assert "bug" not in capsys.readouterr().err


def test_a_symlink_to_itself_is_refused_or_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """Python 3.13 resolves such a link to itself, so that the file takes its place; earlier ones refuse."""
    Path("one").symlink_to("two")
    Path("two").symlink_to("one")
    assert main(["lock", "six", *TARGET, "-o", "one"]) in (0, 2)
    assert "bug" not in capsys.readouterr().err


def test_a_system_decides_the_target_or_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    request = ["lock", "torchaudio==2.3.1", "--python", "3.12", "--offline"]
    if sys.platform == "linux":
        assert main([*request, "--system", "alpine-3.22"]) == 1
        assert "musllinux" in capsys.readouterr().err
        assert main([*request, "--system", "debian-11"]) == 0
        assert "manylinux_2_31" in capsys.readouterr().out
    assert main([*request, "--system", "debian-12", "--platform", "macos-arm64"]) == 2


def test_a_damaged_wheel_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("demo-1.0-py3-none-any.whl").write_bytes(b"no zip")
    assert main(["lock", "./demo-1.0-py3-none-any.whl", *TARGET]) == 2
    assert "demo-1.0" in capsys.readouterr().err


def test_a_wheel_under_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    wheel = demo_wheel()
    assert main(["lock", f"other @ {wheel.resolve().as_uri()}", *TARGET]) == 2
    assert "not of other" in capsys.readouterr().err


def test_a_wheel_tells_its_python_and_its_extras(capsys: pytest.CaptureFixture[str]) -> None:
    demo_wheel("Requires-Python: >=3.14\n")
    assert main(["lock", "./demo-1.0-py3-none-any.whl", *TARGET]) == 1
    assert "requires Python >=3.14" in capsys.readouterr().err
    demo_wheel("Provides-Extra: x\nRequires-Dist: six ; extra == 'x'\n")
    assert main(["lock", "./demo-1.0-py3-none-any.whl[x]", *TARGET]) == 0
    assert "\nsix==" in capsys.readouterr().out


def demo_wheel(more: str = "") -> Path:
    path = Path("demo-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{more}")
    return path


def test_the_rule_that_forbids_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["lock", "torch<=1.13.1", "numpy>=2", "--python", "3.9", "--platform", "linux-x86_64", "--offline"]
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert "TL105" in message
    assert "!" not in message.replace("!=", "")


def test_two_pins_of_one_package_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "torch==2.3.1", "torch==2.4.0", *TARGET]) == 1
    assert "==2.3.1 and ==2.4.0 together" in capsys.readouterr().err


# Names of files that a program such as pre-commit passes on.


@pytest.mark.parametrize(
    "name", ["--fix", "--python=sub/requirements.txt", "-vrequirements.txt", "--output=x.txt"]
)
def test_a_file_is_not_taken_for_an_option(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever adds a file would otherwise turn an option on: ``--fix``, or an interpreter that is run."""
    monkeypatch.chdir(tmp_path)
    content = "torch==2.7.1\ntorchaudio==2.5.1\n"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    (tmp_path / "requirements.txt").write_text(content)
    assert main(["audit", name, "requirements.txt"]) == 2
    told = capsys.readouterr()
    assert "is an option and also the name of a file here" in told.err
    assert f"write ./{name} if" in told.err
    for words in (["--", name], [f"./{name}"]):
        main(["audit", "requirements.txt", *words])
        assert "TL101" in capsys.readouterr().out
    assert (tmp_path / name).read_text() == (tmp_path / "requirements.txt").read_text() == content
    assert main(["audit", "-", "--", "requirements.txt"]) in (1, 2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_that_a_file_names_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("limits.txt")
    Path("requirements.in").write_text("torch\n-c limits.txt\n")
    assert main(["lock", "-r", "requirements.in", "--offline"]) == 2
    assert "requirements.in:2: limits.txt: is not a regular file" in capsys.readouterr().err
    for key, value in (("output", "limits.txt"), ("requirement", "limits.txt"), ("constraint", "limits.txt")):
        Path("pyproject.toml").write_text(f'[tool.torchlock]\n{key} = "{value}"\n')
        assert main(["lock", "torch", "--offline"]) == 2
        assert "pyproject.toml:2:" in (told := capsys.readouterr().err)
        assert "a project may only name regular files" in told


def test_an_address_cannot_begin_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.torchlock]\nindex-url = "https://example.org/x\\n--find-links y"\n')
    assert main(["lock", "torch", "--offline"]) == 2
    told = capsys.readouterr().err
    assert "contains a control character" in told
    assert "\n--find-links" not in told
