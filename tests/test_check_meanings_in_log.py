"""What a line of a log means without its environment: every log of tests/scenarios/log/meanings.toml."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from support.check import run
from support.scenarios import TESTS, read_toml
from support.site_folder import install, write
from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of, described
from torchlock.check.log_releases import releases_in
from torchlock.check.rules.meanings_in_log import meanings
from torchlock.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from torchlock.finding import Finding

LOGS = read_toml(TESTS / "scenarios" / "log" / "meanings.toml", {"log"})["log"]
KEYS = {"text", "before", "after", "says", "fix", "command"}


def whole(row: dict[str, str]) -> str:
    return "\n".join(row[key] for key in ("before", "text", "after") if key in row) + "\n"


def judged(text: str) -> list[Finding]:
    log = read_log(text)
    return by_log(context_of(log), log, [])


@pytest.mark.parametrize("row", LOGS, ids=lambda row: row["text"][:60])
def test_what_a_line_means(row: dict[str, str]) -> None:
    assert row.keys() <= KEYS
    (finding,) = judged(whole(row))
    assert row["says"] in finding.message
    assert finding.remedy is not None
    assert row["fix"] in finding.remedy.summary
    assert [each.line for each in finding.remedy.commands] == ([row["command"]] if "command" in row else [])
    words = " ".join([finding.message, finding.because, finding.remedy.summary])
    assert not set("{}[]") & set(words)
    assert "  " not in words  # An empty fact.
    assert finding.severity == ("note" if finding.rule == "TL229" else "warning")


@pytest.mark.parametrize(("got", "named"), [(". Got NumPy 2.5.", "NumPy 2.5"), ("", "its NumPy")])
def test_numba_without_an_environment(got: str, named: str) -> None:
    (finding,) = judged(f"ImportError: Numba needs NumPy 2.4 or less{got}\n")
    assert finding.message == f"numba does not work with {named}: it needs numpy<2.5"


def test_every_meaning_is_in_a_log() -> None:
    said = [finding.message for row in LOGS for finding in judged(whole(row))]
    unseen = [each.says for each in meanings() if not any(_starts(each.says, message) for message in said)]
    assert unseen == []


def _starts(says: str, message: str) -> bool:
    parts = [part for part in says.partition("[")[0].replace("{", "}").split("}")[::2] if part]
    return all(part.strip() in message for part in parts)


@pytest.mark.parametrize(
    "text",
    [
        # Warnings, after which a program goes on.
        "/usr/lib/python3/dist-packages/a.py:17: RuntimeWarning: numpy.dtype size changed. Expected 96, got 88",
        "/env/torchvision/io/image.py:13: UserWarning: Failed to load image Python extension: not found",
        # Names that no table has, and calls of other packages.
        "AttributeError: module 'numpy' has no attribute 'my_function'",
        "TypeError: load() got an unexpected keyword argument 'backend'",
        "AttributeError: 'ImportError' object has no attribute 'open'",
        "ModuleNotFoundError: No module named 'mypackage'",
        # What a program does without.
        "torchvision is not installed, skipping the tests of images",
        "INFO:app:soundfile missing",
        "ModuleNotFoundError: No module named 'torchcodec_extra'",
        "AttributeError: module 'mypackage' has no attribute 'x'",
        "ModuleNotFoundError: No module named 'models.blocks'",
        "ImportError: cannot import name 'x' from 'utils' (unknown location)",
        "AttributeError: partially initialized module 'utils' has no attribute 'x' (likely a circular import)",
        "google-colab 1.0.0 requires requests==2.32.3, but you have requests 2.32.4 which is incompatible.",
        "TypeError: argument of type 'bool' is not iterable",
        "SyntaxError: source code string cannot contain null bytes",
        "/e/a.py:7: UserWarning: No audio backend is available.\n  warnings.warn('No audio backend is available')",
        # Libraries that another package uses.
        "ImportError: dlopen(/e/site-packages/x/libx.so, 6): Library not loaded: /opt/lib/libavcodec.60.dylib",
        'File "/e/site-packages/cv2/a.py", line 8\nImportError: libavcodec.so.58: cannot open shared object file',
        'File "/e/site-packages/sox/core.py", line 8\nOSError: libsox.so.3: cannot open shared object file',
        # Failures of the program.
        "TypeError: Step._run() takes 2 positional arguments but 3 were given",
        'File "/e/site-packages/transformers/a.py", line 1, in a\n    b()\nFile "/w/m.py", line 2, in b\n    c()\n'
        "TypeError: GenerationMixin.run() takes 2 positional arguments but 3 were given",
        'File "/w/m.py", line 2, in b\n    from einops.parts import X\n'
        "ImportError: cannot import name 'X' from 'einops.parts' (/w/einops/parts.py)",
        "AttributeError: 'SynthesizerTrn' object has no attribute 'foo'",
        "TypeError: train() got an unexpected keyword argument 'gpus'",
        "TypeError: mix() takes 0 positional arguments but 2 were given",
        "soundfile.LibsndfileError: Error opening 'a.wav': Format not recognised.",
        "RuntimeError: Cannot re-initialize CUDA in forked subprocess.",
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB",
    ],
)
def test_lines_that_show_no_cause(text: str) -> None:
    assert [each.message for each in judged(text + "\n") if each.severity != "note"] == []


def test_the_command_needs_one_release_of_torch() -> None:
    line = "ImportError: TorchCodec is required for load_with_torchcodec. Please install torchcodec."
    (known,) = judged(f"[pip3] torch==2.9.0\n{line}\n")
    (both,) = judged(f"[pip3] torch==2.9.0\n[pip3] torch==2.8.0\n{line}\n")
    assert known.remedy is not None
    assert both.remedy is not None
    assert (len(known.remedy.commands), both.remedy.commands) == (1, ())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("torch  2.6.0+cu124\ntorchaudio 2.6.0\n", {"torch": ("2.6.0", "cu124"), "torchaudio": ("2.6.0", "")}),
        ("Requirement already satisfied: torch in /env/lib (2.3.1+cpu)\n", {"torch": ("2.3.1", "cpu")}),
        ("Successfully installed sympy-1.13 torch-2.5.1 triton-3.1.0\n", {"torch": ("2.5.1", "")}),
        ("PyTorch version: 2.1.0+cu118\n[pip3] torch==2.1.0\n", {"torch": ("2.1.0", "cu118")}),
        (">>> torch.__version__\n'2.4.0+cu121'\n", {"torch": ("2.4.0", "cu121")}),
        (
            "- **torch**: 2.10.0+cu128\n- **torchcodec**: 0.11.0\n",
            {"torch": ("2.10.0", "cu128"), "torchcodec": ("0.11.0", "")},
        ),
        ("| torch | 2.9.1 |\n| `torchaudio` | `2.9.1` |\n", {"torch": ("2.9.1", ""), "torchaudio": ("2.9.1", "")}),
        ("torch 2.4.0\ntorch 2.5.0\n", {}),
        ("torch 2.4.0+cu121\ntorch 2.4.0+cpu\n", {}),
        ("my-torch 2.4.0\npip install torch==2.4.0\ntorchmetrics 1.0.0\n", {}),
    ],
)
def test_the_releases_that_a_log_shows(text: str, found: dict[str, tuple[str, str]]) -> None:
    assert releases_in(read_log(text)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'File "C:\\a\\Lib\\site-packages\\torch\\x.py", line 1\nPython 3.10.2\n',
            "Python 3.10 on Windows, C:\\a\\Lib",
        ),
        ("OSError: dlopen(/Users/u/a.so, 6)\n", "macOS"),
        (
            'File "/home/u/env/lib/python3.8/ctypes/__init__.py", in __init__ self._handle = _dlopen(a)\n',
            "Python 3.8 on Linux",
        ),
        ("RuntimeError\n", ""),
    ],
)
def test_the_environment_that_a_log_names(text: str, words: str) -> None:
    assert described(read_log(text)) == words


REMOVED = "AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An environment with pip alone."""
    folder = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    install(folder, "pip", "24.0", {"pip/__init__.py": ""})
    return folder


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("Python 3.8.10 (default)\n", "it names Python 3.8, this is 3.11"),
        (
            '  File "/srv/app/lib/python3.11/site-packages/torch/hub.py", line 1\n',
            "it has torch in /srv",
        ),
    ],
)
def test_a_log_of_another_environment_is_judged_alone(
    site: Path, capsys: pytest.CaptureFixture[str], before: str, why: str
) -> None:
    log = write(site.parent / "log", before + REMOVED)
    assert main(["check", "--path", str(site), "--log", str(log)]) == 0
    told = capsys.readouterr()
    assert why.replace("it has", "the log has") in told.err or why in told.err
    assert "so the log is judged alone" in told.err
    assert "uses torchaudio.list_audio_backends, which torchaudio" in told.out
    assert "in the log alone (nothing of this machine was looked at)" in told.out
    assert str(site) not in told.out


def test_a_log_without_any_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchlock.inspect import environment_choice

    nothing = environment_choice.active_environment({})._replace(python=None, looked=("/usr/bin/python3",))
    monkeypatch.setattr(environment_choice, "active_environment", lambda _: nothing)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(REMOVED.encode())))
    report = run(capsys, "--log", "-", "--gpu", "rtx-4090", "--platform", "linux-x86_64")
    assert [each["rule"] for each in report["files"][0]["findings"]] == ["TL702"]
    assert main(["check", "--log", str(write(tmp_path / "log", "nothing\n")), "--report", "-"]) == 0
    assert "only the log was read" in capsys.readouterr().out
    assert main(["check", "--probe", "--log", str(tmp_path / "log")]) == 2


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        pytest.param(
            "TL234",
            "torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found",
            marks=pytest.mark.triggers("TL234"),
        ),
        pytest.param(
            "TL235",
            "RuntimeError: Error 803: system has unsupported display driver / cuda driver combination",
            marks=pytest.mark.triggers("TL235"),
        ),
        pytest.param(
            "TL236", "AssertionError: Torch not compiled with XPU enabled", marks=pytest.mark.triggers("TL236")
        ),
        pytest.param(
            "TL313",
            "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'",
            marks=pytest.mark.triggers("TL313"),
        ),
        pytest.param(
            "TL314",
            "RuntimeError: Error opening 'a.mp3': Format not recognised.",
            marks=pytest.mark.triggers("TL314"),
        ),
        pytest.param(
            "",
            "FileNotFoundError: [WinError 2] The system cannot find the file specified",
            marks=pytest.mark.leaves_alone("TL313"),
        ),
        pytest.param(
            "",
            "RuntimeError: Error opening 'a.xyz': Format not recognised.",
            marks=pytest.mark.leaves_alone("TL314"),
        ),
        pytest.param("", "class InvalidCxxCompiler is not used", marks=pytest.mark.leaves_alone("TL234")),
        pytest.param("", "RuntimeError: Error 803 of another service", marks=pytest.mark.leaves_alone("TL235")),
        pytest.param("", "AssertionError: compiled with XPU", marks=pytest.mark.leaves_alone("TL236")),
    ],
)
def test_a_line_that_proves_everything(rule: str, line: str) -> None:
    assert [each.rule for each in judged(f"{line}\n")] == ([rule] if rule else [])
