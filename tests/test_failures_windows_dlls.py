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


def onnxruntime(site: Site, *needs: str) -> None:
    libraries = {each: ["x"] for each in needs}
    provider = {"onnxruntime/capi/onnxruntime_providers_cuda.dll": pe(libraries)}
    user(site, "onnxruntime-gpu", "1.19.0", {"onnxruntime/__init__.py": "", **provider})


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
    assert ("brings no library of CUDA" in done.first.because) is is_cpu
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
