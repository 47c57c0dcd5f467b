"""Failures on Linux, in containers and in notebooks that people reported: the cause first, and the proof of the remedy."""

# ruff: noqa: E501 (lines as they were pasted)

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site, Uses

OLD_ABI = "_ZN3c105ErrorC2ENS_14SourceLocationESs"


def offers(ground: Ground, site: Site, library: str, names: Sequence[str]) -> None:
    """Let a library of the staged torch have these functions, too."""
    staged = ground._torches[site.path]
    ground._torches[site.path] = staged._replace(uses=[*staged.uses, Uses({library: {*names}}, set())])
    ground._write(site)


def flash_attn(site: Site, version: str, symbol: str, needed: Sequence[str]) -> None:
    """A flash-attn whose module uses one function of torch."""
    module = f"flash_attn_2_cuda.{site.tag}.so"
    files: dict[str, bytes | str] = {"flash_attn/__init__.py": "", module: elf("", needed, [], [symbol])}
    install(site.path, "flash-attn", version, files, headers="Requires-Dist: torch\n")


def in_conda(site: Site) -> None:
    """conda's record of the Python of this environment."""
    record = {"name": "python", "version": f"{site.python}.14", "build": "h955ad1f_1"}
    write(site.path.parents[2] / f"conda-meta/python-{site.python}.14-h955ad1f_1.json", json.dumps(record))


@pytest.mark.sketched
def test_a_library_without_room_for_its_thread_local_data(ground: Ground) -> None:
    """https://github.com/NVIDIA-AI-IOT/jetcard/issues/34, NVIDIA-AI-IOT/trt_pose#111, NVIDIA-AI-IOT/jetracer#136"""
    site = ground.linux("3.8", machine="aarch64")
    ground.torch(site, "1.12.0", cuda="", made_for=[])
    ground.image(machine="aarch64")
    log = """\
  File "/usr/local/lib/python3.8/site-packages/torch/__init__.py", line 141, in _load_global_deps
    ctypes.CDLL(lib_path, mode=ctypes.RTLD_GLOBAL)
OSError: /usr/lib/aarch64-linux-gnu/libgomp.so.1: cannot allocate memory in static TLS block
"""
    done = ground.check(site, log=log)
    assert (done.first.rule, done.first.severity) == ("TL621", "error")
    assert "no room left for the thread-local data of libgomp.so.1" in done.first.message
    assert done.command == "export LD_PRELOAD=/usr/lib/aarch64-linux-gnu/libgomp.so.1"
    ground.cure(done)


@pytest.mark.sketched
def test_a_library_that_asks_for_an_executable_stack(ground: Ground) -> None:
    """https://github.com/OpenNMT/CTranslate2/issues/1849, m-bain/whisperX#1038, TeamAudio/reaspeech#184"""
    site = ground.linux("3.11")
    ground.wheel(site, "ctranslate2==4.5.0")
    install(site.path, "faster-whisper", "1.1.0", {"faster_whisper/__init__.py": ""})
    ground.image(system="debian-13")
    log = """\
  File "/usr/local/lib/python3.11/site-packages/whisperx/asr.py", line 5, in <module>
    import ctranslate2
  File "/usr/local/lib/python3.11/site-packages/ctranslate2/__init__.py", line 21, in <module>
    from ctranslate2._ext import (
ImportError: libctranslate2-bc15bf3f.so.4.5.0: cannot enable executable stack as shared object requires: Invalid argument
"""
    done = ground.check(site, log=log)
    assert done.first.rule == "TL621"
    assert "libctranslate2-bc15bf3f.so.4.5.0 of ctranslate2 4.5.0" in done.first.message
    assert done.command == 'python -m pip install "ctranslate2>=4.6.0"'
    ground.cure(done, by=lambda: ground.uninstall(site, "ctranslate2"))  # 4.6.0 is too large to be fetched here


@pytest.mark.sketched
def test_a_wheel_for_glibc_on_alpine(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/102592, https://github.com/pytorch/pytorch/issues/1618"""
    site = ground.linux("3.9")
    ground.torch(site, "2.0.0+cpu", made_for=[])
    log = """\
  File "/usr/local/lib/python3.9/site-packages/torch/__init__.py", line 168, in _load_global_deps
    ctypes.CDLL(lib_path, mode=ctypes.RTLD_GLOBAL)
OSError: Error relocating /usr/local/lib/python3.9/site-packages/torch/lib/libgomp-a34b3233.so.1: pthread_attr_setaffinity_np: symbol not found
"""
    done = ground.check(site, log=log)
    assert done.first.rule == "TL612"
    assert (
        done.first.message == "torch 2.0.0 (CPU build) was built for glibc, and the process in the log ran on musl"
    )
    assert done.command == ""
    ground.cure(done, by=lambda: ground.image())


@pytest.mark.sketched
def test_parts_of_two_releases_of_cudnn(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/104591"""
    site = ground.linux("3.10")
    ground.wheel(site, "torchaudio==2.0.2")
    ground.torch(site, "2.0.1", cuda="11.7", made_for=["torchaudio==2.0.2"])
    names = [f"libcudnn{each}.so.8" for each in ("", "_ops_infer", "_cnn_infer", "_adv_infer")]
    install(site.path, "nvidia-cudnn-cu11", "8.5.0.96", {f"nvidia/cudnn/lib/{each}": elf(each) for each in names})
    ground.image()
    log = (
        "Could not load library libcudnn_cnn_infer.so.8. Error: /usr/local/cuda/targets/x86_64-linux/lib/libcudnn_cnn_infer.so.8: "
        "symbol _ZN5cudnn3ops18GetInternalStreamsEP12cudnnContextiPP11CUstream_st, version libcudnn_ops_infer.so.8 not defined in "
        "file libcudnn_ops_infer.so.8 with link time reference\n"
    )
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL613"
    assert "loaded a libcudnn_ops_infer.so.8 of another release" in done.first.message
    assert "the folder /usr/local/cuda/targets/x86_64-linux/lib from LD_LIBRARY_PATH" in done.first.remedy
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("name", "line", "folder"),
    [
        ("torch", "ModuleNotFoundError: No module named 'torch.version'", "workspace"),
        ("torchaudio", "ModuleNotFoundError: No module named 'torchaudio.version'", "audio"),
    ],
)
def test_a_checkout_in_the_current_folder(ground: Ground, name: str, line: str, folder: str) -> None:
    """https://github.com/pytorch/pytorch/issues/12074, https://github.com/pytorch/audio/issues/2287"""
    site = ground.linux("3.10", prefix="opt/conda")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu124")
    ground.image(*ffmpeg(6))
    log = f'  File "<stdin>", line 1, in <module>\n  File "/{folder}/{name}/__init__.py", line 16, in <module>\n{line}\n'
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL606"
    assert f"imported {name} from /{folder}/{name}, instead of the installed {name} 2.5.1" in done.first.message
    assert f"outside of the folder /{folder}" in done.first.remedy
    assert done.first.remedy  # nothing in the environment is at fault


@pytest.mark.sketched
def test_a_container_without_the_driver(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/3221: solved by starting the container with GPUs"""
    site = ground.linux("3.10")
    ground.wheel(site, "torchaudio==2.5.1")
    ground.torch(site, "2.5.1+cu124")
    ground.image(*ffmpeg(6))
    log = "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory\n"
    done = ground.check(site, log=log, root=True)
    assert done.first.rule == "TL227"
    assert "libcuda.so.1, which comes with the NVIDIA driver" in done.first.message
    assert "--gpus all" in done.first.remedy
    ground.cure(done, by=lambda: ground.library("usr/lib/libcuda.so.1"))


@pytest.mark.sketched
def test_two_packages_of_nccl(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/186591: solved by removing nvidia-nccl-cu12"""
    site = ground.linux("3.12")
    for each in ("torchaudio==2.11.0", "soundfile==0.13.1"):
        ground.wheel(site, each)
    ground.torch(site, "2.11.0+cu130", requires=["nvidia-nccl-cu13==2.28.9; platform_system == 'Linux'"])
    path, right = "nvidia/nccl/lib/libnccl.so.2", elf("libnccl.so.2", [], ["ncclCommResume", "ncclCommInitAll"])
    install(site.path, "nvidia-nccl-cu13", "2.28.9", {path: right})
    install(site.path, "nvidia-nccl-cu12", "2.27.3", {path: elf("libnccl.so.2", [], ["ncclCommInitAll"])})
    needed = ["libc10_cuda.so", "libcudart.so.13", "libnccl.so.2"]
    folders = "$ORIGIN:$ORIGIN/../../nvidia/nccl/lib:$ORIGIN/../../nvidia/cu13/lib"
    library = elf("libtorch_cuda.so", needed, [], ["ncclCommResume"], runpath=folders)
    write(site.path / "torch/lib/libtorch_cuda.so", library)
    ground.unrecord(site, "torch/.*")
    done = ground.check(site)
    assert done.first.rule == "TL611"
    assert "libnccl.so.2 of nvidia-nccl-cu12 2.27.3 does not define" in done.first.message
    assert done.command == (
        "python -m pip uninstall -y nvidia-nccl-cu12 && "
        "python -m pip install --force-reinstall --no-deps nvidia-nccl-cu13==2.28.9"
    )

    def as_pip_does() -> None:
        ground.uninstall(site, "nvidia-nccl-cu12")
        write(site.path / path, right)

    ground.cure(done, by=as_pip_does)


@pytest.mark.sketched
def test_k2_without_torch(ground: Ground) -> None:
    """https://github.com/k2-fsa/snowfall/issues/21"""
    site = ground.linux("3.8")
    ground.image(*ffmpeg(6))
    module = elf("", ["libtorch_cpu.so", "libc10.so"], runpath="$ORIGIN/torch/lib")
    install(site.path, "k2", "1.24.4", {"k2/__init__.py": "", f"_k2.{site.tag}.so": module})
    log = """\
  File "/usr/local/lib/python3.8/site-packages/k2/autograd.py", line 6, in <module>
    import _k2
ImportError: libc10.so: cannot open shared object file: No such file or directory
"""
    done = ground.check(site, log=log, platform="linux-x86_64")
    assert (done.first.rule, done.first.severity) == ("TL615", "error")
    assert "needs libc10.so, which torch contains" in done.first.because
    ground.cure(done)


@pytest.mark.sketched
def test_k2_for_another_torch(ground: Ground) -> None:
    """https://github.com/k2-fsa/k2/issues/1053, https://github.com/k2-fsa/k2/issues/409"""
    site = ground.linux("3.8")
    ground.torch(site, "1.13.1", cuda="", made_for=[])
    symbol = "_ZNK3c1010TensorImpl36is_contiguous_nondefault_policy_implENS_12MemoryFormatE"
    module = elf("", ["libtorch_cpu.so", "libc10.so"], [], [symbol], runpath="$ORIGIN/torch/lib")
    version = "1.23.3.dev20230105+cuda11.6.torch1.12.1"
    install(site.path, "k2", version, {"k2/__init__.py": "", f"_k2.{site.tag}.so": module})
    log = f"ImportError: /usr/local/lib/python3.8/site-packages/_k2.{site.tag}.so: undefined symbol: {symbol}\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL611"
    assert done.first.because == "its version says that it was built for torch 1.12.1"
    assert done.command == "", "no index for all has that build"
    ground.cure(done, by=lambda: ground.uninstall(site, "k2"))


@pytest.mark.sketched
def test_a_flash_attn_for_an_earlier_torch(ground: Ground) -> None:
    """https://github.com/Dao-AILab/flash-attention/issues/931, https://github.com/fishaudio/fish-speech/issues/103"""
    site = ground.linux("3.10", prefix="root/miniconda3")
    ground.wheel(site, "torchaudio==2.3.1")
    ground.torch(site, "2.3.1+cu121")
    offers(ground, site, "libc10_cuda.so", ["_ZN3c104cuda14ExchangeDeviceEa"])
    flash_attn(site, "2.5.7", "_ZN3c104cuda9SetDeviceEi", ["libc10.so", "libc10_cuda.so", "libtorch_cpu.so"])
    done = ground.check(site)
    assert done.first.rule == "TL611"
    assert "flash-attn 2.5.7 uses a form of c10::cuda::SetDevice" in done.first.message
    assert done.first.message.endswith("torch has this form from 2.1.0 to 2.2.2")
    assert "the build of flash-attn for torch 2.3.1" in done.first.remedy
    ground.cure(done, by=lambda: offers(ground, site, "libc10_cuda.so", ["_ZN3c104cuda9SetDeviceEi"]))


@pytest.mark.sketched
def test_a_flash_attn_with_the_new_string_abi(ground: Ground) -> None:
    """https://github.com/tencent-ailab/SongGeneration/issues/85: torch 2.6.0+cu124 has the old one"""
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.6.0")
    ground.torch(site, "2.6.0+cu124")
    offers(ground, site, "", [OLD_ABI])
    new = OLD_ABI.replace("ESs", "ENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE")
    flash_attn(site, "2.7.4.post1", new, ["libc10.so", "libtorch_cpu.so"])
    done = ground.check(site)
    assert done.first.rule == "TL611"
    assert "flash-attn 2.7.4.post1 was compiled with the new C++ string ABI" in done.first.message
    assert done.command.endswith("--no-binary flash-attn flash-attn==2.7.4.post1")
    ground.cure(done, by=lambda: offers(ground, site, "", [new]))


GLIBCXX = ["GLIBCXX_3.4", *(f"GLIBCXX_3.4.{each}" for each in range(1, 29)), "CXXABI_1.3"]


@pytest.mark.sketched
def test_a_libstdcxx_of_conda_without_its_link(ground: Ground) -> None:
    """https://github.com/pytorch/pytorch/issues/157709"""
    site = ground.linux("3.10", prefix="opt/conda/envs/tts")
    in_conda(site)
    ground.torch(site, "2.5.1", cuda="", made_for=[])
    needs = [("libstdc++.so.6", "GLIBCXX_3.4.30")]
    below = ["libtorch_cpu.so", "libc10.so", "libstdc++.so.6"]
    library = elf("libtorch_python.so", below, needs=needs, runpath="$ORIGIN:$ORIGIN/../../../..")
    write(site.path / "torch/lib/libtorch_python.so", library)
    ground.unrecord(site, "torch/.*")
    root = ground.image(system="ubuntu-20.04")
    write(root / "lib64/libstdc++.so.6", elf("libstdc++.so.6", defines=["libstdc++.so.6", *GLIBCXX]))
    folder = site.path.parents[1]
    newer = elf("libstdc++.so.6", defines=["libstdc++.so.6", *GLIBCXX, "GLIBCXX_3.4.30"])
    write(folder / "libstdc++.so.6.0.34", newer)
    done = ground.check(site, root=True)
    assert done.first.rule == "TL612"
    assert "needs GLIBCXX_3.4.30" in done.first.message
    assert "Link libstdc++.so.6.0.34, which is in this environment" in done.first.remedy
    assert done.command.startswith("ln -s libstdc++.so.6.0.34 ")
    ground.cure(done, by=lambda: (folder / "libstdc++.so.6").symlink_to("libstdc++.so.6.0.34"))


@pytest.mark.sketched
def test_a_package_compiled_for_numpy_1(ground: Ground) -> None:
    """https://github.com/neuphonic/neutts/issues/23: np.dtype has 96 bytes in NumPy 1, and 88 in NumPy 2"""
    site = ground.linux("3.11", "dist-packages")
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.8.0+cu128")
    install(site.path, "numpy", "2.2.6", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.2.6'\n"})
    install(site.path, "pandas", "2.0.3", {"pandas/__init__.py": ""})
    log = """\
  File "/usr/local/lib/python3.11/dist-packages/pandas/__init__.py", line 22, in <module>
    from pandas.compat import is_numpy_dev as _is_numpy_dev
ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject
"""
    done = ground.check(site, log=log)
    assert done.first.rule == "TL106"
    assert done.first.message == "pandas is compiled for NumPy 1, and NumPy 2.2.6 is installed"
    assert done.command == 'python -m pip install "numpy<2"'
    ground.cure(done, by=lambda: ground.uninstall(site, "numpy"))


@pytest.mark.sketched
def test_a_package_without_a_name_whose_build_needs_pkg_resources(ground: Ground) -> None:
    """https://github.com/jhj0517/Whisper-WebUI/issues/649"""
    site = ground.linux("3.11")
    ground.wheel(site, "torchaudio==2.8.0")
    ground.torch(site, "2.8.0+cu128")
    install(site.path, "setuptools", "82.0.0", {"setuptools/__init__.py": ""})
    log = """\
   Getting requirements to build wheel: finished with status 'error'
    error: subprocess-exited-with-error
    × Getting requirements to build wheel did not run successfully.
    ╰─> [20 lines of output]
        ModuleNotFoundError: No module named 'pkg_resources'
"""
    done = ground.check(site, log=log)
    assert done.first.rule == "TL524"
    assert done.command == 'python -m pip install "setuptools<82" wheel'
    assert "again with --no-build-isolation" in done.first.remedy
    assert done.first.remedy


@pytest.mark.sketched
def test_a_soundfile_without_what_it_imports_is_not_said_to_load(ground: Ground) -> None:
    """A folder may be a part of the path only, so it is unknown rather than wrong."""
    site = ground.linux()
    ground.torch(site, "2.8.0+cpu", made_for=[])
    ground.wheel(site, "soundfile==0.13.1")
    ground.image()
    summary = ground.check(site, root=True).json["summary"]
    assert summary.startswith("nothing wrong was found: torch 2.8.0 (CPU build) loads; whether soundfile 0.13.1")
    assert "it imports cffi" in summary
