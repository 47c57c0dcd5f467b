"""Libraries that a log names and that no installer of Python put there: pip is never the remedy."""

from __future__ import annotations

import pytest

from torchlock.check import by_log
from torchlock.check.log import read_log
from torchlock.check.log_alone import context_of
from torchlock.finding import Finding

SHORT = "OSError: {0}: file too short\n"
OTHER = (
    "OSError: dlopen({0}, 0x0006): tried: '{0}' (mach-o file, but is an incompatible architecture "
    "(have 'x86_64', need 'arm64'))\n"
)


def judged(text: str) -> Finding:
    log = read_log(text)
    (finding,) = by_log(context_of(log), log, [])
    return finding


@pytest.mark.parametrize(
    ("line", "path", "owner", "fix"),
    [
        (
            SHORT,
            "/home/u/R/x86_64-pc-linux-gnu/4.0/site-library/torch/deps/liblantern.so",
            "torch of R",
            "install_torch(",
        ),
        (
            SHORT,
            "/home/u/R/x86_64-pc-linux-gnu-library/4.3/tuneR/libs/tuneR.so",
            "tuneR of R",
            "install.packages(",
        ),
        (SHORT, "/usr/lib/x86_64-linux-gnu/libsndfile.so.1", "the system", "dpkg -S"),
        (SHORT, "/home/u/miniconda3/envs/tts/lib/libsndfile.so.1", "conda", "conda install"),
        (
            SHORT,
            "/opt/homebrew/Cellar/libsndfile/1.2.0/lib/libsndfile.dylib",
            "libsndfile of Homebrew",
            "brew reinst",
        ),
        (
            OTHER,
            "/Applications/Reaper.app/Contents/Plugins/libfoo.dylib",
            "application Reaper",
            "Install it again",
        ),
        (
            OTHER,
            "/Library/Audio/Plug-Ins/VST3/Eq.vst3/Contents/MacOS/libeq.dylib",
            "plug-in Eq",
            "Install it again",
        ),
        (SHORT, "/home/u/.steam/steamapps/common/Game X/libgame.so", "Game X, a game", "Let Steam check"),
    ],
)
def test_the_owner_of_a_path_repairs_it(line: str, path: str, owner: str, fix: str) -> None:
    finding = judged(line.format(path))
    assert finding.rule in ("TL607", "TL608")
    assert f"{path} belongs to " in finding.because
    assert owner in finding.because
    assert finding.remedy is not None
    assert fix in finding.remedy.summary
    assert "pip" not in finding.remedy.summary


@pytest.mark.parametrize("line", [SHORT, OTHER])
@pytest.mark.parametrize("path", ["/Users/u/game/playsound/libplay.osx.so", "/home/u/project/build/libmine.so"])
def test_an_unknown_owner_has_no_remedy(line: str, path: str) -> None:
    finding = judged(line.format(path))
    assert finding.remedy is None
    assert finding.because.endswith(f"it is in {path.rpartition('/')[0]}, where no installer of Python put it")


def test_what_another_program_lacks_is_not_installed_by_pip() -> None:
    finding = judged(
        "java.lang.UnsatisfiedLinkError: /root/.djl.ai/pytorch/2.1.1-cu121-linux-x86_64/libtorch_cuda.so: "
        "libcudnn.so.8: cannot open shared object file: No such file or directory\n"
    )
    assert "belongs to DJL" in finding.because
    assert finding.remedy is None


@pytest.mark.parametrize(
    "path",
    [
        "/home/u/venv/lib/python3.10/site-packages/torch/lib/libtorch_cpu.so",
        "/opt/conda/lib/python3.10/site-packages/soundfile_data/libsndfile.so",
        "/home/u/src/audio/torchaudio/lib/libtorchaudio.so",
        "/home/u/src/ext/my_ops.cpython-310-x86_64-linux-gnu.so",
    ],
)
def test_a_library_of_python_is_installed_again(path: str) -> None:
    finding = judged(SHORT.format(path))
    assert finding.remedy is not None
    assert "pip install --force-reinstall" in finding.remedy.summary
