"""Environments of public threads that were collected and judged before the tool saw them, with cause and cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.libraries import elf
from support.site_folder import install

if TYPE_CHECKING:
    from support.ground import Checked, Ground
    from support.skeletons import Site

FFMPEG_6 = (
    "libavutil.so.58",
    "libavcodec.so.60",
    "libavformat.so.60",
    "libavdevice.so.60",
    "libavfilter.so.9",
    "libswscale.so.7",
    "libswresample.so.4",
)


def said(done: Checked, rule: str, *parts: str) -> None:
    """The rule of the first finding, and what it or its remedy says."""
    assert done.first.rule == rule
    text = f"{done.first.message} {done.first.because} {done.first.remedy}"
    assert [part for part in parts if part not in text] == []


def pure(site: Site, name: str, version: str, files: dict[str, str | bytes], headers: str = "") -> None:
    """Install a package with the lines that decide."""
    install(site.path, name, version, files, headers=headers)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("python", "torch", "torchaudio", "wanted"),
    [
        ("3.11", "2.10.0+cu130", "2.11.0+cu130", "2.10.0+cu130"),
        ("3.8", "1.13.1+cu117", "2.1.2", "0.13.1"),
    ],
    ids=["deepbeepmeep/Wan2GP issue 1701", "RangiLyu/nanodet issue 547"],
)
def test_torchaudio_of_a_later_torch(
    ground: Ground, python: str, torch: str, torchaudio: str, wanted: str
) -> None:
    site = ground.linux(python=python)
    ground.wheel(site, f"torchaudio=={torchaudio}")
    ground.torch(site, torch, made_for=[f"torchaudio=={wanted.partition('+')[0]}"])
    done = ground.check(site)
    said(done, "TL101", f"torchaudio {wanted} instead of")
    ground.cure(done)


@pytest.mark.sketched
def test_torchcodec_of_a_later_torch_beside_ffmpeg(ground: Ground) -> None:
    """ace-step/ACE-Step-1.5 issue 1073: FFmpeg is there, and torchcodec 0.11 is for torch 2.11."""
    site = ground.linux()
    ground.image(*FFMPEG_6, system="ubuntu-24.04")
    ground.wheel(site, "torchaudio==2.10.0+cu128")
    ground.wheel(site, "torchcodec==0.11.0")
    ground.torch(site, "2.10.0+cu128", made_for=["torchaudio==2.10.0"])
    done = ground.check(site, root=True)
    said(done, "TL102", "torchcodec 0.10.0 instead of 0.11.0")
    ground.cure(done)


def test_torchcodec_that_crashes_a_notebook(ground: Ground) -> None:
    """meta-pytorch/torchcodec issue 985."""
    site = ground.linux(python="3.12")
    ground.wheel(site, "torchaudio==2.8.0+cu126")
    ground.wheel(site, "torchcodec==0.8.0")
    ground.torch(site, "2.8.0+cu126", made_for=["torchaudio==2.8.0", "torchcodec==0.7.0"])
    done = ground.check(site)
    said(done, "TL102", "torchcodec 0.8.0 needs torch 2.9", "torchcodec 0.7.0")
    ground.cure(done)


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("python", "torch", "hip", "torchaudio", "other"),
    [
        ("3.8", "1.11.0a0+git503a092", "5.1.20531", "0.11.0", "for ROCm 5.1"),
        ("3.9", "2.0.0a0+gitc263bd4", "", "2.0.1", "for Moore Threads GPUs"),
    ],
    ids=["xuhuisheng/rocm-gfx803 issue 23", "MooreThreads/torch_musa issue 40"],
)
def test_a_cuda_build_of_torchaudio_beside_a_torch_for_other_gpus(
    ground: Ground, python: str, torch: str, hip: str, torchaudio: str, other: str
) -> None:
    site = ground.linux(python=python)
    ground.wheel(site, f"torchaudio=={torchaudio}")
    ground.torch(site, torch, made_for=[f"torchaudio=={torchaudio}"], cuda="", hip=hip)
    if not hip:
        pure(site, "torch_musa", "1.1.0", {"torch_musa/__init__.py": "import torch\n"})
    done = ground.check(site)
    said(done, "TL610", "torchaudio was built for CUDA", other, f"from where torch {torch} came")


@pytest.mark.sketched
def test_an_extension_with_the_new_string_abi(ground: Ground) -> None:
    """huggingface/open-r1 issue 684."""
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.6.0+cu124")
    ground.torch(site, "2.6.0+cu124")
    symbol = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
    library = "flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so"
    needed = ["libc10.so", "libtorch.so", "libtorch_cpu.so", "libtorch_python.so"]
    files: dict[str, str | bytes] = {
        "flash_attn/__init__.py": "from flash_attn.flash_attn_interface import flash_attn_func\n",
        "flash_attn/flash_attn_interface.py": "import torch\nimport flash_attn_2_cuda as flash_attn_gpu\n",
        library: elf("", needed, [], [symbol], runpath="$ORIGIN/torch/lib"),
    }
    pure(site, "flash_attn", "2.8.0.post2", files, headers="Requires-Dist: torch\n")
    done = ground.check(site, log=f"ImportError: {site.path}/{library}: undefined symbol: {symbol}\n")
    said(done, "TL611", "flash-attn 2.8.0.post2 was compiled with the new C++ string ABI", "or compile it here")


@pytest.mark.sketched
def test_a_container_without_libsndfile(ground: Ground) -> None:
    """xserrat/docker-facebook-demucs issue 2."""
    site = ground.linux(python="3.9", prefix="opt/conda/envs/demucs")
    ground.image(system="debian-10")
    ground.wheel(site, "torchaudio==0.8.1")
    ground.torch(site, "1.8.1+cu102", made_for=["torchaudio==0.8.1"])
    pure(site, "soundfile", "0.10.3.post1", {"soundfile.py": "__version__ = '0.10.3'\n"})
    done = ground.check(site, root=True)
    said(done, "TL301", "does not contain libsndfile, and this machine has none")


@pytest.mark.sketched
def test_torchcodec_of_the_public_index_beside_a_torch_of_nvidia(ground: Ground) -> None:
    """meta-pytorch/torchcodec issue 795."""
    site = ground.linux(python="3.12", packages="dist-packages")
    ground.image(*FFMPEG_6, system="ubuntu-24.04")
    ground.wheel(site, "torchcodec==0.5")
    ground.torch(site, "2.8.0a0+5228986c39.nv25.06", made_for=[], cuda="12.9")
    line = "Could not run 'torchcodec_ns::create_from_tensor' with arguments from the 'CPU' backend."
    done = ground.check(site, root=True, log=f"NotImplementedError: {line}\n")
    assert "torchcodec from where torch 2.8.0a0+5228986c39.nv25.06 came" in done.first.remedy
    assert not done.command


def test_torchaudio_of_a_later_torch_on_a_mac(ground: Ground) -> None:
    """rsxdalv/TTS-WebUI issue 251."""
    site = ground.mac(python="3.10")
    ground.wheel(site, "torchaudio==2.1.2")
    ground.torch(site, "2.0.1", made_for=["torchaudio==2.0.2"])
    done = ground.check(site)
    said(done, "TL101", "torchaudio 2.0.2 instead of 2.1.2")
    ground.cure(done)


@pytest.mark.sketched
def test_custom_nodes_that_use_what_torchaudio_removed(ground: Ground) -> None:
    """yvann-ba/ComfyUI_Yvann-Nodes issue 31."""
    site = ground.mac(python="3.12")
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.9.1")
    module = site.path / "torchaudio/utils/__init__.py"
    log = f"""\
  File "/Users/k/ComfyUI/custom_nodes/ComfyUI_Yvann-Nodes/nodes/audio/AudioRemixer.py", line 5, in <module>
    from torchaudio.utils import download_asset
ImportError: cannot import name 'download_asset' from 'torchaudio.utils' ({module})
"""
    done = ground.check(site, log=log)
    said(done, "TL701", "AudioRemixer.py, line 5, uses torchaudio.utils.download_asset", "or change that line")


@pytest.mark.sketched
def test_a_torch_for_intel_on_an_arm_mac(ground: Ground) -> None:
    """Vaibhavs10/insanely-fast-whisper issue 126."""
    site = ground.mac()
    ground.wheel(site, "torchaudio==2.1.1")
    ground.torch(site._replace(machine="x86_64"), "2.1.1", made_for=["torchaudio==2.1.1"])
    library = f"{site.path}/torch/lib/libtorch_global_deps.dylib"
    reason = "(mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64'))"
    log = f"OSError: dlopen({library}, 0x000A): tried: '{library}' {reason}\n"
    done = ground.check(site, log=log, platform=site.platform)
    said(done, "TL608", "torch 2.1.1 was built for macOS (x86_64), this Python is for macOS (arm64)")
    assert done.command.endswith("torch==2.1.1")


@pytest.mark.sketched
def test_librosa_that_imports_what_numba_removed(ground: Ground) -> None:
    """librosa/librosa issue 1172."""
    site = ground.mac(python="3.8", machine="x86_64")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.13.1")
    decorators: dict[str, str | bytes] = {
        "librosa/util/decorators.py": "from numba.decorators import jit as optional_jit\n"
    }
    pure(site, "librosa", "0.7.2", {"librosa/__init__.py": "", **decorators}, "Requires-Dist: numba>=0.43.0\n")
    pure(site, "numba", "0.50.1", {"numba/__init__.py": ""})
    done = ground.check(site)
    assert done.first.message == "librosa 0.7.2 does not work with numba 0.50.1"
    ground.cure(done)


@pytest.mark.sketched
def test_torchvision_of_a_later_torch_on_windows(ground: Ground) -> None:
    """vladmandic/sdnext issue 3531."""
    site = ground.windows()
    ground.wheel(site, "torchvision==0.20.1+cu124")
    ground.torch(site, "2.4.0+cu121", made_for=["torchvision==0.19.0"])
    done = ground.check(site)
    said(done, "TL103", "torchvision 0.19.0+cu121 instead of 0.20.1+cu124")
    ground.cure(done)


@pytest.mark.sketched
def test_a_module_that_windows_calls_missing(ground: Ground) -> None:
    """neonbjb/tortoise-tts issue 298."""
    site = ground.windows(python="3.10")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.12.1+cpu", made_for=["torchaudio==0.12.1"])
    path = r"C:\Users\k\Python310\Lib\site-packages\torchaudio\lib\libtorchaudio.pyd"
    log = f"FileNotFoundError: Could not find module '{path}' (or one of its dependencies).\n"
    done = ground.check(site, log=log)
    said(done, "TL101", "torchaudio 0.12.1 instead of 0.13.1")
    ground.cure(done)


@pytest.mark.sketched
def test_a_module_whose_init_is_gone(ground: Ground) -> None:
    """numba/numba issue 7873."""
    site = ground.windows(python="3.9")
    ground.wheel(site, "torchaudio==0.11.0+cpu")
    ground.torch(site, "1.11.0+cpu")
    pure(site, "numba", "0.55.1", {"numba/__init__.py": "", "numba/core.py": ""})
    (site.path / "numba/__init__.py").unlink()
    done = ground.check(site, log="AttributeError: module 'numba' has no attribute 'jit'\n")
    said(done, "TL604", "numba/__init__.py among them", "Install numba again")


LIGHTNING = {
    "pytorch_lightning/__init__.py": "from pytorch_lightning.callbacks.rich_progress import RichProgressBar\n",
    "pytorch_lightning/callbacks/__init__.py": "",
    "pytorch_lightning/callbacks/rich_progress.py": (
        "from torchmetrics.utilities.imports import _compare_version\n"
    ),
}
TORCHMETRICS = {
    "torchmetrics/__init__.py": "",
    "torchmetrics/utilities/__init__.py": "",
    "torchmetrics/utilities/imports.py": "",
}
COQUI = {"TTS/__init__.py": "", "TTS/autoregressive.py": "from transformers import LogitsWarper\n"}


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("packages", "line", "name", "module", "command"),
    [
        (
            [("pytorch-lightning", "1.7.7", LIGHTNING), ("torchmetrics", "1.0.3", TORCHMETRICS)],
            "pytorch_lightning/callbacks/rich_progress.py",
            "_compare_version",
            "torchmetrics.utilities.imports",
            '"torchmetrics<1.0"',
        ),
        (
            [("coqui-tts", "0.24.3", COQUI), ("transformers", "4.51.3", {"transformers/__init__.py": ""})],
            "TTS/autoregressive.py",
            "LogitsWarper",
            "transformers",
            '"transformers<4.49"',
        ),
    ],
    ids=["danier97/LDMVFI issue 10", "idiap/coqui-ai-TTS issue 386"],
)
def test_a_name_that_another_package_removed(
    ground: Ground,
    packages: list[tuple[str, str, dict[str, str | bytes]]],
    line: str,
    name: str,
    module: str,
    command: str,
) -> None:
    site = ground.linux()
    ground.wheel(site, "torchaudio==2.2.2+cpu")
    ground.torch(site, "2.2.2+cpu")
    for project, version, files in packages:
        pure(site, project, version, files)
    log = f"""\
  File "{site.path}/{line}", line 1, in <module>
    from {module} import {name}
ImportError: cannot import name '{name}' from '{module}' ({site.path}/{module.replace(".", "/")}.py)
"""
    done = ground.check(site, log=log)
    said(done, "TL710", f"{module}.{name}")
    assert done.command == f"python -m pip install {command}"


@pytest.mark.sketched
def test_a_gradio_that_cannot_read_schemas(ground: Ground) -> None:
    """SWivid/F5-TTS pull request 930."""
    site = ground.mac()
    ground.wheel(site, "torchaudio==2.6.0")
    ground.torch(site, "2.6.0")
    pure(site, "gradio_client", "1.7.2", {"gradio_client/utils.py": ""})
    pure(site, "pydantic", "2.11.1", {"pydantic/__init__.py": ""})
    log = f"""\
  File "{site.path}/gradio_client/utils.py", line 863, in get_type
    if "const" in schema:
       ^^^^^^^^^^^^^^^^^
TypeError: argument of type 'bool' is not iterable
"""
    done = ground.check(site, log=log)
    said(done, "TL710", "cannot read what pydantic 2.11 and later write")
    assert done.command == 'python -m pip install "pydantic<2.11"'


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("system", "torch", "companions"),
    [
        ("linux", "2.11.0+cu130", ["torchaudio==2.11.0+cu130"]),
        ("linux", "2.7.1+cu126", ["torchaudio==2.7.1+cu126"]),
        ("mac", "2.8.0", ["torchaudio==2.8.0"]),
        ("windows", "2.12.0+cu126", ["torchaudio==2.11.0+cu126"]),
    ],
)
def test_a_working_environment(ground: Ground, system: str, torch: str, companions: list[str]) -> None:
    site: Site = getattr(ground, system)(python="3.12")
    for each in companions:
        ground.wheel(site, each)
    ground.torch(site, torch, made_for=[each.partition("+")[0] for each in companions])
    assert not ground.check(site).bad


@pytest.mark.sketched
def test_a_project_without_torch(ground: Ground) -> None:
    site = ground.linux()
    pure(site, "Django", "4.2.11", {"django/__init__.py": ""})
    assert not ground.check(site).bad
