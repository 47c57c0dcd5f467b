"""Failures that a log shows, staged from real wheels: the missing name, the release that has it, the cure."""

# ruff: noqa: E501 (tracebacks as they were pasted)

from __future__ import annotations

import pytest

from support.appliers import ffmpeg
from support.ground import Checked, Ground
from support.site_folder import install
from support.skeletons import Site


def stack(ground: Ground, *wheels: str, torch: str, python: str = "3.11", codec: bool = False) -> Site:
    """A Linux with these wheels and the torch of their release; with FFmpeg."""
    site = ground.linux(python)
    for each in wheels:
        ground.wheel(site, each)
    ground.torch(site, torch)
    ground.image(*ffmpeg(6))
    return site


def shown(done: Checked, rule: str, *words: str) -> None:
    """The first finding is of this rule, and says this."""
    assert done.first.rule == rule, done.bad
    for word in words:
        assert word in f"{done.first.message} {done.first.because} {done.first.remedy}", done.first


@pytest.mark.sketched
def test_a_custom_node_imports_what_torchaudio_removed(ground: Ground) -> None:
    """https://github.com/yvann-ba/ComfyUI_Yvann-Nodes/issues/35"""
    log = r"""
Traceback (most recent call last):
  File "E:\ComfyUI_windows_portable\ComfyUI\nodes.py", line 2149, in load_custom_node
    module_spec.loader.exec_module(module)
    ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~^^^^^^^^
  File "<frozen importlib._bootstrap_external>", line 1027, in exec_module
  File "<frozen importlib._bootstrap>", line 488, in _call_with_frames_removed
  File "E:\ComfyUI_windows_portable\ComfyUI\custom_nodes\comfyui_yvann-nodes\__init__.py", line 42, in <module>
    from .nodes.audio.LoadAudioSeparationModel import LoadAudioSeparationModel
  File "E:\ComfyUI_windows_portable\ComfyUI\custom_nodes\comfyui_yvann-nodes\nodes\audio\Load.py", line 5, in <module>
    from torchaudio.utils import download_asset
ImportError: cannot import name 'download_asset' from 'torchaudio.utils' (E:\ComfyUI_windows_portable\python_embeded\Lib\site-packages\torchaudio\utils\__init__.py)

Cannot import E:\ComfyUI_windows_portable\ComfyUI\custom_nodes\comfyui_yvann-nodes module for custom nodes: cannot import name 'download_asset' from 'torchaudio.utils'
"""
    site = ground.windows("3.13", "python_embeded")
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.9.1+cu130")
    done = ground.check(site, log=log, platform="windows-amd64")
    shown(done, "TL701", "torchaudio.utils.download_asset", "Load.py, line 5", "2.9 removed it")
    assert "torch.hub.download_url_to_file" in done.first.remedy
    assert [each.rule for each in done.bad] == ["TL701"]
    assert done.first.remedy  # torch 2.8 has no build for CUDA 13: the line is changed


@pytest.mark.sketched
def test_a_notebook_imports_what_left_torch(ground: Ground) -> None:
    """https://github.com/facebookresearch/esm/issues/621"""
    log = """
ModuleNotFoundError                       Traceback (most recent call last)

[<ipython-input-9-96b65e9aab68>](https://localhost:8080/#) in <cell line: 2>()
      1 import torch
----> 2 from torch._six import inf
      3 import esm
      4
      5 model = esm.pretrained.esmfold_v1()

ModuleNotFoundError: No module named 'torch._six'
"""
    site = ground.mac(python="3.10")
    ground.wheel(site, "torchaudio==2.0.2")
    ground.torch(site, "2.0.1")
    done = ground.check(site, platform="macos-arm64", log=log)
    shown(done, "TL704", "torch._six", "notebook", "line 2", "2.0 removed it", "import it from torch")
    assert done.first.remedy
    if done.command:
        ground.cure(done)


@pytest.mark.sketched
def test_a_package_without_a_rule_imports_what_left_torch(ground: Ground) -> None:
    """https://github.com/QwenLM/Qwen/issues/624"""
    site = stack(ground, "torchaudio==2.1.2", torch="2.1.2+cu121", python="3.10")
    files: dict[str, bytes | str] = {
        "deepspeed/__init__.py": "from .runtime import utils\n",
        "deepspeed/runtime/__init__.py": "",
        "deepspeed/runtime/utils.py": "from torch._six import inf\n",
    }
    install(site.path, "deepspeed", "0.3.16", files, headers="Requires-Dist: torch>=1.2")
    log = r"""
  File "E:\wrl\PythonCode\Qwen\finetune.py", line 12, in <module>
    from deepspeed import zero
  File "E:\wrl\PythonCode\Qwen\venv\lib\site-packages\deepspeed\__init__.py", line 9, in <module>
    from .runtime.engine import DeepSpeedEngine
  File "E:\wrl\PythonCode\Qwen\venv\lib\site-packages\deepspeed\runtime\utils.py", line 18, in <module>
    from torch._six import inf
ModuleNotFoundError: No module named 'torch._six'
"""
    done = ground.check(site, log=log)
    shown(done, "TL704", "deepspeed 0.3.16 uses torch._six", "a release of deepspeed that does not need it")


@pytest.mark.sketched
def test_a_name_of_a_later_torchaudio(ground: Ground) -> None:
    """https://github.com/bshall/knn-vc/issues/7"""
    site = ground.mac(python="3.9")
    ground.wheel(site, "torchaudio==0.12.1")
    ground.torch(site, "1.12.1")
    done = ground.check(
        site,
        platform="macos-arm64",
        log="AttributeError: module 'torchaudio.functional' has no attribute 'loudness'\n",
    )
    shown(done, "TL706", "torchaudio.functional.loudness", "it is new in 0.13")
    assert "torchaudio==0.13" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_name_of_a_later_torch_that_a_clone_needs(ground: Ground) -> None:
    """https://github.com/2noise/ChatTTS/issues/46"""
    log = """
ImportError                               Traceback (most recent call last)
Cell In[4], line 2
      1 import torch
----> 2 import ChatTTS
      3 from IPython.display import Audio

File ~/ChatTTS/ChatTTS/__init__.py:1
----> 1 from .core import Chat

File ~/ChatTTS/ChatTTS/model/gpt.py:13
     11 import torch.nn.functional as F
     12 import torch.nn.utils.parametrize as P
---> 13 from torch.nn.utils.parametrizations import weight_norm
     14 from transformers import LlamaModel, LlamaConfig

ImportError: cannot import name 'weight_norm' from 'torch.nn.utils.parametrizations' (/home/u/miniconda3/lib/python3.8/site-packages/torch/nn/utils/parametrizations.py)
"""
    site = ground.linux("3.8", prefix="root/miniconda3")
    ground.wheel(site, "torchaudio==2.0.2")
    ground.torch(site, "2.0.1+cu117")
    ground.image(*ffmpeg(6))
    done = ground.check(site, log=log)
    shown(done, "TL706", "parametrizations.weight_norm", "gpt.py, line 13", "it is new in 2.1", "torch.nn.utils")
    assert "torch==2.1" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_a_stack_member_that_needs_a_later_torch_is_a_pair_that_does_not_fit(ground: Ground) -> None:
    """https://github.com/lllyasviel/IC-Light/issues/77"""
    site = stack(ground, "torchaudio==2.2.1", torch="2.2.1+cu121", python="3.10")
    ground.wheel(site, "torchvision==0.19.1")
    log = """
  File "/usr/local/lib/python3.10/site-packages/torchvision/__init__.py", line 10, in <module>
    from torchvision import _meta_registrations, datasets, io, models, ops, transforms, utils  # usort:skip
  File "/usr/local/lib/python3.10/site-packages/torchvision/_meta_registrations.py", line 163, in <module>
    @torch.library.register_fake("torchvision::nms")
AttributeError: module 'torch.library' has no attribute 'register_fake'
"""
    done = ground.check(site, log=log)
    shown(done, "TL103")
    assert "TL706" not in {each.rule for each in done.bad}
    ground.cure(done)


@pytest.mark.sketched
def test_a_clone_imports_what_left_torchvision(ground: Ground) -> None:
    """https://github.com/PeterL1n/RobustVideoMatting/issues/110"""
    site = stack(ground, "torchvision==0.15.2", "torchaudio==2.0.2", torch="2.0.1+cu117", python="3.10")
    log = """
src/model/mobilenetv3.py:3: in <module>
    from torchvision.models.utils import load_state_dict_from_url
E   ModuleNotFoundError: No module named 'torchvision.models.utils'
"""
    done = ground.check(site, log=log)
    shown(
        done,
        "TL705",
        "src/model/mobilenetv3.py, line 3",
        "0.11 removed it",
        "load_state_dict_from_url from torch.hub",
    )
    assert done.first.remedy
    if done.command:
        ground.cure(done)


@pytest.mark.sketched
def test_transforms_of_basicsr_that_moved(ground: Ground) -> None:
    """https://github.com/XPixelGroup/BasicSR/issues/649"""
    site = stack(ground, "torchvision==0.17.2", "torchaudio==2.2.2", torch="2.2.2+cu121", python="3.10")
    log = """
  File "/content/GFPGAN/basicsr/data/degradations.py", line 8, in <module>
    from torchvision.transforms.functional_tensor import rgb_to_grayscale
ModuleNotFoundError: No module named 'torchvision.transforms.functional_tensor'
"""
    done = ground.check(site, log=log)
    shown(done, "TL705", "degradations.py, line 8", "0.17 removed it", "from torchvision.transforms.functional")
    assert "torchvision==0.16" in done.command
    ground.cure(done)


@pytest.mark.sketched
def test_only_the_last_line_of_a_log(ground: Ground) -> None:
    """https://github.com/xorbitsai/inference/issues/4590"""
    site = stack(ground, "torchaudio==2.9.0", "torchcodec==0.8.1", torch="2.9.0+cu126")
    done = ground.check(site, log="module 'torchaudio' has no attribute 'io'\n")
    shown(done, "TL702", "torchaudio.io", "2.9 removed it", "torchcodec.decoders.AudioDecoder")
    assert "https://download.pytorch.org/whl/cu126" in done.command
    ground.cure(done)


def test_the_log_names_one_of_two_broken_packages(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.9.1", "torchcodec==0.9.1", torch="2.9.1+cu128")
    for each in ("deepfilternet==0.5.6", "pyannote.audio==3.3.2", "speechbrain==1.0.2"):
        ground.wheel(site, each, platform="any")
    frame = '  File "/usr/local/lib/python3.11/site-packages/{}", line 85, in f\n    torchaudio.x\n{}\n'
    for file, name, attribute in (
        ("df/io.py", "deepfilternet", "No module named 'torchaudio.backend'"),
        (
            "speechbrain/utils/torch_audio_backend.py",
            "speechbrain",
            "module 'torchaudio' has no attribute 'list_audio_backends'",
        ),
        ("pyannote/audio/core/io.py", "pyannote-audio", "module 'torchaudio' has no attribute 'info'"),
    ):
        done = ground.check(site, log=frame.format(file, attribute))
        assert done.first.packages[0] == name, (name, done.bad)
    ground.cure(done)


@pytest.mark.sketched
def test_a_file_of_the_user_hides_the_package(ground: Ground) -> None:
    site = stack(ground, "torchaudio==2.5.1", torch="2.5.1+cu124")
    log = (
        '  File "/home/u/work/train.py", line 2, in <module>\n    import torchaudio\n'
        '  File "/home/u/work/torchaudio.py", line 3, in <module>\n    waveform, rate = torchaudio.load("a.wav")\n'
        "AttributeError: partially initialized module 'torchaudio' from '/home/u/work/torchaudio.py' has no attribute "
        "'load' (most likely due to a circular import)\n"
    )
    done = ground.check(site, log=log)
    shown(done, "TL606", "/home/u/work/torchaudio.py", "another name")


@pytest.mark.sketched
def test_a_name_that_is_there_is_of_another_state(ground: Ground) -> None:
    """https://github.com/pytorch/vision/issues/9020"""
    site = stack(ground, "torchaudio==2.8.0", torch="2.8.0+cu128")
    done = ground.check(site, log="AttributeError: module 'torchaudio' has no attribute 'list_audio_backends'\n")
    assert done.bad == []
    assert (
        "2.9 removed; what was examined in this environment does not show it; nothing wrong was found" in done.text
    )


@pytest.mark.sketched
def test_a_name_that_only_another_package_lacks(ground: Ground) -> None:
    """https://github.com/kijai/ComfyUI-KJNodes/issues/212"""
    site = stack(ground, "torchaudio==2.6.0", torch="2.6.0+cu124")
    done = ground.check(
        site, log="ImportError: cannot import name 'AttrsDescriptor' from 'triton.compiler.compiler'\n"
    )
    assert done.bad == []


@pytest.mark.sketched
def test_a_call_of_stft_that_torch_2_refuses(ground: Ground) -> None:
    """https://github.com/alibabasglab/D2Former/issues/4"""
    site = stack(ground, "torchaudio==2.1.2", torch="2.1.2+cu121", python="3.10")
    log = """
  File "/D2Former/evaluation.py", line 36, in enhance_one_track
    noisy_spec = torch.stft(noisy, n_fft, hop, window=torch.hamming_window(n_fft).cuda(), onesided=True)
  File "/usr/local/lib/python3.10/site-packages/torch/functional.py", line 650, in stft
    return _VF.stft(input, n_fft, hop_length, win_length, window,  # type: ignore[attr-defined]
RuntimeError: stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release.
"""
    done = ground.check(site, log=log)
    shown(done, "TL709", "/D2Former/evaluation.py, line 36, calls torch.stft", "view_as_real")
    assert done.first.remedy  # the line is changed


WEIGHTS = """\
_pickle.UnpicklingError: Weights only load failed. This file can still be loaded, to do so you have two options
    WeightsUnpickler error: Unsupported global: GLOBAL {} was not an allowed global by default.
"""


@pytest.mark.sketched
def test_a_model_of_pyannote_that_lightning_no_longer_loads(ground: Ground) -> None:
    """https://github.com/pyannote/pyannote-audio/issues/1960"""
    site = stack(ground, "torchaudio==2.8.0", torch="2.8.0+cu128")
    for name, version in (("pyannote-audio", "3.4.0"), ("lightning", "2.6.0"), ("pytorch-lightning", "2.6.0")):
        install(site.path, name, version, {f"{name.replace('-', '_')}/__init__.py": ""})
    done = ground.check(
        site, root=True, log="lightning_fabric/utilities/cloud_io.py\n" + WEIGHTS.format("omegaconf")
    )
    assert done.first.rule == "TL110"
    assert "with lightning 2.6 or newer" in done.first.message
    assert done.command == 'python -m pip install "lightning<2.6" "pytorch-lightning<2.6"'


@pytest.mark.sketched
def test_a_model_of_tts(ground: Ground) -> None:
    """https://github.com/coqui-ai/TTS/issues/4175"""
    site = stack(ground, "torchaudio==2.6.0", torch="2.6.0+cu124")
    install(site.path, "TTS", "0.22.0", {"TTS/__init__.py": ""})
    log = '  File "/usr/local/lib/python3.11/site-packages/TTS/utils/io.py", line 54, in load_fsspec\n'
    done = ground.check(site, root=True, log=log + WEIGHTS.format("TTS.tts.configs.xtts_config.XttsConfig"))
    assert done.first.rule == "TL110"
    assert done.first.message.endswith(": it contains TTS.tts.configs.xtts_config.XttsConfig")
    assert done.command == "python -m pip uninstall -y TTS && python -m pip install coqui-tts"


@pytest.mark.sketched
@pytest.mark.parametrize(
    ("python", "because"),
    [
        ("3.14", "pyannote.audio.pipelines imports torchaudio.AudioMetaData, and pyannote.audio.Audio calls"),
        ("3.12", "its import uses torchaudio.AudioMetaData, which"),
    ],
)
def test_annotations_of_a_dependent_on_python_3_14(ground: Ground, python: str, because: str) -> None:
    """https://github.com/paberr/ownscribe/issues/34: Python 3.14 evaluates no annotation at import."""
    site = ground.mac("Users/u/venv", python)
    ground.wheel(site, "torchaudio==2.9.1")
    ground.torch(site, "2.9.1")
    ground.wheel(site, "pyannote.audio==3.4.0")
    done = ground.check(site)
    shown(done, "TL701", "pyannote-audio 3.4.0 does not work with torchaudio 2.9.1")
    assert done.first.because.startswith(because)
