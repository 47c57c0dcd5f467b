"""Failures on a GPU that only a log shows: its driver, its architecture, CPU builds, code compiled at run time."""

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Ground
from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import Site

PAGE = "https://download.pytorch.org/whl"


def stack(ground: Ground, *wheels: str, torch: str, python: str = "3.11", hip: str = "") -> Site:
    """A Linux with these wheels and this torch, which loads."""
    site = ground.linux(python)
    for each in (*wheels, "soundfile==0.13.1"):
        ground.wheel(site, each)
    ground.torch(site, torch, hip=hip)
    ground.image(*ffmpeg(6))
    return site


OLD_DRIVER = (
    "RuntimeError: The NVIDIA driver on your system is too old (found version {}). Please update your GPU.\n"
)


@pytest.mark.sketched
def test_a_driver_for_an_older_cuda(ground: Ground) -> None:
    """The build for a CUDA version of the driver has the same torch, and another command cures, too."""
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    done = ground.check(site, root=True, log=OLD_DRIVER.format(11080))
    assert (done.first.rule, done.first.severity) == ("TL202", "warning")
    assert "the driver in the log supports CUDA 11.8" in done.first.message
    assert done.first.remedy.startswith("Update the NVIDIA driver to ")
    assert f"--index-url {PAGE}/cu118 torch==2.5.1+cu118" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_driver_of_the_same_cuda_is_not_too_old(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    done = ground.check(site, root=True, log=OLD_DRIVER.format(12020))
    assert "TL202" not in [each.rule for each in done.bad]


@pytest.mark.sketched
def test_code_that_is_newer_than_the_driver(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.8.0", torch="2.8.0+cu128")
    log = "RuntimeError: CUDA error: the provided PTX was compiled with an unsupported toolchain.\n"
    done = ground.check(site, root=True, log=log)
    assert (done.first.rule, done.command) == ("TL202", "")
    assert "a driver translates intermediate code (PTX) of its own CUDA version" in done.first.because


WARNED = (
    "UserWarning: NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch "
    "installation.\n"
)


@pytest.mark.sketched
def test_a_gpu_that_is_newer_than_torch(ground: Ground) -> None:
    """No build of torch 2.5.1 has code for it: the nearest release that has comes with its companions."""
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    done = ground.check(site, root=True, log=WARNED)
    assert done.first.rule == "TL208"
    assert "RTX 5090" in done.first.message
    assert f"{PAGE}/cu128 torch==2.7.0+cu128 torchaudio==2.7.0+cu128" in done.command
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("torch", "hip", "words"),
    [("2.5.1+cu124", "", "with --gpu and the name"), ("2.5.1+rocm6.2", "6.2.41133", "HSA_OVERRIDE_GFX_VERSION")],
)
def test_a_gpu_that_the_log_does_not_name(torch: str, hip: str, words: str, ground: Ground) -> None:
    site = ground.linux()
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, torch, hip=hip, made_for=[])
    ground.image()
    device = "HIP error: invalid device function" if hip else "CUDA error: no kernel image is available"
    done = ground.check(site, root=True, log=f"RuntimeError: {device} for execution on the device\n")
    assert (done.first.rule, done.command) == ("TL208", "")
    assert words in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("log", "message", "remedy"),
    [
        (
            "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
            "the process in the log had no libcuda.so.1",
            "--gpus all",
        ),
        (
            "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment",
            "did not start",
            "nvidia_uvm",
        ),
        ("RuntimeError: No CUDA GPUs are available", "found an NVIDIA driver and no GPU", "CUDA_VISIBLE_DEVICES"),
        ("RuntimeError: Found no NVIDIA driver on your system.", "found no NVIDIA driver", "compute on the CPU"),
    ],
)
def test_a_machine_without_a_gpu_is_no_fault_of_the_packages(
    log: str, message: str, remedy: str, ground: Ground
) -> None:
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    done = ground.check(site, root=True, log=f"{log}\n")
    assert (done.first.rule, done.first.severity, done.command) == ("TL227", "warning", "")
    assert message in done.first.message
    assert remedy in done.first.remedy


DESERIALIZE = (
    "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If "
    "you are running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu')\n"
)


@pytest.mark.sketched
def test_a_model_of_a_gpu_on_a_cpu_build(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.5.1+cpu", torch="2.5.1+cpu")
    done = ground.check(site, root=True, log=DESERIALIZE)
    assert done.first.rule == "TL209"
    assert done.first.remedy.startswith(
        "Pass map_location='cpu' to torch.load, to compute on the CPU; or install "
    )
    assert "on a machine with an NVIDIA GPU" in done.first.remedy
    ground.cure(done, other_build=True)


@pytest.mark.sketched
def test_the_gpu_of_the_machine_decides_which_cuda_build_it_gets(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.8.0+cpu", torch="2.8.0+cpu")
    log = "AssertionError: Torch not compiled with CUDA enabled\n"
    done = ground.check(site, "--gpu", "sm_120", root=True, log=log)
    assert done.first.rule == "TL209"
    assert done.command == "python -m pip install --force-reinstall torch==2.8.0 torchaudio==2.8.0"
    assert "on a machine with" not in done.first.remedy
    ground.cure(done, other_build=True)


@pytest.mark.sketched
def test_an_operator_of_a_cpu_build_that_is_called_on_a_gpu(ground: Ground) -> None:
    site = stack(ground, "torchvision==0.20.1+cpu", torch="2.5.1+cpu")
    ground.torch(site, "2.5.1+cu124", made_for=["torchvision==0.20.1+cpu"])
    log = "NotImplementedError: Could not run 'torchvision::nms' with arguments from the 'CUDA' backend.\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL228"
    assert "its operator nms was called on a GPU" in done.first.message
    assert done.command.endswith(f"--index-url {PAGE}/cu124 torchvision==0.20.1+cu124")


BUILTINS = (
    "RuntimeError: nvrtc: error: failed to open libnvrtc-builtins.so.{}.\n  Make sure that it is installed.\n"
)


def nvrtc(site: Site, version: str, file: str, folder: str = "nvidia/cuda_nvrtc/lib") -> None:
    install(site.path, "nvidia-cuda-nvrtc-cu12", version, {f"{folder}/{file}": elf(file)})


@pytest.mark.sketched
def test_the_second_library_of_nvrtc_is_there_and_not_searched(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    nvrtc(site, "12.4.127", "libnvrtc-builtins.so.12.4")
    done = ground.check(site, root=True, log=BUILTINS.format("12.4"))
    assert (done.first.rule, done.first.message) == (
        "TL226",
        "NVRTC of CUDA 12.4 does not find libnvrtc-builtins.so.12.4",
    )
    folder = "/usr/local/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib"
    assert done.command == f'export LD_LIBRARY_PATH="{folder}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'


@pytest.mark.sketched
def test_the_second_library_of_nvrtc_has_another_name_in_torch(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu118")
    write(site.path / "torch/lib/libnvrtc-builtins.so", elf("libnvrtc-builtins.so.11.8"))
    done = ground.check(site, root=True, log=BUILTINS.format("11.8"))
    assert done.first.rule == "TL226"
    lib = "/usr/local/lib/python3.11/site-packages/torch/lib"
    assert done.command == f"ln -s {lib}/libnvrtc-builtins.so {lib}/libnvrtc-builtins.so.11.8"


@pytest.mark.sketched
@pytest.mark.parametrize("there", [False, True])
def test_the_second_library_of_nvrtc_is_of_another_cuda(there: bool, ground: Ground) -> None:
    """With another one installed, what torch requires is installed again; with none, that of the log."""
    site = ground.linux()
    ground.wheel(site, "soundfile==0.13.1")
    pin = "nvidia-cuda-nvrtc-cu12==12.4.127; platform_system == 'Linux'"
    ground.torch(site, "2.5.1+cu124", made_for=[], requires=[pin] if there else [])
    ground.image()
    if there:
        nvrtc(site, "12.4.127", "libnvrtc-builtins.so.12.4")
    done = ground.check(site, root=True, log=BUILTINS.format("12.1"))
    assert done.first.rule == "TL226"
    wanted = {
        True: "--force-reinstall --no-deps nvidia-cuda-nvrtc-cu12==12.4.127",
        False: '"nvidia-cuda-nvrtc-cu12==12.1.*"',
    }
    assert done.command == f"python -m pip install {wanted[there]}"
    assert ("this environment has none" in done.first.message) is not there


@pytest.mark.sketched
def test_the_second_library_of_nvrtc_on_windows(ground: Ground) -> None:
    site = ground.windows()
    ground.torch(site, "2.5.1+cu124", made_for=[])
    ground.library(site.path / "torch/lib/nvrtc-builtins64_124.dll")
    log = "RuntimeError: nvrtc: error: failed to open nvrtc-builtins64_124.dll.\n"
    done = ground.check(site, log=log)
    assert done.first.rule == "TL226"
    assert done.command.startswith('set "PATH=') and done.command.endswith('torch/lib;%PATH%"')


XFORMERS = "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:\n"
STREAM = "_ZN3c104cuda20CUDACachingAllocator9allocatorE"


def xformers(ground: Ground, torch: str, offers: bool = False) -> Site:
    """An xformers that was compiled against torch 2.5.1+cu121."""
    site = stack(ground, "torchaudio==2.5.1" + ("+cpu" if "cpu" in torch else ""), torch=torch)
    library = elf("", ["libtorch_cpu.so", "libc10_cuda.so"], [], ["_ZN2at4_ops12only_in_2_5Ev"])
    own = '{"version": {"cuda": 1201, "torch": "2.5.1+cu121"}}'
    files: dict[str, bytes | str] = {
        "xformers/__init__.py": "",
        "xformers/_C.so": library,
        "xformers/cpp_lib.json": own,
    }
    install(site.path, "xformers", "0.0.28.post3", files, headers="Requires-Dist: torch==2.5.1\n")
    return site


@pytest.mark.sketched
def test_an_xformers_beside_a_cpu_build(ground: Ground) -> None:
    site = xformers(ground, "2.5.1+cpu")
    done = ground.check(site, root=True, log=f"{XFORMERS}    PyTorch 2.5.1+cu121 (you have 2.5.1+cpu)\n")
    assert "needs libc10_cuda.so, which torch 2.5.1 (CPU build) does not have" in done.first.message
    assert f"--index-url {PAGE}/cu121 torch" in done.command


@pytest.mark.sketched
def test_an_xformers_of_the_torch_before(ground: Ground) -> None:
    site = ground.linux()
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.6.0+cu124", made_for=[])
    library = elf("", ["libtorch_cpu.so", "libc10_cuda.so"], [], ["_ZN2at4_ops12only_in_2_5Ev"])
    files: dict[str, bytes | str] = {"xformers/__init__.py": "", "xformers/_C.so": library}
    install(site.path, "xformers", "0.0.28.post3", files, headers="Requires-Dist: torch==2.5.1\n")
    ground.image()
    done = ground.check(site, root=True, log=f"{XFORMERS}    PyTorch 2.5.1+cu121 (you have 2.6.0+cu124)\n")
    assert done.command == "python -m pip install --no-deps xformers==0.0.29.post3"


NO_DECODER = "RuntimeError: Unsupported device: cuda. Did you install a CPU-only build of torchcodec?\n"


@pytest.mark.sketched
def test_a_cpu_build_of_torchcodec_that_is_asked_to_decode_on_a_gpu(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.8.0", "torchcodec==0.7.0", torch="2.8.0+cu128")
    done = ground.check(site, root=True, log=NO_DECODER)
    assert done.first.rule == "TL210"
    assert f"--index-url {PAGE}/cu128 torchcodec==0.7.0" in done.command
    assert "or decode with device='cpu'" in done.first.remedy


@pytest.mark.sketched
def test_a_model_of_a_gpu_on_a_mac(ground: Ground) -> None:
    """No build for CUDA is for macOS."""
    site = ground.mac()
    ground.wheel(site, "torchaudio==2.5.1")
    ground.wheel(site, "soundfile==0.13.1")
    ground.torch(site, "2.5.1")
    log = "AssertionError: Torch not compiled with CUDA enabled\n"
    done = ground.check(site, log=log, platform="macos-arm64")
    assert (done.first.rule, done.command) == ("TL209", "")
    assert "map_location='cpu'" in done.first.remedy


@pytest.mark.sketched
@pytest.mark.parametrize("name", ["libnvrtc-672ee683.so.11.2", "libnvrtc.so.11.2", ""])
def test_nvrtc_is_opened_by_its_plain_name(name: str, ground: Ground) -> None:
    """cuDNN 8 opens libnvrtc.so; wheels have no link of that name."""
    site = ground.linux()
    ground.torch(site, "2.0.1+cu118", made_for=[])
    ground.image()
    if name:
        ground.library(site.path / "torch/lib" / name)
    log = "Could not load library libcudnn_cnn_infer.so.8. Error: libnvrtc.so: cannot open shared object file\n"
    done = ground.check(site, root=True, log=log)
    assert done.first.rule == "TL226"
    assert "cuDNN 8 opens libnvrtc.so by this name" in done.first.message
    lib = "/usr/local/lib/python3.11/site-packages/torch/lib"
    assert done.command == (f"ln -s {lib}/{name} {lib}/libnvrtc.so" if name else "")
