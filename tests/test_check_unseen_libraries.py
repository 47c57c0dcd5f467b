"""What is said about libraries that are missing, or that a log shows to be missing on another system."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.check import first, image, run, stage_audio, stage_torch
from support.libraries import pe
from support.site_folder import install, write

_TAG = "cp311-cp311-win_amd64"
_OPENS = "for dll in glob.glob(os.path.join(th_dll_path, '*.dll')): load(dll)\n"


def _error(name: str) -> str:
    return (
        "OSError: [WinError 126] The specified module could not be found. Error loading "
        f'"C:\\venv\\Lib\\site-packages\\torch\\lib\\{name}" or one of its dependencies.\n'
    )


def _torch(site: Path, version: str, **needed: list[str]) -> None:
    """A torch whose DLLs need these."""
    label = version.partition("+")[2]
    cuda = f"'{label[2:4]}.{label[4:]}'" if label.startswith("cu") else None
    files: dict[str, bytes | str] = {
        "torch/__init__.py": _OPENS,
        "torch/version.py": f"__version__ = '{version}'\ncuda = {cuda}\nhip = None\n",
        "torch/_C.cp311-win_amd64.pyd": pe({"torch_cpu.dll": ["t"]}, ["PyInit__C"]),
    }
    for name, others in needed.items():
        files[f"torch/lib/{name}.dll"] = pe({other: ["g"] for other in others}, ["t"])
    install(site, "torch", version, files, tag=_TAG)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "venv" / "Lib" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def test_a_dll_under_the_one_that_the_log_names(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/pytorch/pytorch/issues/125109: torch 2.3.0, installed for one user."""
    _torch(site, "2.3.0+cpu", torch_cpu=["mkl_intel_thread.1.dll"], shm=["torch_cpu.dll"], other=[])
    log = write(tmp_path / "log", _error("shm.dll"))
    words: list[str | Path] = ["--path", site, "--platform", "windows-amd64", "--log"]
    finding = first(run(capsys, *words, log, code=1))
    assert finding["rule"] == "TL610"
    assert "no package of this environment contains it" in finding["because"]
    other = write(tmp_path / "other", _error("other.dll"))
    assert first(run(capsys, *words, other))["rule"] != "TL610"

    install(site, "mkl", "2021.4.0", {"../../user/Library/bin/mkl_intel_thread.1.dll": pe({}, ["g"])})
    report = run(capsys, *words, log, code=1)
    assert "of mkl 2021.4.0), where torch 2.3.0 does not search" in first(report)["because"]
    assert "torch==2.3.1" in report["command"]


def test_a_dll_that_is_missing_explains_the_log(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _torch(site, "2.4.0+cu121", torch_cpu=["vcomp140.dll", "torch_cuda.dll"])
    log = write(tmp_path / "log", _error("torch_cpu.dll"))
    report = run(capsys, "--path", site, "--platform", "windows-amd64", "--log", log)
    assert "vcomp140" not in " ".join(
        each["message"] for each in report["files"][0]["findings"] if each["rule"] == "TL610"
    )
    assert "torch_cuda.dll" in first(report)["message"]


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: torchaudio.sox_effects.sox_effects.apply_effects_file requires sox extension, but "
        "TorchAudio is not compiled with it. Please build TorchAudio with libsox support.",
        "RuntimeError: apply_effects_file: sox extension is not available.",
        "RuntimeError: torchaudio.sox_effects.sox_effects.apply_effects_tensor requires sox",
        "ImportError: TorchAudio sox extension is not available. Please refer to the stacktrace above.",
    ],
)
@pytest.mark.triggers("TL302")
def test_torchaudio_for_windows_has_no_sox(
    line: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _torch(site, "2.3.1+cpu", torch_cpu=[])
    version: dict[str, bytes | str] = {
        "torchaudio/__init__.py": "",
        "torchaudio/version.py": "__version__ = '2.3.1+cpu'\n",
    }
    files = {**version, "torchaudio/lib/libtorchaudio.pyd": pe({"torch_cpu.dll": ["t"]})}
    install(site, "torchaudio", "2.3.1+cpu", files, tag=_TAG)
    install(site, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x64.dll": pe({})})
    log = write(tmp_path / "log", line)
    finding = first(run(capsys, "--path", site, "--platform", "windows-amd64", "--log", log))
    assert finding["rule"] == "TL302"
    assert "torchaudio for Windows is built without libsox" in finding["message"]


@pytest.mark.parametrize(
    ("said", "error", "because"),
    [
        ("/Users/me/a.py\n", "OSError: cannot load library 'libsndfile.dylib'", "it finds none"),
        ("C:\\a\\b.pyd\n", "OSError: cannot load library 'libsndfile.dll'", "it finds none"),
        ("", "OSError: sndfile library not found using", "on which system is unknown"),
    ],
)
def test_the_system_of_a_soundfile_is_that_of_the_log(
    said: str, error: str, because: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "packages"
    site.mkdir()
    install(site, "soundfile", "0.13.1", {"soundfile.py": "__version__ = '0.13.1'\n", "_soundfile.py": ""})
    log = write(tmp_path / "log", f"{said}OSError: sndfile library not found using ctypes.util.find_library\n")
    finding = first(run(capsys, "--path", site, "--log", log))
    assert finding["rule"] == "TL301"
    assert finding["says"].startswith(error)
    assert because in finding["message"]


def test_python_itself_opens_the_core_of_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its errors are ImportErrors, also those about a library that it needs."""
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site)
    words: list[str | Path] = ["--path", site, "--root", image(site), "--platform", "linux-x86_64"]
    lib = write(site / "torch" / "lib" / "libtorch_cpu.so", "no library")
    there = "/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"  # as the machine below --root names it
    assert first(run(capsys, *words))["says"].startswith(f"ImportError: {there}: invalid ELF header")
    lib.write_bytes(b"")
    assert first(run(capsys, *words))["says"] == f"ImportError: {there}: file too short"


def test_a_runtime_that_no_package_of_this_torch_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "env" / "lib" / "python3.8" / "site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "1.10.0+cu111", cuda="'11.1'")
    stage_audio(site, "0.10.0", needed=("libtorch_cpu.so", "libcudart.so.10.2"))
    report = run(capsys, "--path", site, "--root", image(site), "--platform", "linux-x86_64")
    found = [each for one in report["files"][0]["findings"] for each in (one, *one["consequences"])]
    (because,) = [each["because"] for each in found if each["rule"] == "TL610"]
    assert because == "it is built for CUDA 10.2, and this torch is for CUDA 11.1"


def test_the_ffmpeg_that_a_log_asks_for_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is on this Mac, in a folder that dyld does not search; soundfile is the other way."""
    root = tmp_path / "root"
    site = root / "Users" / "u" / "app" / ".venv" / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    home = "/Users/u/.local/share/uv/python/cpython-3.12-macos-aarch64-none/bin"
    write(site.parents[2] / "pyvenv.cfg", f"home = {home}\nversion = 3.12.1\n")
    for name in ("torch", "torchaudio"):
        version: dict[str, bytes | str] = {
            f"{name}/__init__.py": "",
            f"{name}/version.py": "__version__ = '2.5.1'\n",
        }
        install(site, name, "2.5.1", version, tag="cp312-cp312-macosx_11_0_arm64")
    for name in ("libavutil.58", "libavcodec.60", "libavformat.60", "libavfilter.9", "libavdevice.60"):
        write(
            root / "opt" / "homebrew" / "lib" / f"{name}.dylib",
            b"\xcf\xfa\xed\xfe" + (0x0100000C).to_bytes(4, "little") + bytes(24),
        )
    log = write(tmp_path / "log", "ImportError: FFmpeg libraries are not found. Please install FFmpeg.\n")
    words: list[str | Path] = ["--path", site, "--root", root, "--platform", "macos-arm64", "--log", log]
    (finding,) = [each for each in run(capsys, *words)["files"][0]["findings"] if each["rule"] == "TL303"]
    lines = [each["line"] for each in finding["remedy"]["commands"]]
    assert lines[0] == "export DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib"
    assert "pip install soundfile" in lines[1]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("has_soundfile", [True, False])
def test_libsox_in_a_log_is_no_missing_backend(
    is_known: bool, has_soundfile: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """https://github.com/jishengpeng/WavTokenizer/issues/79: sox_effects need libsox, and soundfile has none."""
    site = tmp_path / "opt/env/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    stage_torch(site, "2.3.1+cpu")
    stage_audio(site, "2.3.1+cpu")
    if has_soundfile:
        install(site, "soundfile", "0.13.1", {"soundfile.py": "", "_soundfile_data/libsndfile_x86_64.so": ""})
    root = image(site) if is_known else None
    line = "OSError: libsox.so: cannot open shared object file: No such file or directory"
    log = write(tmp_path / "log", f"{line}\n")
    words = ["--path", site, "--platform", "linux-x86_64", "--log", log]
    finding = first(run(capsys, *words, *(["--root", root] if root else [])))
    assert (finding["rule"], finding["severity"]) == ("TL302", "warning")
    assert "libsox" in finding["remedy"]["summary"]
