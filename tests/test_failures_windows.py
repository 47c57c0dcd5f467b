"""Failures on Windows, staged from real wheels: their cause, the remedy, and the proof that it cures."""

from __future__ import annotations

import struct

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site, uses_of
from torchlock.knowledge.cuda_libraries import with_cuda

SITE = "C:\\venv\\Lib\\site-packages"
RUNTIME = ("MSVCP140.dll", "VCRUNTIME140.dll", "VCRUNTIME140_1.dll")
INIT_FAILED = "[WinError 1114] A dynamic link library (DLL) initialization routine failed."
NOT_FOUND = "[WinError 126] The specified module could not be found."


def loading(library: str, error: str = NOT_FOUND) -> str:
    """What torch prints for one of its DLLs."""
    return (
        f'  File "{SITE}\\torch\\__init__.py", line 281, in <module>\n    _load_dll_libraries()\n'
        f'OSError: {error} Error loading "{SITE}\\torch\\lib\\{library}" or one of its dependencies.\n'
    )


def runtime_dll(major: int, minor: int, site: Site | None = None) -> bytes:
    """A msvcp140.dll with a version resource, and with the symbols that the packages of a site use."""
    used = uses_of([site.path]).symbols.get("msvcp140.dll", set()) if site else set()
    return pe({}, sorted(used)) + struct.pack("<IIII", 0xFEEF04BD, 0x10000, major << 16 | minor, 0)


def torch(ground: Ground, site: Site, version: str, *companions: str) -> None:
    """A torch whose c10.dll needs the Visual C++ runtime, and these companions."""
    for each in companions:
        ground.wheel(site, each)
    ground.torch(site, version, made_for=companions, needs={"c10.dll": RUNTIME})


def conda(ground: Ground, python: str = "3.11") -> Site:
    """An environment of conda."""
    site = ground.windows(python, "envs/e")
    write(site.path.parents[1] / f"conda-meta/python-{python}.1-0.json", "{}")
    return site


def silent(done: Checked) -> None:
    """Nothing is wrong."""
    assert done.bad == [], done.bad


# The Visual C++ runtime and OpenMP.


@pytest.mark.sketched
def test_a_runtime_of_windows_that_is_too_old_for_torch_2_9(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/169429"""
    site = ground.windows()
    torch(ground, site, "2.9.0", "torchaudio==2.9.0")
    silent(ground.check(site))
    done = ground.check(site, log=loading("c10.dll", INIT_FAILED))
    assert done.first.rule == "TL618"
    assert "msvcp140.dll 14.40 or later" in done.first.message
    assert done.command == "winget install -e --id Microsoft.VCRedist.2015+.x64"
    assert "https://aka.ms/vs/17/release/vc_redist.x64.exe" in done.first.remedy
    assert "not found" not in done.first.message


@pytest.mark.sketched
def test_the_same_in_another_language_and_for_another_dll(ground: Ground) -> None:
    """https://github.com/shiyu-coder/Kronos/issues/166"""
    site = ground.windows()
    torch(ground, site, "2.11.0", "torchaudio==2.11.0")
    done = ground.check(site, log=loading("torch_python.dll", "[WinError 1114] 动态链接库(DLL)初始化例程失败。"))
    assert done.first.rule == "TL618"


@pytest.mark.sketched
def test_pyqt_is_imported_before_torch(ground: Ground) -> None:
    """https://github.com/explosion/spaCy/issues/13894"""
    site = ground.windows()
    torch(ground, site, "2.9.0", "torchaudio==2.9.0")
    install(site.path, "PyQt5-Qt5", "5.15.2", {"PyQt5/Qt5/bin/msvcp140.dll": runtime_dll(14, 26)})
    silent(ground.check(site))
    done = ground.check(site, log=loading("c10.dll", INIT_FAILED))
    assert done.first.rule == "TL618"
    assert "pyqt5-qt5 contains 14.26 under this name" in done.first.message
    assert done.first.remedy.startswith("Import torch before pyqt5-qt5")


@pytest.mark.sketched
def test_torch_2_8_does_not_need_that_runtime(ground: Ground) -> None:
    site = ground.windows()
    torch(ground, site, "2.8.0", "torchaudio==2.8.0")
    done = ground.check(site, log=loading("cublas64_12.dll", INIT_FAILED))
    assert "TL618" not in [each.rule for each in done.bad]
    assert "TL610" not in [each.rule for each in done.bad]


@pytest.mark.sketched
def test_a_runtime_of_conda_that_is_too_old(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/169429 with the copy beside python.exe, which is taken first."""
    site = conda(ground)
    torch(ground, site, "2.9.0", "torchaudio==2.9.0")
    own = write(site.path.parents[1] / "msvcp140.dll", runtime_dll(14, 29, site))
    done = ground.check(site)
    assert done.first.rule == "TL618"
    assert "msvcp140.dll of this environment is 14.29" in done.first.message
    assert done.command == f'conda install -y -p {site.path.parents[1]} -c conda-forge "vc14_runtime>=14.40"'
    ground.cure(done, by=lambda: own.write_bytes(runtime_dll(14, 44, site)))


@pytest.mark.sketched
def test_no_runtime_at_all(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/39734"""
    site = ground.windows("3.9")
    torch(ground, site, "2.0.1", "torchaudio==2.0.2")
    done = ground.check(site, log=loading("c10.dll"))
    assert done.first.rule == "TL610"
    assert "c10.dll of torch needs msvcp140.dll" in done.first.message
    assert done.command == "winget install -e --id Microsoft.VCRedist.2015+.x64"


@pytest.mark.sketched
def test_fbgemm_without_openmp(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/131662"""
    site = ground.windows()
    torch(ground, site, "2.4.0", "torchaudio==2.4.0")
    write(site.path / "torch/lib/fbgemm.dll", pe({"libomp140.x86_64.dll": ["omp_get_num_threads"], "c10.dll": []}))
    write(site.path / "torch/__init__.py", 'dlls = glob.glob(os.path.join(th_dll_path, "*.dll"))\n')
    ground.unrecord(site, "torch/__init__.py")
    record = next(site.path.glob("torch-*.dist-info")) / "RECORD"
    record.write_text(f"{record.read_text()}torch/lib/fbgemm.dll,,\n")
    done = ground.check(site)
    silent(done)
    assert "libomp140.x86_64.dll" in done.text
    assert "torch 2.4.0" in done.text.partition("was not examined")[0]
    done = ground.check(site, log=loading("fbgemm.dll"))
    assert done.first.rule == "TL610"
    assert "fbgemm.dll of torch needs libomp140.x86_64.dll" in done.first.message
    assert "torch==2.4.1" in done.command
    assert "website" in done.first.remedy
    ground.cure(done)


@pytest.mark.sketched
def test_a_torch_of_conda_that_needs_an_openmp_that_no_package_has(ground: Ground) -> None:
    """https://github.com/ContinuumIO/anaconda-issues/issues/13513"""
    site = conda(ground)
    torch(ground, site, "2.10.0", "torchaudio==2.10.0")
    needs = {"libomp140.x86_64.dll": ["omp_get_num_threads"], "c10.dll": []}
    exports = ["at_dummy"]
    write(site.path / "torch/lib/torch_cpu.dll", pe(needs, exports))
    ground.unrecord(site, "torch/lib/torch_cpu.dll")
    log = "ImportError: DLL load failed while importing _C: The specified module could not be found."
    done = ground.check(site, log=log)
    assert done.first.rule == "TL610"
    assert "torch_cpu.dll of torch needs libomp140.x86_64.dll" in done.first.message
    assert "2.4.1" not in done.first.remedy
    assert "MKL" in done.first.remedy


# FFmpeg.


def codecs(version: int, *majors: int) -> str:
    """What torchcodec prints if no library of it loads."""
    lines = [
        f"FFmpeg version {each}: Could not find module '{SITE}\\torchcodec\\libtorchcodec_core{each}.dll' "
        "(or one of its dependencies). Try using the full path with constructor syntax."
        for each in (version, *majors)
    ]
    head = "RuntimeError: Could not load libtorchcodec. Likely causes:\n[start of libtorchcodec loading traceback]"
    return "\n".join([head, *lines, "[end of libtorchcodec loading traceback]."])


@pytest.mark.sketched
def test_an_ffmpeg_on_the_path_that_an_old_torchcodec_does_not_find(ground: Ground) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/1108"""
    site = ground.windows("3.12")
    torch(ground, site, "2.8.0", "torchcodec==0.7.0")
    done = ground.check(site, log=codecs(7, 6, 5, 4))
    assert done.first.rule == "TL304"
    assert "the log shows that none is found" in done.first.message
    assert "do not search the PATH" in done.first.because
    assert "os.add_dll_directory" in done.first.remedy
    assert done.command == "winget install -e --id Gyan.FFmpeg.Shared --version 7.1.1"


@pytest.mark.sketched
def test_a_later_patch_release_of_torchcodec_looks_on_the_path(ground: Ground) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/1014"""
    site = ground.windows("3.12")
    torch(ground, site, "2.9.0", "torchcodec==0.8.1")
    done = ground.check(site, log=codecs(8, 7, 6, 5, 4))
    assert done.first.rule == "TL304"
    assert "do not search the PATH" in done.first.because
    assert done.command.startswith("python -m pip install torchcodec==0.9.1 && winget install")


@pytest.mark.sketched
def test_a_conda_environment_with_a_later_ffmpeg(ground: Ground) -> None:
    site = conda(ground, "3.12")
    torch(ground, site, "2.8.0", "torchcodec==0.7.0")
    for name in ffmpeg(8, "windows"):
        write(site.path.parents[1] / "Library/bin" / name, pe())
    silent(ground.check(site))
    done = ground.check(site, log=codecs(7, 6, 5, 4))
    assert "this environment has FFmpeg 8" in done.first.message
    assert done.command == f'conda install -y -p {site.path.parents[1]} -c conda-forge "ffmpeg<8"'
    ground.cure(done)


@pytest.mark.sketched
def test_a_static_ffmpeg(ground: Ground) -> None:
    """https://github.com/liuzhao1225/YouDub-webui/issues/78"""
    site = ground.windows("3.12")
    torch(ground, site, "2.9.1", "torchcodec==0.9.1")
    done = ground.check(site, log=codecs(8, 7, 6, 5, 4))
    assert done.first.rule == "TL304"
    assert "static builds have no DLLs" in done.first.remedy
    assert done.command == "winget install -e --id Gyan.FFmpeg.Shared --version 8.1.2"
    silent(ground.check(site))
    silent(ground.check(site, "--system-lib", "ffmpeg=8.1"))


@pytest.mark.sketched
def test_a_conda_environment_without_ffmpeg(ground: Ground) -> None:
    site = conda(ground, "3.12")
    torch(ground, site, "2.8.0", "torchcodec==0.7.0")
    done = ground.check(site, log=codecs(7, 6, 5, 4))
    assert done.first.rule == "TL304"
    assert done.command == f'conda install -y -p {site.path.parents[1]} -c conda-forge "ffmpeg<8"'
    ground.cure(done)


@pytest.mark.sketched
def test_a_conda_environment_with_ffmpeg_works(ground: Ground) -> None:
    site = conda(ground, "3.12")
    torch(ground, site, "2.8.0", "torchcodec==0.7.0")
    for name in ffmpeg(7, "windows"):
        write(site.path.parents[1] / "Library/bin" / name, pe())
    done = ground.check(site)
    silent(done)
    assert "libtorchcodec" not in done.text


@pytest.mark.sketched
def test_torchaudio_does_not_find_ffmpeg(ground: Ground) -> None:
    """https://github.com/hkchengrex/MMAudio/issues/6"""
    site = ground.windows("3.11")
    torch(ground, site, "2.5.1", "torchaudio==2.5.1")
    log = (
        f"FileNotFoundError: Could not find module '{SITE}\\torio\\lib\\libtorio_ffmpeg6.pyd' "
        "(or one of its dependencies). Try using the full path with constructor syntax."
    )
    done = ground.check(site, log=log)
    assert done.first.rule == "TL303"
    assert "do not search the PATH" in done.first.because
    assert done.command == "python -m pip install soundfile"
    ground.cure(done)
    done = ground.check(site, log=log)
    assert "os.add_dll_directory" in done.first.remedy
    assert done.command == "winget install -e --id Gyan.FFmpeg.Shared --version 6.1.1"


# soundfile, and backends.


@pytest.mark.sketched
def test_a_soundfile_without_its_library(ground: Ground) -> None:
    site = ground.windows("3.11")
    torch(ground, site, "2.6.0", "torchaudio==2.6.0")
    install(site.path, "soundfile", "0.13.1", {"soundfile.py": "__version__ = '0.13.1'\n", "_soundfile.py": ""})
    log = "OSError: sndfile library not found using ctypes.util.find_library"
    for done in (ground.check(site), ground.check(site, log=log)):
        assert done.first.rule == "TL301"
        assert "Windows does not include one" in done.first.message
        assert "pip install --force-reinstall" in done.command
        assert "soundfile==0.13.1" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_no_backend(ground: Ground) -> None:
    """https://github.com/jose-solorzano/audio-denoiser/issues/1"""
    site = ground.windows("3.11")
    torch(ground, site, "2.1.2", "torchaudio==2.1.2")
    done = ground.check(
        site, log="RuntimeError: Couldn't find appropriate backend to handle uri a.wav and format None."
    )
    assert (done.first.rule, done.command) == ("TL306", "python -m pip install soundfile")
    ground.cure(done)


@pytest.mark.sketched
def test_a_torchaudio_for_another_torch(ground: Ground) -> None:
    """https://github.com/FranckyB/Voice-Clone-Studio/issues/79"""
    site = ground.windows("3.11")
    torch(ground, site, "2.9.0", "torchaudio==2.9.0")
    ground.uninstall(site, "torchaudio")
    ground.wheel(site, "torchaudio==2.8.0")
    log = "OSError: [WinError 127] The specified procedure could not be found"
    for done in (ground.check(site), ground.check(site, log=log)):
        assert done.first.rule == "TL101"
        assert "torchaudio==2.9.0" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_dll_of_torch_that_another_program_replaced(ground: Ground) -> None:
    """https://github.com/patientx/ComfyUI-Zluda/issues/9: torch opens each DLL of its folder."""
    site = ground.windows("3.10")
    ground.torch(site, "2.2.1+cu118", made_for=["torchaudio==2.2.1"])
    lib = site.path / "torch" / "lib"
    own = pe({"KERNEL32.dll": ["Sleep"]}, ["nvrtcVersion"])
    record = next(site.path.glob("torch-*.dist-info")) / "RECORD"
    record.write_text(f"{record.read_text()}torch/lib/nvrtc64_112_0.dll,,{len(own) + 500}\n")
    write(lib / "nvrtc64_112_0.dll", pe({"hiprtc0507.dll": ["hiprtcCompileProgram"]}, ["nvrtcVersion"]))
    write(lib / "caffe2_nvrtc.dll", pe({"nvcuda.dll": ["cuInit"], "nvrtc64_112_0.dll": ["nvrtcVersion"]}))
    log = loading("caffe2_nvrtc.dll")
    done = ground.check(site, log=log)
    assert done.first.rule == "TL610"
    assert done.first.message == "nvrtc64_112_0.dll of torch needs hiprtc0507.dll, which is not found"
    assert "is not the file of torch 2.2.1" in done.first.because
    assert "HIP SDK of AMD" in done.first.remedy
    assert done.first.says in log


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("left", "lacks"), [("caffe2_nvrtc.dll", "nvrtc64_112_0.dll"), ("cudnn_ops64_9.dll", "cudnn64_9.dll")]
)
@pytest.mark.parametrize("is_needed", [False, True])
def test_a_dll_that_an_earlier_build_left_in_the_folder(
    ground: Ground, left: str, lacks: str, is_needed: bool
) -> None:
    """https://github.com/bmaltais/kohya_ss/issues/732: pip does not remove what no record lists."""
    site = ground.windows("3.10")
    needs = {"c10.dll": [left]} if is_needed else {}
    ground.torch(site, "2.0.0", made_for=["torchaudio==2.0.1"], needs=needs)
    lib = site.path / "torch" / "lib"
    write(lib / left, pe({lacks: ["start"]}, ["start"]))
    done = ground.check(site, log=loading(left))
    assert done.first.rule == "TL610"
    if is_needed:
        assert done.first.message == f"{left} of torch needs {with_cuda(lacks)}, which is not found"
        return
    assert done.first.message.startswith(
        f"{left}, which is in the folder of torch and in no record, needs {lacks}"
    )
    assert done.command == f"del /q {lib / left}"
    ground.cure(done, (lib / left).unlink)


@pytest.mark.sketched
def test_a_dll_that_an_earlier_build_left_and_that_loads(ground: Ground) -> None:
    site = ground.windows("3.10")
    ground.torch(site, "2.0.0", made_for=["torchaudio==2.0.1"])
    write(site.path / "torch/lib/caffe2_nvrtc.dll", pe({"c10.dll": ["start"]}))
    assert not ground.check(site).bad


@pytest.mark.sketched
def test_an_installer_replaced_the_cuda_build(ground: Ground) -> None:
    """The log of pip names the build that was there, so the remedy installs it again."""
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.3.1+cu118")
    ground.torch(site, "2.3.0+cpu", made_for=["torchaudio==2.3.0"], recorded="2.3.0")
    log = (
        "  Attempting uninstall: torch\n    Uninstalling torch-2.3.1+cu118:\n"
        "torchaudio 2.3.1 requires torch==2.3.1, but you have torch 2.3.0 which is incompatible.\n"
        "Successfully installed torch-2.3.0\n"
    )
    done = ground.check(site, log=log)
    assert done.first.severity == "error"
    assert "/whl/cu118 torch==2.3.0+cu118 torchaudio==2.3.0+cu118" in done.command
    assert "cu118" not in ground.check(site).command
