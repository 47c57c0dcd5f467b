"""DLLs on Windows that another package brings, opens, or cannot start: causes that public reports confirm."""

from __future__ import annotations

import struct

import pytest

from support.ground import Checked, Ground
from support.libraries import pe
from support.site_folder import install, write
from support.skeletons import Site

pytestmark = pytest.mark.sketched(real=False)
SITE = "C:\\venv\\Lib\\site-packages"
CHINESE = "动态链接库(DLL)初始化例程失败。"
GERMAN = "Eine DLL-Initialisierungsroutine ist fehlgeschlagen."
ENGLISH = "A dynamic link library (DLL) initialization routine failed."


def silent(done: Checked) -> None:
    assert done.bad == [], done.bad


def with_torch(ground: Ground, version: str, *libraries: str, prefix: str = "venv", python: str = "3.11") -> Site:
    """A torch for Windows, and further DLLs in its folder."""
    site = ground.windows(python, prefix)
    ground.torch(
        site, version, made_for=[], needs={"shm.dll": ["torch_cpu.dll"], "torch_cpu.dll": ["libiomp5md.dll"]}
    )
    for name in ("libiomp5md.dll", *libraries):
        write(site.path / "torch/lib" / name, pe())
    return site


def runtime(minor: int) -> bytes:
    """A msvcp140.dll with a version resource."""
    return pe() + struct.pack("<IIII", 0xFEEF04BD, 0x10000, 14 << 16 | minor, 0)


def module(site: Site, package: str, path: str) -> None:
    install(site.path, package, "1.2.0", {path: pe({"MSVCP140.dll": []})}, tag="cp311-cp311-win_amd64")


# Start-up code that fails.


@pytest.mark.triggers("TL618")
@pytest.mark.parametrize("words", [CHINESE, GERMAN, ENGLISH])
@pytest.mark.parametrize(
    ("package", "path"),
    [
        ("onnxruntime", "onnxruntime/capi/onnxruntime_pybind11_state.pyd"),
        ("triton-windows", "triton/_C/libtriton.pyd"),
        ("tokenizers", "tokenizers/tokenizers.cp311-win_amd64.pyd"),
    ],
)
def test_a_module_that_an_old_runtime_does_not_start(ground: Ground, words: str, package: str, path: str) -> None:
    """https://github.com/lazydog28/mc_auto_boss/issues/205, https://github.com/woct0rdho/triton-windows/issues/27"""
    site = with_torch(ground, "2.5.1+cpu")
    module(site, package, path)
    silent(ground.check(site))
    name = path.rpartition("/")[2].partition(".")[0]
    done = ground.check(site, log=f"ImportError: DLL load failed while importing {name}: {words}\n")
    assert done.first.rule == "TL618"
    assert f"of {package} 1.2.0 fails when it is initialised" in done.first.message
    assert done.command == "winget install -e --id Microsoft.VCRedist.2015+.x64"


@pytest.mark.parametrize("is_conda", [False, True])
@pytest.mark.parametrize("torch", ["2.6.0+cpu", "2.9.0+cpu"])
def test_an_old_runtime_beside_python(ground: Ground, torch: str, is_conda: bool) -> None:
    """https://github.com/woct0rdho/triton-windows/issues/58: Windows takes a copy beside python.exe first."""
    site = with_torch(ground, torch, prefix="python_embeded")
    prefix = site.path.parents[1]
    if is_conda:
        write(prefix / "conda-meta/python-3.11.1-0.json", "{}")
    module(site, "triton-windows", "triton/_C/libtriton.pyd")
    write(prefix / "msvcp140.dll", runtime(29))
    done = ground.check(site, log=f"ImportError: DLL load failed while importing libtriton: {ENGLISH}\n")
    assert done.first.rule == "TL618"
    assert "msvcp140.dll of this environment is 14.29" in done.first.message
    own = f"conda install -y -p {prefix} -c conda-forge" if is_conda else "winget install -e --id"
    assert done.command.startswith(own)
    assert done.command.endswith(f"del /q {prefix / 'msvcp140.dll'}") is not is_conda


def test_a_module_that_is_not_installed_here(ground: Ground) -> None:
    site = with_torch(ground, "2.5.1+cpu")
    silent(ground.check(site, log=f"ImportError: DLL load failed while importing other: {ENGLISH}\n"))


# A DLL of the same name.


def lacking(number: int, library: str, words: str = "找不到指定的程序。") -> str:
    path = f"{SITE}\\torch\\lib\\{library}"
    return f'OSError: [WinError {number}] {words} Error loading "{path}" or one of its dependencies.\n'


@pytest.mark.parametrize("number", [127, 182])
@pytest.mark.parametrize("package", ["paddlepaddle", "openvino", "mkl-service"])
def test_a_package_that_is_imported_before_torch(ground: Ground, package: str, number: int) -> None:
    """https://github.com/PaddlePaddle/PaddleOCR/issues/14979, https://github.com/PaddlePaddle/PaConvert/issues/745"""
    site = with_torch(ground, "2.6.0+cpu")
    log = lacking(number, "shm.dll")
    assert "too" not in ground.check(site, log=log).first.message.split()
    module_name = package.removesuffix("paddle").partition("-")[0]
    install(site.path, package, "3.0.0", {f"{module_name}/libs/libiomp5md.dll": pe()})
    silent(ground.check(site))
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL621", "error")
    assert done.first.message.endswith(f"; {package} contains libiomp5md.dll, too")
    assert f"Import torch before {module_name}" in done.first.remedy


# CUDA libraries that other packages open.


def user(site: Site, name: str, version: str, files: dict[str, bytes | str]) -> None:
    install(site.path, name, version, files, tag="cp311-cp311-win_amd64")


CTRANSLATE2: dict[str, bytes | str] = {"ctranslate2/__init__.py": "", "ctranslate2/ctranslate2.dll": pe()}
PROVIDER = (
    "provider_bridge_ort.cc:1637 onnxruntime::ProviderLibrary::Get [ONNXRuntimeError] : 1 : FAIL : LoadLibrary "
    f'failed with error 126 "" when trying to load "{SITE}\\onnxruntime\\capi\\onnxruntime_providers_cuda.dll"\n'
)


def onnxruntime(site: Site, *needs: str, version: str = "1.19.0") -> None:
    libraries = {each: ["x"] for each in needs}
    provider = {"onnxruntime/capi/onnxruntime_providers_cuda.dll": pe(libraries)}
    user(site, "onnxruntime-gpu", version, {"onnxruntime/__init__.py": "", **provider})


@pytest.mark.triggers("TL230")
@pytest.mark.parametrize("is_cpu", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: Library cublas64_12.dll is not found or cannot be loaded\n",
        "Could not locate cublas64_12.dll. Please make sure it is in your library path!\n",
    ],
)
def test_cublas_of_another_cuda_version(ground: Ground, is_cpu: bool, line: str) -> None:
    """https://github.com/KoljaB/RealtimeSTT/issues/220, https://github.com/QuentinFuxa/WhisperLiveKit/issues/286"""
    torch, libraries = ("2.5.1+cpu", []) if is_cpu else ("2.5.1+cu118", ["cublas64_11.dll"])
    site = with_torch(ground, torch, *libraries)
    user(site, "ctranslate2", "4.5.0", CTRANSLATE2)
    done = ground.check(site, log=line)
    assert done.first.rule == "TL230"
    assert ("contains no library of CUDA" in done.first.because) is is_cpu
    assert "/whl/cu121 torch==2.5.1+cu121" in done.command
    assert "Import torch before ctranslate2" in done.first.remedy


def test_the_packages_of_nvidia_where_no_torch_is(ground: Ground) -> None:
    site = ground.windows()
    user(site, "ctranslate2", "4.6.0", CTRANSLATE2)
    log = "Could not locate cudnn_ops64_9.dll. Please make sure it is in your library path!\n"
    done = ground.check(site, log=log, platform="windows-amd64")
    assert done.first.rule == "TL230"
    assert done.command.startswith('python -m pip install nvidia-cublas-cu12 "nvidia-cudnn-cu12==9.*" && set')


@pytest.mark.parametrize(
    ("torch", "there", "lost", "command"),
    [
        ("2.3.1+cu121", "cudnn64_8.dll", "cudnn64_9.dll", "torch==2.4.1+cu121"),
        ("2.5.1+cpu", "other.dll", "cublas64_12.dll", "torch==2.5.1+cu121"),
        ("2.5.1+cu118", "cublas64_11.dll", "cublas64_12.dll", "torch==2.5.1+cu121"),
    ],
)
def test_a_provider_of_onnxruntime(ground: Ground, torch: str, there: str, lost: str, command: str) -> None:
    """https://github.com/microsoft/onnxruntime/issues/20049: the line does not say which library is missing."""
    site = with_torch(ground, torch, there)
    onnxruntime(site, lost)
    done = ground.check(site, log=PROVIDER)
    assert (
        done.first.message
        == f"onnxruntime-gpu 1.19.0 opens {lost} when it computes on a GPU, and no package here contains it"
    )
    assert command in done.command


def test_a_cudnn_beside_the_package_says_which_one_it_needs(ground: Ground) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/575"""
    site = ground.windows()
    user(site, "ctranslate2", "4.0.0", {**CTRANSLATE2, "ctranslate2/cudnn64_8.dll": pe()})
    log = "Could not locate cublasLt64_12.dll. Please make sure it is in your library path!\n"
    done = ground.check(site, log=log, platform="windows-amd64")
    assert done.first.rule == "TL230"
    assert '"nvidia-cudnn-cu12==8.*"' in done.command


@pytest.mark.parametrize("torch", ["2.1.2+cu121", "2.5.1+cu121"])
def test_a_provider_for_cuda_11_beside_a_torch_for_cuda_12(ground: Ground, torch: str) -> None:
    """https://github.com/microsoft/onnxruntime/issues/21501: the releases for CUDA 12 need cuDNN 9."""
    site = with_torch(ground, torch, "cublas64_12.dll", "cublasLt64_12.dll")
    onnxruntime(site, "cublasLt64_11.dll", version="1.18.1")
    done = ground.check(site, log=PROVIDER)
    assert done.first.rule == "TL230"
    assert "onnxruntime-gpu>=1.19" in done.command
    assert ("torch==2.4.1+cu121" in done.command) is (torch == "2.1.2+cu121")


@pytest.mark.parametrize("place", ["torch/lib", "nvidia/cudnn/bin", "nvidia/cu13/bin/x86_64"])
def test_a_provider_whose_libraries_are_there(ground: Ground, place: str) -> None:
    site = with_torch(ground, "2.5.1+cu124")
    onnxruntime(site, "cudnn64_9.dll")
    write(site.path / place / "cudnn64_9.dll", pe())
    done = ground.check(site, log=PROVIDER)
    assert f"it is in {site.path / place}, where the loader does not search" in done.first.message
    assert "import torch before onnxruntime-gpu" in done.first.remedy


@pytest.mark.parametrize(
    "line",
    [
        "Could not locate zlibwapi.dll. Please make sure it is in your library path!\n",
        "Could not load library cudnn_cnn_infer64_8.dll. Error code 126\n",
        "Could not load library cudnn_ops_infer64_8.dll. Error code 126\n",
    ],
)
def test_cudnn_8_without_zlib(ground: Ground, line: str) -> None:
    """https://github.com/Softcatala/whisper-ctranslate2/issues/41"""
    site = ground.windows()
    user(site, "ctranslate2", "3.24.0", CTRANSLATE2)
    done = ground.check(site, log=line, platform="windows-amd64")
    assert done.first.rule == "TL230"
    assert "zlibwapi.dll" in done.first.message
    assert "put zlibwapi.dll (64-bit) there" in done.first.remedy


# MKL of torch 2.1 to 2.3, OpenMP, and environments that Python or Windows does not search.


def test_mkl_beside_packages_that_were_installed_with_target(ground: Ground) -> None:
    """https://github.com/carson-katri/dream-textures/pull/796"""
    site = with_torch(ground, "2.3.0+cpu")
    own = pe({"mkl_core.1.dll": ["x"]})
    write(site.path / "torch/lib/torch_cpu.dll", own)
    write(site.path / "torch/__init__.py", 'dlls = glob.glob(os.path.join(th_dll_path, "*.dll"))\n')
    ground.unrecord(site, "torch/.*")
    install(site.path, "mkl", "2021.4.0", {}, rows="../../Library/bin/mkl_core.1.dll,,\n")
    log = lacking(126, "shm.dll", "The specified module could not be found.")
    assert "which does not exist" in ground.check(site, log=log).first.because
    write(site.path / "Library/bin/mkl_core.1.dll", pe())
    done = ground.check(site, log=log)
    assert f"it is in {site.path / 'Library/bin'} (of mkl 2021.4.0)" in done.first.because
    assert f'os.add_dll_directory(r"{site.path / "Library/bin"}")' in done.first.remedy


@pytest.mark.parametrize("is_there", [False, True])
def test_openmp_of_two_names(ground: Ground, is_there: bool) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/967"""
    site = with_torch(ground, "2.4.0+cu121")
    write(site.path / "torch/lib/fbgemm.dll", pe({"libomp140.x86_64.dll": ["omp_get_num_threads"]}))
    if is_there:
        write(site.path / "torch/lib/libomp140.x86_64.dll", pe({}, ["omp_get_num_threads"]))
    user(site, "ctranslate2", "4.3.1", {**CTRANSLATE2, "ctranslate2/libiomp5md.dll": pe()})
    log = "OMP: Error #15: Initializing libiomp5md.dll, but found libomp140.x86_64.dll already initialized.\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL613"
    assert done.first.message.startswith(
        "the process of this log loaded libomp140.x86_64.dll, and then libiomp5md"
    )
    assert ("fbgemm.dll of torch" in done.first.message) is not is_there
    assert ("torch==2.4.1" in done.command) is not is_there


@pytest.mark.triggers("TL615")
@pytest.mark.parametrize("lines", ["python311.zip\n.\n\n#import site\n", "python311.zip\n.\n", ".\nLib\n"])
def test_an_embedded_python_that_does_not_search_its_packages(ground: Ground, lines: str) -> None:
    """https://github.com/python/cpython/issues/109309"""
    site = with_torch(ground, "2.5.1+cpu", prefix="python")
    write(site.path.parents[1] / "python311._pth", lines)
    silent(ground.check(site))
    done = ground.check(site, log="ModuleNotFoundError: No module named 'torch'\n")
    assert (done.first.rule, done.first.severity) == ("TL615", "error")
    assert "python311._pth does not list Lib" in done.first.message


@pytest.mark.parametrize(
    "lines", ["python311.zip\n.\nimport site\n", "Lib/site-packages\n.\n", "Lib\\site-packages\n"]
)
def test_an_embedded_python_that_searches_its_packages(ground: Ground, lines: str) -> None:
    site = with_torch(ground, "2.5.1+cpu", prefix="python")
    write(site.path.parents[1] / "python311._pth", lines)
    silent(ground.check(site, log="ModuleNotFoundError: No module named 'torch'\n"))


WARNED = (
    "This Python interpreter is in a conda environment, but the environment has\nnot been activated.  Libraries "
    "may fail to load.\n"
)
LOAD = "ImportError: DLL load failed while importing _multiarray_umath: The specified module could not be found.\n"


@pytest.mark.parametrize(
    "log", [WARNED + LOAD, LOAD, WARNED + LOAD.replace(" while importing _multiarray_umath", "")]
)
def test_a_conda_environment_that_is_not_active(ground: Ground, log: str) -> None:
    """https://github.com/ContinuumIO/anaconda-issues/issues/10459"""
    site = with_torch(ground, "2.5.1+cpu", prefix="envs/e")
    prefix = site.path.parents[1]
    write(prefix / "conda-meta/python-3.11.1-0.json", "{}")
    core = pe({"mkl_rt.2.dll": ["x"], "python311.dll": []})
    files: dict[str, bytes | str] = {
        "numpy/__init__.py": "",
        "numpy/core/_multiarray_umath.cp311-win_amd64.pyd": core,
    }
    install(site.path, "numpy", "1.26.4", files, tag="cp311-cp311-win_amd64")
    write(prefix / "Library/bin/mkl_rt.2.dll", pe({}, ["x"]))
    silent(ground.check(site))
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL610", "error")
    assert "started without its environment of conda" in done.first.message
    assert done.command == f"conda activate {prefix}"


# soundfile, paths, and other platforms.


def test_bindings_of_another_system(ground: Ground) -> None:
    """https://github.com/bastibe/python-soundfile/issues/253: the wheel for any platform."""
    site = ground.windows()
    calls = "if _sys.platform == 'win32': openfunction = _snd.sf_wchar_open\n"
    files: dict[str, bytes | str] = {
        "soundfile.py": f"__version__ = '0.10.3'\n{calls}",
        "_soundfile.py": "ffi = FFI(b'sf_open', b'sf_wchar_open')\n",
        "_soundfile_data/__init__.py": "",
        "_soundfile_data/libsndfile64bit.dll": pe(),
    }
    install(site.path, "soundfile", "0.10.3.post1", files, tag="py2.py3-none-win_amd64")
    log = (
        "AttributeError: cffi library 'a.dll' has no function, constant or global variable named 'sf_wchar_open'\n"
    )
    assert "TL608" not in {each.rule for each in ground.check(site, log=log).bad}
    write(site.path / "_soundfile.py", "ffi = FFI(b'sf_open')\n")
    for done in (ground.check(site), ground.check(site, log=log)):
        assert done.first.rule == "TL608"
        assert "_soundfile.py of soundfile 0.10.3.post1 was not built for Windows" in done.first.message
        assert "--only-binary soundfile soundfile" in done.command


@pytest.mark.parametrize("folder", ["Lib/site-packages", "Python311/site-packages", "Python311-32/site-packages"])
def test_a_tree_without_a_library_is_known_by_its_folder(ground: Ground, folder: str) -> None:
    """https://github.com/bastibe/python-soundfile/issues/468"""
    site = ground.windows()
    site = site._replace(path=site.root / folder)
    site.path.mkdir(parents=True)
    install(site.path, "soundfile", "0.13.1", {"soundfile.py": "__version__ = '0.13.1'\n", "_soundfile.py": ""})
    done = ground.check(site)
    assert done.first.rule == "TL301"
    assert "Windows does not include one" in done.first.message
    assert "pip install --force-reinstall" in done.command


def test_a_path_that_is_too_long(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/23823: pip gave no hint then."""
    site = ground.windows()
    path = "C:\\\\Users\\\\u\\\\" + "a" * 250
    said = "Could not install packages due to an EnvironmentError: [Errno 2] No such file or directory:"
    done = ground.check(site, log=f"ERROR: {said} '{path}'\n", platform="windows-amd64")
    assert done.first.rule == "TL529"
    short = ground.check(site, log=f"ERROR: {said} '{path[:80]}'\n", platform="windows-amd64")
    assert "TL529" not in {each.rule for each in short.bad}


@pytest.mark.parametrize("package", ["torch", "torchcodec"])
def test_a_python_for_arm64(ground: Ground, package: str) -> None:
    """https://github.com/pytorch/pytorch/issues/195033, https://github.com/huggingface/datasets/issues/8065"""
    site = ground.windows("3.14")
    log = f"> python -m pip install {package}\nPython 3.14.0 (main) [MSC v.1944 64 bit (ARM64)] on win32\n"
    log += f"ERROR: Could not find a version that satisfies the requirement {package} (from versions: none)\n"
    log += f"ERROR: No matching distribution found for {package}\n"
    done = ground.check(site, log=log, platform="windows-arm64")
    assert done.first.rule == "TL403"
    assert done.first.remedy.startswith("Use a Python for x64")


def test_rocm_on_windows(ground: Ground) -> None:
    """https://github.com/ROCm/TheRock/issues/1490: the PyTorch index has no ROCm for Windows."""
    site = ground.windows("3.12")
    ground.wheel(site, "torchaudio==2.9.0")
    ground.torch(site, "2.9.0+rocm7.0", made_for=["torchaudio==2.9.0"], hip="7.0", cuda="")
    log = "ImportError: TorchCodec is required for save_with_torchcodec. Please install torchcodec.\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL305"
    assert done.command == "python -m pip install --no-deps torchcodec==0.9.1"


def test_bitsandbytes_of_another_project(ground: Ground) -> None:
    """https://github.com/bitsandbytes-foundation/bitsandbytes/issues/935"""
    site = with_torch(ground, "2.1.2+cu121")
    name = "bitsandbytes/cuda_setup/libbitsandbytes_cuda116.dll"
    install(site.path, "bitsandbytes-windows", "0.37.5", {"bitsandbytes/__init__.py": "", name: pe()})
    log = f"Could not find module '{SITE}\\{name}' (or one of its dependencies). Try using the full path\n"
    done = ground.check(site, log=log.replace("/", "\\"))
    assert done.first.rule == "TL232"
    assert done.command.startswith("python -m pip uninstall -y bitsandbytes-windows && python -m pip install")


def test_torchaudio_013_takes_ffmpeg_4(ground: Ground) -> None:
    """https://github.com/pytorch/audio/issues/3016"""
    site = ground.windows("3.9")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.13.1")
    done = ground.check(site, log="ImportError: FFmpeg libraries are not found. Please install FFmpeg.\n")
    assert done.first.rule == "TL303"
    assert done.first.remedy.startswith("Install FFmpeg 4 as a shared build")


# Functions that a DLL does not have.


def test_a_cudnn_of_another_installation(ground: Ground) -> None:
    """https://github.com/marcelotduarte/cx_Freeze/issues/1787"""
    site = with_torch(ground, "1.13.1+cu117", "cudnn_adv_infer64_8.dll", python="3.10")
    done = ground.check(
        site, log=lacking(127, "cudnn_adv_infer64_8.dll", "The specified procedure could not be found.")
    )
    assert done.first.remedy.startswith("Take the folders of other CUDA and cuDNN installations from PATH")


def test_a_module_for_another_torch_that_windows_names_without_a_path(ground: Ground) -> None:
    """https://github.com/kijai/ComfyUI-WanVideoWrapper/issues/1090"""
    site = with_torch(ground, "2.6.0+cpu")
    own = {"c10.dll": ["?oldName@detail@c10@@YAXXZ"], "torch_cpu.dll": ["?other@at@@YAXXZ"]}
    path = "nunchaku/_C.cp311-win_amd64.pyd"
    files: dict[str, bytes | str] = {"nunchaku/__init__.py": "", path: pe({**own, "torch_python.dll": []})}
    install(site.path, "nunchaku", "0.3.1", files, headers="Requires-Dist: torch\n", tag="cp311-cp311-win_amd64")
    log = "Cannot import ComfyUI-nunchaku module: DLL load failed while importing _C: 找不到指定的程序。\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL611"
    assert done.first.severity != "note"
    silent(ground.check(site))


def test_a_module_of_a_package_without_torch(ground: Ground) -> None:
    site = ground.windows()
    module(site, "PyQt6", "PyQt6/QtCore.pyd")
    log = "ImportError: DLL load failed while importing QtCore: The specified procedure could not be found.\n"
    silent(ground.check(site, log=log, platform="windows-amd64"))
