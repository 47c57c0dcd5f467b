"""Failures of CUDA's libraries that people reported: the cause comes first, and its remedy cures.

Libraries of more than 30 MB, and torch, are skeletons with the tables that the real ones have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site
from torchlock.inspect.loading.root import Root

LINUX = "; platform_system == 'Linux' and platform_machine == 'x86_64'"
OLDER_NCCL = "torch was built with another release of nvidia-nccl-cu12 than the installed one"
OTHER_NCCL = "torch was built with nvidia-nccl-cu12; nvidia-nccl-cu11 has the same file, and replaced or hides it"
COMPLETE = "__nvJitLinkComplete_12_4"
SPARSE = "nvidia/cusparse/lib/libcusparse.so.12"
JIT = "$ORIGIN/../../nvjitlink/lib"
# The lines of torch 2.6 that follow its first library (torch/__init__.py).
PRELOADS = """
def _load_global_deps():
    try:
        ctypes.CDLL(global_deps_lib_path, mode=ctypes.RTLD_GLOBAL)
        if version.cuda not in ["12.4", "12.6"]:
            return
        try:
            if "nvidia/cuda_runtime/lib/libcudart.so" not in _maps:
                return
            _preload_cuda_deps("nvjitlink", "libnvJitLink.so.*[0-9]")
        except Exception:
            pass
    except OSError as err:
        pass
"""


@pytest.fixture
def site(ground: Ground) -> Site:
    """torchaudio 2.5.1 over a torch for CUDA 12.4 whose cuSPARSE needs nvJitLink, as the real one does."""
    site = ground.linux("3.11")
    for each in ("torchaudio==2.5.1", "soundfile==0.13.1"):
        ground.wheel(site, each)
    torch(ground, site, "2.5.1+cu124", {"nvidia-cusparse-cu12": "12.3.1.170", "nvidia-nvjitlink-cu12": "12.4.127"})
    library = elf("libcusparse.so.12", ["libnvJitLink.so.12"], [], [COMPLETE], runpath=JIT)
    install(site.path, "nvidia-cusparse-cu12", "12.3.1.170", {SPARSE: library})
    ground.wheel(site, "nvidia-nvjitlink-cu12==12.4.127", platform="manylinux2014_x86_64")
    return site


def torch(ground: Ground, site: Site, version: str, pins: Mapping[str, str], needs: Sequence[str] = ()) -> None:
    """A torch that requires these packages, and whose library for CUDA needs cuSPARSE and further libraries."""
    below = ["libcusparse.so.12", *needs]
    requires = [f"{name}=={pin}{LINUX}" for name, pin in pins.items()]
    ground.torch(site, version, requires=requires, needs={"libtorch_cuda.so": below})
    path = ":".join(f"$ORIGIN/../../nvidia/{name}/lib" for name in ("cusparse", "cuda_runtime", "nccl", "cublas"))
    library = elf("libtorch_cuda.so", ["libc10_cuda.so", "libcudart.so.12", *below], runpath=f"$ORIGIN:{path}")
    write(site.path / "torch/lib/libtorch_cuda.so", library)
    ground.unrecord(site, "torch/.*")


def old(ground: Ground, folder: Path) -> Path:
    """nvJitLink of CUDA 12.1 in a folder, as a toolkit of the machine has it."""
    wheel = ground.wheels.get("nvidia-nvjitlink-cu12==12.1.105", "manylinux1_x86_64")
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        data = archive.read("nvidia/nvjitlink/lib/libnvJitLink.so.12")
    return write(folder / "libnvJitLink.so.12", data)


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables of the test are those of the staged machine, as if check ran there."""
    real = Root.__init__

    def init(self: Root, folder: str = "/", environ: object = None, machine: str = "x86_64") -> None:
        real(self, folder, os.environ, machine)

    monkeypatch.setattr(Root, "__init__", init)
    yield


@pytest.mark.sketched
def test_an_older_toolkit_on_ld_library_path(ground: Ground, site: Site, inside: None) -> None:
    """https://github.com/pytorch/pytorch/issues/111469, https://github.com/infiniflow/ragflow/issues/4466"""
    root = ground.image()
    old(ground, root / "usr/local/cuda-12.1/lib64")
    variables = {"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"}
    done = ground.check(site, root=True, variables=variables)
    assert (done.first.rule, done.first.consequences) == ("TL613", ("TL611",))
    assert "cuda-12.1/lib64/libnvJitLink.so.12 is loaded instead of" in done.first.message
    assert done.command == "unset LD_LIBRARY_PATH"
    ground.cure(done)


@pytest.mark.sketched
def test_other_folders_of_ld_library_path_stay(ground: Ground, site: Site, inside: None) -> None:
    root = ground.image()
    old(ground, root / "usr/local/cuda-12.1/lib64")
    variables = {"LD_LIBRARY_PATH": "/opt/own/lib:/usr/local/cuda-12.1/lib64"}
    done = ground.check(site, root=True, variables=variables)
    assert done.command == "export LD_LIBRARY_PATH=/opt/own/lib"
    ground.cure(done)


@pytest.mark.sketched
def test_an_older_toolkit_that_ldconfig_lists(ground: Ground, site: Site, inside: None) -> None:
    """https://github.com/pytorch/pytorch/issues/152783: the cuSPARSE has no path to the package."""
    library = elf("libcusparse.so.12", ["libnvJitLink.so.12"], [], [COMPLETE], runpath="$ORIGIN")
    write(site.path / SPARSE, library)
    ground.unrecord(site, "nvidia/cusparse/.*")
    root = ground.image()
    old(ground, root / "usr/local/cuda-12.1/lib64")
    write(root / "etc/ld.so.conf", "/usr/local/cuda-12.1/lib64\n")
    done = ground.check(site, root=True)
    assert (done.first.rule, done.first.severity) == ("TL613", "error")
    assert "is loaded instead of" in done.first.message and COMPLETE in done.first.message
    assert "/site-packages/nvidia/nvjitlink/lib${LD_LIBRARY_PATH" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_torch_that_opens_its_own_copy_first(ground: Ground, site: Site, inside: None) -> None:
    """torch 2.6 loads nvJitLink of its package by path, and LD_LIBRARY_PATH does not matter."""
    root = ground.image()
    old(ground, root / "usr/local/cuda-12.1/lib64")
    write(site.path / "torch/__init__.py", PRELOADS)
    runtime = elf("libtorch_global_deps.so", ["libcudart.so.12"], runpath="$ORIGIN/../../nvidia/cuda_runtime/lib")
    write(site.path / "torch/lib/libtorch_global_deps.so", runtime)
    done = ground.check(site, root=True, variables={"LD_LIBRARY_PATH": "/usr/local/cuda-12.1/lib64"})
    assert done.bad == []


LOG = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/torch/__init__.py", line 367, in <module>
    from torch._C import *  # noqa: F403
ImportError: /usr/local/lib/python3.11/site-packages/torch/lib/../../nvidia/cusparse/lib/libcusparse.so.12: \
undefined symbol: __nvJitLinkComplete_12_4, version libnvJitLink.so.12
"""


@pytest.mark.sketched
@pytest.mark.parametrize(("log", "there"), [(LOG, True), (LOG, False), (LOG.splitlines()[-1], False)])
def test_a_log_alone_shows_an_older_toolkit(
    ground: Ground, site: Site, inside: None, log: str, there: bool
) -> None:
    """https://github.com/pytorch/pytorch/issues/134929: the variable of that process is not known."""
    root = ground.image()
    if there:
        old(ground, root / "usr/local/cuda-12.1/lib64")
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.first.severity) == ("TL613", "error")
    assert "did not load libnvJitLink.so.12 of nvidia-nvjitlink-cu12 12.4.127" in done.first.message
    assert ("cuda-12.1/lib64/libnvJitLink.so.12 does not" in done.first.message) is there
    assert done.command.startswith(
        "export LD_LIBRARY_PATH=/usr/local/lib/python3.11/site-packages/nvidia/nvjitlink/lib$"
    )
    ground.cure(done)


def test_an_older_package_under_torch(ground: Ground, site: Site) -> None:
    """https://github.com/pytorch/pytorch/issues/131312"""
    ground.uninstall(site, "nvidia-nvjitlink-cu12")
    ground.wheel(site, "nvidia-nvjitlink-cu12==12.1.105", platform="manylinux1_x86_64")
    done = ground.check(site, log=LOG)
    assert done.first.rule == "TL611"
    assert done.command == "python -m pip install nvidia-nvjitlink-cu12==12.4.127"
    ground.cure(done)


NPP8 = [f"lib{each}" for each in ("avutil.so.60", "avcodec.so.62", "avformat.so.62", "avfilter.so.11")]
NPP8 += [f"lib{each}" for each in ("avdevice.so.62", "swscale.so.9", "swresample.so.6")]


def codec(site: Site, version: str, library: str) -> None:
    """A torchcodec whose library for each FFmpeg needs one library of CUDA besides."""
    own = f"__version__ = '{version}'\n"
    files: dict[str, bytes | str] = {"torchcodec/__init__.py": "", "torchcodec/version.py": own}
    for core, number in {4: 56, 5: 57, 6: 58, 7: 59, 8: 60}.items():
        needed = ["libtorch.so", "libc10.so", library, f"libavutil.so.{number}", "libtorch_cpu.so"]
        files[f"torchcodec/libtorchcodec_core{core}.so"] = elf("", needed)
    install(site.path, "torchcodec", version.partition("+")[0], files, tag="cp312-cp312-manylinux_2_28_x86_64")


def over(ground: Ground, torchaudio: str, torch: str) -> Site:
    site = ground.linux("3.12")
    for each in (torchaudio, "soundfile==0.13.1"):
        ground.wheel(site, each)
    ground.torch(site, torch)
    ground.image(*NPP8)
    return site


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torchaudio", "torch", "version", "library", "package"),
    [
        ("torchaudio==2.9.1+cu128", "2.9.1+cu128", "0.9.1+cu128", "libnppicc.so.12", "nvidia-npp-cu12 "),
        ("torchaudio==2.11.0+cu130", "2.11.0+cu130", "0.11.1+cu130", "libnppicc.so.13", "nvidia-npp==13.*"),
    ],
)
def test_npp_beneath_torchcodec(
    ground: Ground, inside: None, torchaudio: str, torch: str, version: str, library: str, package: str
) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/1257, https://github.com/meta-pytorch/torchcodec/issues/1437"""
    site = over(ground, torchaudio, torch)
    codec(site, version, library)
    done = ground.check(site, root=True)
    assert done.first.message.startswith(f"libtorchcodec_core8.so of torchcodec needs {library}")
    assert f"pip install {package}" in done.command.replace('"', "")
    ground.cure(done)


@pytest.mark.sketched
def test_npp_that_is_there_but_not_searched(ground: Ground, inside: None) -> None:
    """https://github.com/RVC-Boss/GPT-SoVITS/pull/2765: the package is installed, and nothing leads to it."""
    site = over(ground, "torchaudio==2.9.1+cu128", "2.9.1+cu128")
    codec(site, "0.9.1+cu128", "libnppicc.so.12")
    install(site.path, "nvidia-npp-cu12", "12.4.1.87", {"nvidia/npp/lib/libnppicc.so.12": elf("libnppicc.so.12")})
    done = ground.check(site, root=True)
    assert "nvidia/npp/lib, where the loader does not search" in done.first.because
    assert done.command.startswith("export LD_LIBRARY_PATH=") and "/nvidia/npp/lib$" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_container_without_the_video_decoder(ground: Ground, inside: None) -> None:
    """https://github.com/meta-pytorch/torchcodec/issues/997: torchcodec 0.8.0 links a library of the driver."""
    site = over(ground, "torchaudio==2.9.1+cu128", "2.9.1+cu128")
    codec(site, "0.8.0+cu128", "libnvcuvid.so.1")
    done = ground.check(site, root=True)
    assert "needs libnvcuvid.so.1" in done.first.message
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video" in done.first.remedy
    ground.cure(done, by=lambda: ground.library("usr/lib/libnvcuvid.so.1"))


def whisper(ground: Ground, torch: str, ctranslate2: str, *, libraries: Sequence[str] = ()) -> Site:
    """faster-whisper and a skeleton of ctranslate2 beside a torch and its CUDA libraries."""
    site = ground.linux("3.11")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, torch, made_for=[])
    major = torch.partition("+cu")[2][:2]
    for each in libraries:
        part = "cudnn" if "cudnn" in each else "cublas"
        place = f"nvidia/{part}/lib" if major != "13" or part == "cudnn" else "nvidia/cu13/lib"
        install(site.path, f"nvidia-{part}-cu{major}", "9.1.0.70", {f"{place}/{each}": elf(each)})
    ours: dict[str, bytes | str] = {
        "ctranslate2/__init__.py": "",
        "ctranslate2.libs/libctranslate2-bc15bf3f.so.4": elf(),
    }
    install(site.path, "ctranslate2", ctranslate2, ours)
    install(site.path, "faster-whisper", "1.1.0", {"faster_whisper/__init__.py": ""})
    ground.image()
    return site


CUDNN = "Unable to load any of {libcudnn_cnn.so.9.1.0, libcudnn_cnn.so.9.1, libcudnn_cnn.so.9, libcudnn_cnn.so}\n"
HANDLE = "Invalid handle. Cannot load symbol cudnnCreateConvolutionDescriptor\n"
CUBLAS = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/faster_whisper/transcribe.py", line 1400, in encode
    return self.model.encode(features, to_cpu=to_cpu)
RuntimeError: Library libcublas.so.12 is not found or cannot be loaded
"""


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize("log", [CUDNN + HANDLE, CUDNN, HANDLE, f"factory  | {CUDNN}factory  | {HANDLE}"])
def test_a_cudnn_that_ctranslate2_does_not_find(ground: Ground, inside: None, log: str) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/1182, https://github.com/m-bain/whisperX/issues/1297"""
    site = ground.linux("3.11")
    for each in ("torchaudio==2.5.1", "soundfile==0.13.1", "ctranslate2==4.5.0"):
        ground.wheel(site, each)
    ground.torch(site, "2.5.1+cu124", nvidia=True)
    names = [f"libcudnn{each}.so.9" for each in ("", "_ops", "_cnn", "_graph", "_adv")]
    install(site.path, "nvidia-cudnn-cu12", "9.1.0.70", {f"nvidia/cudnn/lib/{each}": elf(each) for each in names})
    ground.image()
    assert ground.check(site, root=True).bad == []
    done = ground.check(site, root=True, log=log)
    assert done.first.message.startswith(
        "ctranslate2 4.5.0 opens libcudnn_cnn.so.9 when it computes on a GPU; it is in"
    )
    assert done.command.startswith(
        "export LD_LIBRARY_PATH=/usr/local/lib/python3.11/site-packages/nvidia/cudnn/lib"
    )
    ground.cure(done)


@pytest.mark.sketched
def test_cublas_12_beside_a_torch_for_cuda_13(ground: Ground, inside: None) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/1431"""
    site = whisper(ground, "2.9.1+cu130", "4.7.1", libraries=["libcublas.so.13"])
    done = ground.check(site, root=True, log=CUBLAS)
    assert done.first.message.endswith(
        "opens libcublas.so.12 when it computes on a GPU, and no package here contains it"
    )
    assert "libcublas.so.13 is there, for another version" in done.first.because
    assert done.command.startswith("python -m pip install nvidia-cublas-cu12 && export LD_LIBRARY_PATH=")
    ground.cure(done)


@pytest.mark.sketched
def test_cublas_12_beside_a_torch_for_cuda_11(ground: Ground, inside: None) -> None:
    """https://github.com/m-bain/whisperX/issues/788"""
    site = whisper(ground, "2.2.2+cu118", "4.4.0", libraries=["libcublas.so.11"])
    done = ground.check(site, root=True, log=CUBLAS)
    assert done.first.rule == "TL230"
    assert 'pip install nvidia-cublas-cu12 "ctranslate2>=4.6.3"' in done.command


@pytest.mark.sketched
def test_cublas_11_beside_a_torch_for_cuda_12(ground: Ground, inside: None) -> None:
    """https://github.com/m-bain/whisperX/issues/632"""
    site = whisper(ground, "2.1.0+cu121", "3.24.0", libraries=["libcublas.so.12", "libcudnn.so.8"])
    done = ground.check(
        site, root=True, log="RuntimeError: Library libcublas.so.11 is not found or cannot be loaded"
    )
    assert done.command == "python -m pip install ctranslate2==4.4.0"


ONNX = (
    "[E:onnxruntime:Default, provider_bridge_ort.cc:1546 TryGetProviderInfo_CUDA] [ONNXRuntimeError] : 1 : FAIL : "
    "Failed to load library libonnxruntime_providers_cuda.so with error: {}: cannot open shared object file: "
    "No such file or directory\n"
)


def onnx(ground: Ground, version: str, needed: Sequence[str]) -> Site:
    """onnxruntime-gpu beside a torch for CUDA 12."""
    site = ground.linux("3.11")
    for each in ("torchaudio==2.5.1", "soundfile==0.13.1"):
        ground.wheel(site, each)
    torch = ["libcublasLt.so.12", "libcudnn.so.9"]
    ground.torch(site, "2.5.1+cu124")
    for name, part, each in (("nvidia-cublas-cu12", "cublas", torch[0]), ("nvidia-cudnn-cu12", "cudnn", torch[1])):
        install(site.path, name, "12.4.5.8", {f"nvidia/{part}/lib/{each}": elf(each)})
    provider = elf("libonnxruntime_providers_cuda.so", needed)
    files: dict[str, bytes | str] = {
        "onnxruntime/__init__.py": "",
        "onnxruntime/capi/libonnxruntime_providers_cuda.so": provider,
    }
    install(site.path, "onnxruntime-gpu", version, files)
    ground.image()
    return site


@pytest.mark.sketched
def test_onnxruntime_for_cuda_11(ground: Ground, inside: None) -> None:
    """https://github.com/microsoft/onnxruntime/issues/21684, https://github.com/infiniflow/ragflow/issues/905"""
    site = onnx(ground, "1.18.0", ["libcublasLt.so.11"])
    done = ground.check(site, root=True, log=ONNX.format("libcublasLt.so.11"))
    assert done.first.message.startswith("onnxruntime-gpu 1.18.0 opens libcublasLt.so.11")
    assert done.command == 'python -m pip install "onnxruntime-gpu>=1.19,<1.27"'
    install(site.path, "talker", "1.0", {"talker.py": ""}, headers="Requires-Dist: onnxruntime-gpu<1.19\n")
    done = ground.check(site, root=True, log=ONNX.format("libcublasLt.so.11"))
    assert "this breaks the requirement of talker, onnxruntime-gpu<1.19" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(("version", "lacks"), [("1.18.0", "libcublasLt.so.11"), ("1.19.2", "libcudnn.so.9")])
def test_onnxruntime_beside_a_torch_with_cudnn_8(version: str, lacks: str, ground: Ground, inside: None) -> None:
    """https://github.com/microsoft/onnxruntime/issues/22198: what needs cuDNN 9 would take away that of torch."""
    site = ground.linux("3.10")
    ground.torch(site, "2.2.2+cu121", made_for=[])
    install(site.path, "onnxruntime-gpu", version, {"onnxruntime/__init__.py": ""})
    ground.image()
    done = ground.check(site, root=True, log=ONNX.format(lacks))
    assert done.first.message.startswith(f"onnxruntime-gpu {version} opens {lacks}")
    assert "--no-deps onnxruntime-gpu==1.18.0 --index-url " in done.command
    assert "/onnxruntime-cuda-12/" in done.command and "nvidia-cudnn" not in done.command


@pytest.mark.sketched
def test_onnxruntime_for_cuda_12_beside_cuda_13(ground: Ground, inside: None) -> None:
    """https://github.com/pykeio/ort/issues/548: the extra "cuda" of 1.28 requires the packages for CUDA 13."""
    site = ground.linux("3.11")
    ground.torch(site, "2.9.1+cu130", made_for=[])
    install(site.path, "onnxruntime-gpu", "1.23.2", {"onnxruntime/__init__.py": ""})
    ground.image()
    done = ground.check(site, root=True, log=ONNX.format("libcublasLt.so.12"))
    assert done.first.message.startswith("onnxruntime-gpu 1.23.2 opens libcublasLt.so.12")
    assert done.command == 'python -m pip install "onnxruntime-gpu>=1.28"'


@pytest.mark.sketched
def test_onnxruntime_without_torch_before_it(ground: Ground, inside: None) -> None:
    """https://github.com/microsoft/onnxruntime/issues/21684: with "import torch" before it, it works."""
    site = onnx(ground, "1.20.1", ["libcublasLt.so.12", "libcudnn.so.9"])
    done = ground.check(site, root=True, log=ONNX.format("libcublasLt.so.12"))
    assert "nvidia/cublas/lib, where the loader does not search" in done.first.message
    assert done.first.remedy.endswith("or import torch before onnxruntime-gpu.")
    assert "/nvidia/cublas/lib:" in done.command and "/nvidia/cudnn/lib$" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_cudnn_9_on_windows_with_a_torch_before_2_4(ground: Ground) -> None:
    """https://github.com/SYSTRAN/faster-whisper/issues/1080"""
    site = ground.windows("3.11")
    ground.torch(site, "2.3.1+cu121", made_for=[])
    ground.library(site.path / "torch/lib/cudnn_ops_infer64_8.dll")
    ground.library(site.path / "torch/lib/cudnn64_8.dll")
    install(site.path, "ctranslate2", "4.5.0", {"ctranslate2/__init__.py": ""})
    log = "Could not locate cudnn_ops64_9.dll. Please make sure it is in your library path!\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL207"
    assert done.command == 'python -m pip install "ctranslate2>=4.6.3,<5"'


def over_cudnn(site: Site, runtime: str) -> None:
    """Let torch's library for CUDA need cuDNN, with an RPATH to the packages, as the wheels have it."""
    path = "$ORIGIN:" + ":".join(f"$ORIGIN/../../nvidia/{each}/lib" for each in ("cudnn", "cuda_runtime", "cu13"))
    needed = ["libc10_cuda.so", runtime, "libcudnn.so.9"]
    write(site.path / "torch/lib/libtorch_cuda.so", elf("libtorch_cuda.so", needed, rpath=path))
    (record,) = site.path.glob("torch-*.dist-info/RECORD")
    text = record.read_text().splitlines()
    record.write_text("".join(f"{row.rsplit(',', 2)[0]},,\n" for row in text))


@pytest.mark.sketched
def test_an_engine_of_the_cudnn_of_the_machine(ground: Ground, inside: None) -> None:
    """https://github.com/pytorch/pytorch/issues/188892: an engine that the package does not contain."""
    site = ground.linux("3.12")
    ground.wheel(site, "torchaudio==2.11.0+cu130")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.11.0+cu130")
    over_cudnn(site, "libcudart.so.13")
    graph = elf("libcudnn_graph.so.9") + b"libcudnn_engines_tensor_ir.so"
    files = {"libcudnn.so.9": elf("libcudnn.so.9", runpath="$ORIGIN"), "libcudnn_graph.so.9": graph}
    install(
        site.path, "nvidia-cudnn-cu13", "9.20.0.48", {f"nvidia/cudnn/lib/{each}": files[each] for each in files}
    )
    root = ground.image("libcudnn_engines_tensor_ir.so.9.23.0")
    (root / "usr/lib/libcudnn_engines_tensor_ir.so.9").symlink_to("libcudnn_engines_tensor_ir.so.9.23.0")
    done = ground.check(site, root=True, log="RuntimeError: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH\n")
    assert done.first.message.startswith(
        "the libcudnn.so.9 of nvidia-cudnn-cu13 9.20.0.48 takes libcudnn_engines_tensor_ir.so.9"
    )
    assert done.first.remedy.startswith("Remove the cuDNN of the machine")
    ground.cure(done, by=lambda: (root / "usr/lib/libcudnn_engines_tensor_ir.so.9").unlink())


@pytest.mark.sketched
def test_a_cudnn_of_a_toolkit_on_ld_library_path(ground: Ground, inside: None) -> None:
    """https://github.com/pytorch/pytorch/issues/185512"""
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.5.1+cu124")
    over_cudnn(site, "libcudart.so.12")
    names = [f"libcudnn{each}.so.9" for each in ("", "_ops", "_cnn")]
    own = {f"nvidia/cudnn/lib/{each}": elf(each, runpath="$ORIGIN") for each in names}
    install(site.path, "nvidia-cudnn-cu12", "9.1.0.70", own)
    root = ground.image(*(f"{each.removesuffix('.9')}.9.5.1" for each in names), folder="usr/local/cuda/lib64")
    for each in names:
        (root / "usr/local/cuda/lib64" / each).symlink_to(f"{each.removesuffix('.9')}.9.5.1")
    variables = {"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}
    done = ground.check(site, root=True, variables=variables)
    assert (done.first.rule, done.command) == ("TL231", "unset LD_LIBRARY_PATH")
    ground.cure(done)


@pytest.mark.sketched
def test_a_bitsandbytes_without_cuda_12_9(ground: Ground) -> None:
    """https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1688"""
    site = ground.linux("3.12")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.8.0+cu129", made_for=[])
    source = "library_name = f'libbitsandbytes_{prefix}{cuda_specs.cuda_version_string}'\n"
    files: dict[str, bytes | str] = {"bitsandbytes/__init__.py": "", "bitsandbytes/cextension.py": source}
    files |= {f"bitsandbytes/libbitsandbytes_cuda{each}.so": elf() for each in ("118", "120", "126", "128")}
    install(site.path, "bitsandbytes", "0.46.0", files)
    log = (
        f"RuntimeError: Configured CUDA binary not found at {site.path}/bitsandbytes/libbitsandbytes_cuda129.so\n"
    )
    done = ground.check(site, log=log)
    assert (done.first.rule, done.command) == ("TL232", 'python -m pip install "bitsandbytes>=0.48.2"')
    files |= {"bitsandbytes/libbitsandbytes_cuda129.so": elf()}
    ground.uninstall(site, "bitsandbytes")
    install(site.path, "bitsandbytes", "0.48.2", files)
    assert all(each.rule != "TL232" for each in ground.check(site, log=log).bad)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "command"), [("2.7.0+cu128", '"triton-windows<3.4"'), ("2.9.1+cu130", '"triton-windows<3.6"')]
)
def test_no_triton_on_windows(ground: Ground, torch: str, command: str) -> None:
    """https://github.com/pytorch/pytorch/issues/136361"""
    site = ground.windows("3.11")
    ground.torch(site, torch, made_for=[])
    log = "torch._inductor.exc.TritonMissing: Cannot find a working triton installation.\n"
    done = ground.check(site, log=log)
    assert (done.first.rule, done.command) == ("TL233", f"python -m pip install {command}")
    install(
        site.path,
        "triton-windows",
        "3.3.1.post19" if "2.7" in torch else "3.5.1.post21",
        {"triton/__init__.py": ""},
    )
    assert all(each.rule != "TL233" for each in ground.check(site, log=log).bad)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("symbol", "provider", "because"),
    [
        ("ncclCommRegister", "nvidia-nccl-cu12", OLDER_NCCL),
        ("ncclCommWindowRegister", "nvidia-nccl-cu12", OLDER_NCCL),
        ("ncclMemFree", "nvidia-nccl-cu11", OTHER_NCCL),
    ],
)
def test_an_older_nccl(ground: Ground, site: Site, symbol: str, provider: str, because: str) -> None:
    """https://github.com/pytorch/pytorch/issues/119932: another package brought an older release."""
    pins = {
        "nvidia-cusparse-cu12": "12.3.1.170",
        "nvidia-nvjitlink-cu12": "12.4.127",
        "nvidia-nccl-cu12": "2.21.5",
    }
    torch(ground, site, "2.5.1+cu124", pins, ["libnccl.so.2"])
    path = ":".join(f"$ORIGIN/../../nvidia/{name}/lib" for name in ("cusparse", "cuda_runtime", "nccl"))
    below = ["libc10_cuda.so", "libcudart.so.12", "libcusparse.so.12", "libnccl.so.2"]
    library = elf("libtorch_cuda.so", below, [], [symbol], runpath=f"$ORIGIN:{path}")
    write(site.path / "torch/lib/libtorch_cuda.so", library)
    older = {"nvidia/nccl/lib/libnccl.so.2": elf("libnccl.so.2", exports=["ncclGetVersion"])}
    if provider != "nvidia-nccl-cu12":
        install(site.path, "nvidia-nccl-cu12", "2.21.5", older)
    install(site.path, provider, "2.18.1", older)
    log = f"ImportError: {site.path}/torch/lib/libtorch_cuda.so: undefined symbol: {symbol}\n"
    done = ground.check(site, log=log)
    assert done.first.message.endswith(f"uses {symbol}, which libnccl.so.2 of {provider} 2.18.1 does not define")
    assert done.first.because == because
    assert done.command is not None and done.command.endswith(" nvidia-nccl-cu12==2.21.5")


@pytest.mark.sketched
def test_a_cublas_lt_of_another_release_in_a_log(ground: Ground, site: Site, inside: None) -> None:
    """https://github.com/zai-org/ChatGLM-6B/issues/921: libcublas and libcublasLt of two releases."""
    symbol, name = "cublasLtGetStatusString", "libcublasLt.so.12"
    lt = elf(name, exports=[symbol])
    install(site.path, "nvidia-cublas-cu12", "12.4.5.8", {f"nvidia/cublas/lib/{name}": lt})
    root = ground.image()
    ground.library("usr/local/cuda/lib64/libcublasLt.so.12", exports=["cublasLtCreate"])
    log = (
        "OSError: /usr/local/lib/python3.11/site-packages/torch/lib/../../nvidia/cublas/lib/libcublas.so.12: "
        f"symbol {symbol}, version {name} not defined in file {name} with link time reference\n"
    )
    done = ground.check(site, root=root, log=log)
    assert done.first.rule == "TL613"
    assert done.first.message.endswith(f"which has {symbol}; {root}/usr/local/cuda/lib64/{name} does not")
    assert "/nvidia/cublas/lib$" in done.command
    ground.cure(done)


XFORMERS = "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:\n"


def xformers(ground: Ground, torch: str, *companions: str) -> Site:
    """The real xformers 0.0.28.post3, which was compiled against torch 2.5.1+cu121."""
    site = ground.linux("3.11")
    for each in ("xformers==0.0.28.post3", "soundfile==0.13.1", *companions):
        ground.wheel(site, each)
    ground.torch(site, torch, made_for=list(companions))
    return site


def test_an_xformers_of_another_torch(ground: Ground) -> None:
    """https://github.com/deforum/deforum-stable-diffusion/issues/377"""
    site = xformers(ground, "2.6.0+cu124")
    done = ground.check(site, log=f"{XFORMERS}    PyTorch 2.5.1+cu121 with CUDA 1201 (you have 2.6.0+cu124)\n")
    assert done.first.rule == "TL611"
    assert done.first.because == "its cpp_lib.json says that it was built for torch 2.5.1+cu121"
    assert done.command == "python -m pip install --no-deps xformers==0.0.29.post3"
    ground.cure(done)


def test_an_xformers_beside_a_cpu_torch(ground: Ground) -> None:
    """https://github.com/open-mmlab/PIA/issues/30"""
    site = xformers(ground, "2.5.1+cpu", "torchaudio==2.5.1+cpu")
    done = ground.check(site, log=f"{XFORMERS}    PyTorch 2.5.1+cu121 with CUDA 1201 (you have 2.5.1+cpu)\n")
    assert "needs libc10_cuda.so, which torch 2.5.1 (CPU build) does not have" in done.first.message
    assert "--index-url https://download.pytorch.org/whl/cu121 torch" in done.command
    assert "--no-deps" not in done.command
    ground.cure(done, other_build=True)
