"""More environments of public threads that were collected and judged before the tool saw them: a row for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from support.libraries import elf
from support.site_folder import install, write
from support.skeletons import dylib

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.ground import Ground
    from support.skeletons import Site


class Staged(NamedTuple):
    """A folder of packages, and what the thread pasted."""

    site: Site
    log: str = ""
    root: bool = False


def older_torch(ground: Ground) -> Staged:
    site = ground.linux(python="3.10")
    ground.wheel(site, "torchaudio==2.3.1")
    ground.torch(site, "2.0.1", made_for=["torchaudio==2.0.2"], cuda="11.7")
    return Staged(site)


def later_torch(ground: Ground) -> Staged:
    site = ground.linux(packages="dist-packages")
    ground.wheel(site, "torchaudio==2.5.1+cu124")
    ground.torch(site, "2.6.0+cu124", made_for=["torchaudio==2.6.0"])
    symbol = "_ZN2at4_ops9fft_irfft4callERKNS_6TensorESt8optionalIN3c106SymIntEElS5_INS6_17basic_string_viewIcEEE"
    library = site.path / "torchaudio/lib/libtorchaudio.so"
    return Staged(site, f"OSError: {library}: undefined symbol: {symbol}\n")


def compiled_for(torch: str, torchaudio: str) -> str:
    words = f"PyTorch has CUDA version {torch} whereas TorchAudio has CUDA version {torchaudio}."
    return (
        f"RuntimeError: Detected that PyTorch and TorchAudio were compiled with different CUDA versions. {words}\n"
    )


def torchaudio_of_another_cuda(ground: Ground) -> Staged:
    site = ground.linux(python="3.10", prefix="opt/venv")
    ground.wheel(site, "torchaudio==0.13.1")
    ground.torch(site, "1.13.1+cu116", made_for=["torchaudio==0.13.1"])
    return Staged(site, compiled_for("11.6", "11.7"))


def torchaudio_of_another_cuda_on_windows(ground: Ground) -> Staged:
    site = ground.windows(python="3.10", prefix="stable-diffusion-webui/venv")
    ground.wheel(site, "torchaudio==2.0.2+cu117")
    ground.torch(site, "2.0.1+cu118", made_for=["torchaudio==2.0.2"])
    return Staged(site, compiled_for("11.8", "11.7"))


def extension_of_an_older_torch(ground: Ground) -> Staged:
    site = ground.linux(python="3.6")
    ground.torch(site, "1.2.0", made_for=[], cuda="10.0")
    library, symbol = "torch_sparse/unique_cuda.cpython-36m-x86_64-linux-gnu.so", "_ZN3c106Device8validateEv"
    files: dict[str, str | bytes] = {
        "torch_sparse/__init__.py": "from .unique import unique\n",
        "torch_sparse/unique.py": "import torch\nimport torch_sparse.unique_cuda\n",
        library: elf("", ["libc10.so", "libtorch.so"], [], [symbol], runpath="$ORIGIN/../torch/lib"),
    }
    install(site.path, "torch_sparse", "0.4.0", files, tag="cp36-cp36m-linux_x86_64")
    return Staged(site, f"ImportError: {site.path}/{library}: undefined symbol: {symbol}\n")


def libsndfile_of_another_machine(ground: Ground) -> Staged:
    site = ground.mac(python="3.10")
    ground.wheel(site, "torchaudio==2.1.2")
    ground.torch(site, "2.1.2")
    install(site.path, "soundfile", "0.10.3.post1", {"soundfile.py": "__version__ = '0.10.3'\n"})
    library = "/usr/local/lib/libsndfile.dylib"
    write(site.root / library[1:], dylib(library, machine="x86_64"))
    reason = "(mach-o file, but is an incompatible architecture (have (x86_64), need (arm64e)))"
    log = f"OSError: cannot load library '{library}': dlopen({library}, 0x0002): tried: '{library}' {reason}\n"
    return Staged(site, log, root=True)


def numpy_2(ground: Ground) -> Staged:
    site = ground.mac(machine="x86_64")
    ground.wheel(site, "torchaudio==2.2.2")
    ground.torch(site, "2.2.2")
    install(site.path, "numpy", "2.0.2", {"numpy/__init__.py": "", "numpy/version.py": "version = '2.0.2'\n"})
    return Staged(site, "RuntimeError: Numpy is not available\n")


def fairseq_on_python_3_11(ground: Ground) -> Staged:
    site = ground.mac(python="3.11")
    ground.wheel(site, "torchaudio==2.0.2")
    ground.torch(site, "2.0.1", made_for=["torchaudio==2.0.2"])
    install(site.path, "fairseq", "0.12.2", {"fairseq/__init__.py": ""})
    reason = "for field common is not allowed: use default_factory"
    log = f"ValueError: mutable default <class 'fairseq.dataclass.configs.CommonConfig'> {reason}\n"
    return Staged(site, log)


def soundfile_without_its_library(ground: Ground) -> Staged:
    site = ground.windows(python="3.7")
    ground.wheel(site, "torchaudio==0.9.0+cpu")
    ground.torch(site, "1.9.0+cpu")
    install(site.path, "soundfile", "0.10.3.post1", {"soundfile.py": "__version__ = '0.10.3'\n"})
    return Staged(site)


def code_of_an_older_transformers(ground: Ground) -> Staged:
    site = ground.windows()
    ground.wheel(site, "torchaudio==2.6.0+cu124")
    ground.torch(site, "2.6.0+cu124")
    install(site.path, "transformers", "4.51.3", {"transformers/__init__.py": ""})
    where = r"(E:\python\lib\site-packages\transformers\__init__.py)"
    return Staged(site, f"ImportError: cannot import name 'LogitsWarper' from 'transformers' {where}\n")


def diffusers_of_an_older_hub(ground: Ground) -> Staged:
    site = ground.linux(python="3.10")
    ground.wheel(site, "torchaudio==2.3.1+cu121")
    ground.torch(site, "2.3.1+cu121")
    line = "from huggingface_hub import cached_download, hf_hub_download, model_info\n"
    install(site.path, "diffusers", "0.27.2", {"diffusers/__init__.py": line})
    install(site.path, "huggingface_hub", "0.30.1", {"huggingface_hub/__init__.py": ""})
    return Staged(site)


ROWS = [
    ("MyNiuuu/MOFA-Video pull 20", older_torch, "TL101", "torchaudio 2.0.2 instead of 2.3.1"),
    ("facebookresearch/fairseq2 issue 1054", later_torch, "TL101", "torchaudio 2.6.0 instead of 2.5.1"),
    ("deepset-ai/haystack issue 4089", torchaudio_of_another_cuda, "TL201", "torchaudio 0.13.1+cu116 instead"),
    (
        "numz/sd-wav2lip-uhq issue 36",
        torchaudio_of_another_cuda_on_windows,
        "TL201",
        "torchaudio 2.0.2+cu118 instead",
    ),
    ("rusty1s/pytorch_sparse issue 29", extension_of_an_older_torch, "TL611", "or compile it here"),
    ("jianchang512/pyvideotrans issue 261", libsndfile_of_another_machine, "TL608", "Install a later soundfile"),
    ("jamiepine/voicebox pull 361", numpy_2, "TL105", "numpy 1.26.4 instead of 2.0.2"),
    ("RVC-Project/WebUI issue 473", fairseq_on_python_3_11, "TL405", "Use Python 3.10"),
    (
        "bastibe/python-soundfile issue 248",
        soundfile_without_its_library,
        "TL301",
        "a soundfile wheel that contains",
    ),
    (
        "chenpipi0807/ComfyUI-Index-TTS issue 1",
        code_of_an_older_transformers,
        "TL710",
        "Install transformers<4.49",
    ),
    ("FireRedTeam/FireRedTTS issue 33", diffusers_of_an_older_hub, "TL710", "Install diffusers 0.29 or later"),
]


@pytest.mark.sketched(real=False)
@pytest.mark.parametrize(("stage", "rule", "remedy"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_staged_thread(ground: Ground, stage: Callable[[Ground], Staged], rule: str, remedy: str) -> None:
    staged = stage(ground)
    platform = staged.site.platform if staged.root else ""
    done = ground.check(staged.site, log=staged.log, root=staged.root, platform=platform)
    assert (done.first.rule, remedy in done.first.remedy) == (rule, True), done.first
