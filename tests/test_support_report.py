"""``check --report``: one Markdown block for an issue, with all facts and without secrets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.check import image, remove, stage_audio
from support.check import site as site
from support.site_folder import write
from torchlock.cli.main import main
from torchlock.report.own_outputs import FOR_AN_ISSUE, is_report


def reported(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int) -> str:
    assert main(["check", *map(str, words), "--report", "-"]) == code
    return capsys.readouterr().out


@pytest.fixture
def broken(site: Path) -> Path:
    remove(site, "torchaudio")
    stage_audio(site, "2.8.0+cu128", needed=("libc10_cuda.so", "libtorch_cpu.so"))
    return site


def test_what_a_maintainer_asks_for(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = image(broken, "libavutil.so.58")
    text = reported(capsys, "--path", broken, "--root", root, code=1)
    assert text.startswith(FOR_AN_ISSUE)
    assert "<summary>torchlock check: torchaudio 2.8.0 " in text
    for line in (
        r"  Python: cpython 3\.11",
        r"  platform: manylinux_2_28_x86_64",
        r"  ffmpeg: 6",
        r"  torch 2\.8\.0\+cpu \(CPU build\) at .*/torch",
        r"  torchaudio==2\.8\.0\+cu128 \(installed by pip, cp311-cp311-manylinux_2_28_x86_64\)",
        r"error TL201 torchaudio 2\.8\.0 .*",
        r"note TL.*",
    ):
        assert re.search(f"^{line}", text, re.MULTILINE), line


def test_a_healthy_environment(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = reported(capsys, "--path", site, code=0)
    assert "ok: " in text
    assert "log:" not in text


def test_the_log_around_its_first_failure(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"line {number}" for number in range(1, 101)]
    lines[49] = "OSError: libc10_cuda.so: cannot open shared object file: No such file or directory"
    log = write(broken.parent / "log.txt", "\n".join(lines))
    text = reported(capsys, "--path", broken, "--log", log, code=1)
    assert "\n  > OSError: libc10_cuda.so" in text
    assert ("line 25\n" in text, "line 24\n" in text) == (True, False)
    assert ("line 65\n" in text, "line 66\n" in text) == (True, False)


def test_secrets_are_masked(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (info,) = broken.glob("torchaudio-*.dist-info")
    write(
        info / "direct_url.json", '{"url": "https://me:hunter22@example.org/torchaudio.whl", "archive_info": {}}'
    )
    log = write(
        broken.parent / "log.txt",
        "export HF_TOKEN=hf_0123456789abcdefghijABCDEFGHIJ\nlibc10_cuda.so: cannot open shared object file\n",
    )
    text = reported(capsys, "--path", broken, "--log", log, code=1)
    assert "example.org/torchaudio.whl" in text
    assert "export HF_TOKEN=" in text
    assert not re.search("hunter22|hf_0123", text)


def test_variables_and_the_home_folder(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}/cuda/lib64")
    monkeypatch.setenv("SECRET_PLACE", "nowhere")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    assert main(["check", "--report", "-"]) == 1
    text = capsys.readouterr().out
    assert "  LD_LIBRARY_PATH=~/cuda/lib64" in text
    assert "  path: ~/env/lib/python3.11/site-packages (pythonpath)" in text
    assert "nowhere" not in text
    assert str(tmp_path) not in text


def test_fences_in_the_log_do_not_end_the_block(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(broken.parent / "log.txt", "````\nOSError: libc10_cuda.so: cannot open shared object file\n````\n")
    text = reported(capsys, "--path", broken, "--log", log, code=1)
    assert text.count("`````text\n") == 1
    assert text.endswith("\n`````\n\n</details>\n")


def test_beside_the_report(broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.md"
    for _ in range(2):  # An earlier report is replaced.
        assert main(["check", "--path", str(broken), "--json", "--report", str(path)]) == 1
        assert capsys.readouterr().out.startswith("{")
    assert is_report(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--report", "notes.md"], "it is not a report of torchlock"),
        (["--report", "-", "--json"], "both write to standard output"),
        (["--report", "out.md", "--export"], "--export writes the installed packages"),
    ],
)
def test_refusals(
    words: list[str], said: str, broken: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(broken.parent)
    Path("notes.md").write_text("# My notes\n", encoding="utf-8")
    assert main(["check", "--path", str(broken), *words]) == 2
    assert said in capsys.readouterr().err
    assert Path("notes.md").read_text(encoding="utf-8") == "# My notes\n"
