"""Tracebacks as people paste them: what they show, and which of it was first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from torchlock.check.log import read_log
from torchlock.matrix import Matrix

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
    ("WARNING: Ignoring invalid distribution ~orch (/x/site-packages)", "TL607"),
    ("ImportError: TorchCodec is required for load_with_torchcodec.", "TL305"),
    ("ModuleNotFoundError: No module named 'torchaudio'", "TL615"),
    ("The NVIDIA driver on your system is too old (found version 11040).", "TL202"),
]


def test_a_log_without_a_failure_shows_none() -> None:
    for text in ("", "Successfully installed torch-2.8.0 torchaudio-2.8.0\n", "epoch 1: loss 0.3\n" * 1000):
        assert read_log(text).first is None


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


def test_where_the_packages_were() -> None:
    text = '  File "/home/u/.local/lib/python3.10/site-packages/torch/_ops.py", line 1, in load\n' + (
        '  File "C:\\\\env\\\\Lib\\\\site-packages\\\\torchaudio\\\\__init__.py", line 1\n'.replace("\\\\", "\\")
    )
    assert read_log(text).prefixes == (
        ("torch", "/home/u/.local/lib/python3.10"),
        ("torchaudio", "C:\\env\\Lib"),
    )


def test_a_large_log_is_read_in_a_moment() -> None:
    assert read_log("a" * 10_000_000).first is None
    assert read_log(("libtorchcodec" * 300 + "\n") * 1000).first is None


def test_every_rule_that_is_named_exists() -> None:
    from torchlock.check.log import _SIGNATURES

    matrix = Matrix()
    unknown = {rule for _, rules in _SIGNATURES for rule in rules if not matrix.has(rule)}
    assert unknown <= {"TL208"}


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
