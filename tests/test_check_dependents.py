"""Packages that use torchaudio, and what it no longer has: what must be left alone first."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from support.check import bad, first, run, stage_audio, stage_torch
from support.site_folder import install, write

AUDIO = """
from . import functional
try:
    from . import lib
except ImportError:
    lib = None
def load(): ...
__all__ = ["load"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """torch and torchaudio 2.11, whose module has load, functional.resample and nothing else."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, "2.11.0+cpu")
    stage_audio(folder, "2.11.0+cpu")
    for name, text in {"__init__": AUDIO, "functional": "def resample(): ...\n"}.items():
        (folder / "torchaudio" / f"{name}.py").unlink()
        write(folder / "torchaudio" / f"{name}.py", text)
    return folder


def dependent(site: Path, text: str, name: str = "singer", version: str = "1.0") -> None:
    """A package whose import reads this text, and which no rule speaks of."""
    files: dict[str, bytes | str] = {
        f"{name}/__init__.py": "from . import tracks\n",
        f"{name}/tracks.py": dedent(text),
    }
    install(site, name, version, files, headers="Requires-Dist: torchaudio\n")


def told(site: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str]]:
    report = run(capsys, "--path", site, "--ignore", "TL602")
    findings = report["files"][0]["findings"]
    return [(each["severity"], each["rule"], each["message"]) for each in findings if each["rule"] > "TL7"]


# What must be left alone.


@pytest.mark.parametrize(
    "text",
    [
        "import torchaudio\ntorchaudio.load('a')\ntorchaudio.functional.resample\ntorchaudio.__version__\n",
        "import torchaudio.functional as F\nF.resample\n",
        "import torchaudio\ntry:\n    torchaudio.set_audio_backend('sox')\nexcept AttributeError:\n    pass\n",
        "import torchaudio\nif hasattr(torchaudio, 'info'):\n    torchaudio.info\n",
        "import torchaudio\nnames = torchaudio.list_audio_backends() if old else []\n",
        "try:\n    from torchaudio.io import StreamReader\nexcept ImportError:\n    StreamReader = None\n",
        "# torchaudio.info was here\ntext = 'torchaudio.info'\n",
        "from mine import torchaudio\ntorchaudio.info\n",
        "from __future__ import annotations\nimport torchaudio\ndef f() -> torchaudio.AudioMetaData: ...\n",
        "def broken(:\n    torchaudio.info\n",
        "import torchaudio\ntorchaudio.info if 0 else" + " 1 +" * 900 + " 1\n",
    ],
)
def test_names_that_are_there_or_guarded(site: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    dependent(site, text)
    assert told(site, capsys) == []


def test_a_torchaudio_that_makes_its_names_as_they_are_asked_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "torchaudio" / "__init__.py").unlink()
    write(site / "torchaudio" / "__init__.py", AUDIO + "def __getattr__(name): ...\n")
    dependent(site, "import torchaudio\ntorchaudio.set_audio_backend('sox')\n")
    assert told(site, capsys) == []


def test_a_release_that_was_tried_is_judged_by_its_rule(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dependent(site, "import torchaudio\ntorchaudio.list_audio_backends()\n", "speechbrain", "1.1.0")
    assert told(site, capsys) == []


# What is wrong.


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import torchaudio\ntorchaudio.set_audio_backend('sox')\n", "torchaudio.set_audio_backend"),
        ("import torchaudio as ta\nclass A:\n    kind = ta.AudioMetaData\n", "torchaudio.AudioMetaData"),
        ("import torchaudio\ndef f() -> torchaudio.AudioMetaData: ...\n", "torchaudio.AudioMetaData"),
        ("import torchaudio\ndef f(a=torchaudio.io.StreamReader): ...\n", "torchaudio.io"),
        ("from torchaudio.sox_effects import apply_effects_tensor\n", "torchaudio.sox_effects"),
        (
            "from torchaudio.functional import (\n    resample,\n    apply_codec,\n)\n",
            "torchaudio.functional.apply_codec",
        ),
    ],
)
def test_an_import_that_uses_what_is_gone(
    site: Path, text: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dependent(site, text)
    torchaudio = "torchaudio 2.11.0 (CPU build)"
    assert told(site, capsys) == [
        ("warning", "TL701", f"the import of singer 1.0 uses {name}, which {torchaudio} does not have")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import torchaudio\ndef f():\n    return torchaudio.info('a')\n",
        "import torchaudio\nf = lambda: torchaudio.info('a')\n",
    ],
)
def test_a_call_of_what_is_gone_is_a_note(site: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    dependent(site, text)
    assert [(severity, rule) for severity, rule, _ in told(site, capsys)] == [("note", "TL702")]


def test_a_log_makes_it_the_cause(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dependent(site, "import torchaudio\ndef f():\n    return torchaudio.info('a')\n")
    log = write(site.parent / "log", "AttributeError: module 'torchaudio' has no attribute 'info'\n")
    finding = first(run(capsys, "--path", site, "--ignore", "TL602", "--log", log, code=0))
    assert (finding["severity"], finding["rule"]) == ("warning", "TL702")
    assert finding["says"] == "AttributeError: module 'torchaudio' has no attribute 'info'"


def test_the_name_in_the_log_comes_before_that_of_the_rule(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(site, "speechbrain", "1.0.2", {"speechbrain/__init__.py": "", "speechbrain/io.py": ""})
    text = """
  File "/env/lib/python3.11/site-packages/speechbrain/io.py", line 212, in read
    torchaudio.info(path)
AttributeError: module 'torchaudio' has no attribute 'info'
"""
    log = write(site.parent / "log", text)
    finding = first(run(capsys, "--path", site, "--ignore", "TL602", "--log", log, code=0))
    assert finding["rule"] == "TL701"
    assert finding["because"].startswith("the log shows that it uses torchaudio.info, which torchaudio 2.11.0")
    assert "torchaudio.list_audio_backends" in finding["because"]


# The command.


@pytest.mark.parametrize(
    ("name", "version", "command"),
    [
        ("speechbrain", "1.0.2", 'python -m pip install "speechbrain>=1.1,<2"'),
        ("silero-vad", "5.1", 'python -m pip install "silero-vad>=6.1,<7"'),
        ("pyannote.audio", "3.1.1", "torchaudio==2.8.0"),  # the next major of it may be another program
        ("torch-audiomentations", "0.12.0", "torchaudio==2.8.0"),  # no release of it is known to do without
    ],
)
def test_a_release_that_works_beside_the_other(
    site: Path, name: str, version: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, name, version, headers="Requires-Dist: torchaudio\n")
    report = run(capsys, "--path", site, "--ignore", "TL602", code=0)
    assert [severity for severity, _ in bad(report)] == ["warning"]
    assert command in report["command"]


def test_an_earlier_ctranslate2_under_a_later_cudnn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, "2.8.0+cu128", cuda="'12.8'")
    install(folder, "ctranslate2", "4.4.0")
    report = run(capsys, "--path", folder, code=0)
    assert ("warning", "TL207") in bad(report)
    assert report["command"] == 'python -m pip install "ctranslate2>=4.5,<5"'


@pytest.mark.parametrize(
    ("torch", "ctranslate2", "platform", "is_wrong"),
    [
        ("2.5.1+cu121", "4.4.0", "windows-amd64", True),
        ("2.3.1+cu121", "4.5.0", "windows-amd64", True),
        ("2.3.1+cu121", "4.4.0", "windows-amd64", False),
        ("2.5.1+cu121", "4.5.0", "windows-amd64", False),
        ("2.5.1+cpu", "4.4.0", "windows-amd64", False),
        ("2.5.1", "4.4.0", "macos-arm64", False),
    ],
)
def test_the_cudnn_of_ctranslate2_and_that_of_torch(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    torch: str,
    ctranslate2: str,
    platform: str,
    is_wrong: bool,
) -> None:
    """https://github.com/m-bain/whisperX/issues/1216: torch of Windows brings the same cuDNN as that of Linux."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, torch, cuda="'12.1'" if "+cu" in torch else "None")
    install(folder, "ctranslate2", ctranslate2)
    report = run(capsys, "--path", folder, "--platform", platform, code=None)
    assert (("warning", "TL207") in bad(report)) is is_wrong


def test_a_ctranslate2_that_another_package_pins_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """https://github.com/m-bain/whisperX/issues/954: torch before 2.4 brings cuDNN 8."""
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    stage_torch(folder, "2.5.1+cu124", cuda="'12.4'")
    install(folder, "ctranslate2", "4.4.0")
    install(folder, "whisperx", "3.3.0", headers="Requires-Dist: torch>=2\nRequires-Dist: ctranslate2==4.4.0\n")
    report = run(capsys, "--path", folder, code=0)
    finding = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL207")
    words = "ctranslate2 4.5 or later works with this torch, but whisperx requires ctranslate2==4.4.0"
    assert words in finding["remedy"]["summary"]
    assert "torch==2.3.1" in finding["remedy"]["commands"][0]["line"]
    assert "cu124" not in finding["remedy"]["commands"][0]["line"]  # 2.3.1 has no such build.


@pytest.mark.parametrize(("cuda", "is_later"), [("13.0", True), ("12.8", False)])
def test_a_ctranslate2_beside_a_torch_for_cuda_13(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cuda: str, is_later: bool
) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/1431: every release opens libcublas.so.12."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, f"2.12.0+cu{cuda.replace('.', '')}", cuda=repr(cuda))
    install(site, "ctranslate2", "4.4.0")
    report = run(capsys, "--path", site, "--platform", "linux-x86_64")
    finding = next(each for each in report["files"][0]["findings"] if each["rule"] == "TL207")
    line = finding["remedy"]["commands"][0]["line"]
    assert ("nvidia-cublas-cu12" in line and "LD_LIBRARY_PATH" in line) is is_later
    assert ("ctranslate2>=4.6.3" in line) is is_later
