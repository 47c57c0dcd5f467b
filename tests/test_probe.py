"""The smoke test: packages that work, raise, crash and hang, in an interpreter of their own."""

from __future__ import annotations

import ast
import json
import os
import platform
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.check import TORCH
from support.site_folder import write
from torchlock.cli.main import main
from torchlock.inspect.probe import Step, probe

SMOKE = Path(__file__).parents[1] / "src" / "torchlock" / "inspect" / "smoke.py"


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def states(folder: Path, seconds: float = 30.0) -> dict[str, str]:
    result = probe(sys.executable, environ(folder), str(folder), seconds)
    assert result.problem == ""
    return {step.name: step.state for step in result.steps}


def test_what_works_is_said_to_work(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    found = states(tmp_path)
    assert found["import torch"] == "ok"
    assert found["cuda"] == "ok"


def test_an_exception_is_told_with_its_root(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    write(
        tmp_path / "torchaudio.py",
        "try:\n    raise OSError('libc10_cuda.so: cannot open')\n"
        "except OSError as error:\n    raise ImportError('no') from error\n",
    )
    step = probe(sys.executable, environ(tmp_path), str(tmp_path)).step("import torchaudio")
    assert step is not None
    assert step.state == "failed"
    assert step.text == "ImportError: no (from OSError: libc10_cuda.so: cannot open)"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_is_a_step_of_its_own_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    write(tmp_path / "torchaudio.py", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    result = probe(sys.executable, environ(tmp_path), str(tmp_path))
    step = result.step("import torchaudio")
    assert step is not None
    assert (step.state, step.text) == ("crashed", "SIGSEGV")
    assert result.step("cuda") is not None


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_shows_what_was_printed_last(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", "import os\nos.write(2, b'OMP: Error #15: twice\\n')\nos.abort()\n")
    step = probe(sys.executable, environ(tmp_path)).step("import torch")
    assert step is not None
    assert (step.state, step.text) == ("crashed", "SIGABRT")
    assert "OMP: Error #15: twice" in step.trace
    assert "Fatal Python error" in step.trace
    assert "torch.py" in step.trace


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the loader of glibc tells")
def test_the_library_that_a_crashing_process_loaded_last(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", "import os\nos.abort()\n")
    step = probe(sys.executable, environ(tmp_path)).step("import torch")
    assert step is not None
    assert ".so" in step.library


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_needs_a_torch_that_crashes_is_not_tried(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", "import os\nos.abort()\n")
    write(tmp_path / "torchaudio.py", "import torch\n")
    write(tmp_path / "soundfile.py", "raise OSError('sndfile library not found')\n")
    result = probe(sys.executable, environ(tmp_path))
    assert [(step.name, step.state) for step in result.steps] == [
        ("import torch", "crashed"),
        ("import soundfile", "failed"),
    ]
    assert Step("import torchaudio", "skipped", "torch is not imported") in result.skipped


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_crash_while_the_backends_are_listed(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    write(
        tmp_path / "torchaudio.py",
        "import os\n__version__ = '2.8.0'\ndef list_audio_backends():\n    os.abort()\n",
    )
    found = states(tmp_path)
    assert found["torchaudio.list_audio_backends"] == "crashed"
    assert found["cuda"] == "ok"


def test_each_backend_is_a_step(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    write(
        tmp_path / "torchaudio.py",
        "__version__ = '2.8.0'\ndef list_audio_backends():\n    return ['sox', 'soundfile']\n"
        "def load(path, backend):\n    raise OSError(backend)\n",
    )
    result = probe(sys.executable, environ(tmp_path))
    told = [result.step(f"load and save by {name}") for name in ("sox", "soundfile")]
    assert [step and step.text for step in told] == ["OSError: sox", "OSError: soundfile"]


def test_what_torchcodec_does_not_tell_the_loader_tells(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    suffix = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
    write(tmp_path / "torchcodec" / "__init__.py")
    write(tmp_path / "torchcodec" / "decoders.py", "raise RuntimeError('Could not load libtorchcodec. Likely')\n")
    write(tmp_path / "torchcodec" / f"libtorchcodec_core7.{suffix}", b"no library")
    step = probe(sys.executable, environ(tmp_path)).step("import torchcodec.decoders")
    assert step is not None
    head, word = step.text.splitlines()
    assert head == "RuntimeError: Could not load libtorchcodec"
    assert word.startswith(f"libtorchcodec_core7.{suffix}: ")


def test_the_test_is_read_by_the_oldest_python() -> None:
    ast.parse(SMOKE.read_text(encoding="ascii"), feature_version=(3, 6))


def test_progress_is_told_as_it_happens(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    heard: list[tuple[str, str]] = []
    probe(sys.executable, environ(tmp_path), progress=lambda step: heard.append((step.name, step.state)))
    begun, ended = heard.index(("import torch", "begun")), heard.index(("import torch", "ok"))
    assert begun < ended < heard.index(("cuda", "ok"))
    assert len(heard) == len(set(heard))


def test_the_folder_of_the_user_has_no_say_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "torchaudio.py", "raise RuntimeError('shadow')\n")
    monkeypatch.chdir(tmp_path)
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    step = probe(sys.executable, own).step("import torchaudio")
    assert step is None or "shadow" not in step.text
    step = probe(sys.executable, own, str(tmp_path)).step("import torchaudio")
    assert step is not None
    assert step.text == "RuntimeError: shadow"


def test_the_environment_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", TORCH)
    own = {key: value for key, value in environ(tmp_path).items() if key != "PYTHONDONTWRITEBYTECODE"}
    probe(sys.executable, own)
    assert [path.name for path in tmp_path.iterdir()] == ["torch.py"]


@pytest.mark.skipif(os.name != "posix", reason="a script as interpreter")
@pytest.mark.parametrize(
    "script",
    ["yes >&2", "trap '' TERM INT HUP; while :; do sleep 1; done", "(sleep 60 &) ; (setsid sleep 20 &) ; exit 0"],
)
def test_interpreters_that_misbehave(tmp_path: Path, script: str) -> None:
    fake = write(tmp_path / "python", f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = probe(str(fake), dict(os.environ), None, 2.0)
    assert result.steps == ()
    assert "before the first step" in result.problem


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_what_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    child = write(tmp_path / "child.py", f"import time\ntime.sleep(4)\nopen({str(mark)!r}, 'w')\n")
    write(
        tmp_path / "torch.py",
        "import signal, subprocess, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, {str(child)!r}])\ntime.sleep(60)\n",
    )
    assert states(tmp_path, 2.0)["import torch"] == "timed out"
    time.sleep(3)
    assert not mark.exists()


def test_what_prints_for_ever_costs_nothing(tmp_path: Path) -> None:
    write(tmp_path / "torch.py", "for i in range(200000): print('x' * 100)\n" + TORCH)
    assert states(tmp_path)["import torch"] == "ok"


@pytest.mark.skipif(os.name != "posix", reason="a script as interpreter")
def test_an_interpreter_that_is_none(tmp_path: Path) -> None:
    fake = write(tmp_path / "python", "#!/bin/sh\nexit 3\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = probe(str(fake), dict(os.environ))
    assert "exit code 3" in result.problem
    assert probe(str(tmp_path / "none"), dict(os.environ)).problem


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    write(tmp_path / "torch.py", TORCH)
    states(tmp_path)
    assert list(place.iterdir()) == []


@pytest.mark.triggers("TL614")
def test_a_failure_that_nothing_foretold_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "torchaudio"):
        write(tmp_path / name / "version.py", "__version__ = '2.8.0'\n")
        write(tmp_path / name / "__init__.py", TORCH if name == "torch" else "raise RuntimeError('of its own')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["check", "--python", sys.executable, "--probe", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    found = [each for each in report["files"][0]["findings"] if each["rule"] == "TL614"]
    assert found[0]["says"] == "RuntimeError: of its own"
    assert "and no file shows why" in found[0]["message"]


def test_what_runs_decides_over_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, version in (("torch", "2.8.0"), ("torchaudio", "2.5.1")):
        write(tmp_path / name / "version.py", f"__version__ = '{version}'\n")
        write(tmp_path / name / "__init__.py", TORCH if name == "torch" else "")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["check", "--python", sys.executable, "--format", "json"]) == 1
    capsys.readouterr()
    assert main(["check", "--python", sys.executable, "--probe", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "import torchaudio works in this interpreter" in json.dumps(report)


def compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    """The findings of a check with the smoke test, over what the test put into its folder."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    main(["check", "--python", sys.executable, "--probe", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    found: list[dict[str, Any]] = report["files"][0]["findings"]
    return found


def pair(folder: Path, torchaudio: str, version: str = "2.8.0") -> None:
    """torch 2.8.0 that works, and a torchaudio with this source."""
    for name, its, text in (("torch", "2.8.0", TORCH), ("torchaudio", version, torchaudio)):
        write(folder / name / "version.py", f"__version__ = '{its}'\n")
        write(folder / name / "__init__.py", text)


def test_an_import_that_crashes_without_a_reason_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(tmp_path, "import os\nos.abort()\n")
    found = compared(tmp_path, monkeypatch, capsys)
    assert (found[0]["rule"], found[0]["severity"]) == ("TL614", "error")
    assert found[0]["message"].startswith("import torchaudio crashes (")
    assert found[0]["says"].startswith("crashed: ")


def test_a_rule_that_the_failing_import_confirms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchaudio 2.5.1 is for another torch, and the message of its import names such a conflict."""
    says = "/env/torchaudio/lib/libtorchaudio.so: undefined symbol: _ZN2at4_ops5zerosE"
    pair(tmp_path, f"raise OSError({says!r})\n", "2.5.1")
    found = compared(tmp_path, monkeypatch, capsys)
    assert (found[0]["rule"], found[0]["severity"]) == ("TL101", "error")
    assert found[0]["says"] == f"OSError: {says}"
